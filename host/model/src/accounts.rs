//! The seam where the budgets of tenants are kept.

use crate::budget::{Amounts, Budgets};
use crate::outcome::Cause;
use crate::stop::StopSignal;
use crate::tenant::Tenant;

/// What a tenant may take over time, and at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Its buckets.
    pub budgets: Budgets,
    /// The most launches that run at once, over all processes; nothing bounds them if absent.
    pub running: Option<u64>,
    /// The most that wait for one of those; the others are refused.
    pub waiting: u64,
}

impl Allowance {
    /// Whether nothing is bounded.
    pub fn is_boundless(&self) -> bool {
        self.running.is_none() && self.budgets.iter().next().is_none()
    }
}

/// Why somebody may not begin.
#[derive(Debug, thiserror::Error)]
pub enum NoBudget {
    /// There is too little, or there are too many.
    #[error("{0}")]
    Refused(Cause),
    /// It was cancelled while it waited for a place.
    #[error("cancelled while it waited for other launches of its tenant")]
    Cancelled,
    /// The accounts cannot be used.
    #[error("the budgets cannot be used: {0}")]
    Unusable(String),
}

/// Who keeps the budgets of tenants.
pub trait Accounts: Send + Sync {
    /// Lets work of a tenant begin: `wanted` is reserved, all of it or nothing, and a launch takes its place among those that
    /// run, for which it may wait. Whatever is not known beforehand is wanted as 1, so that debt holds it back.
    ///
    /// # Errors
    /// It may not begin.
    fn open(
        &self,
        tenant: &Tenant,
        allowance: &Allowance,
        wanted: &Amounts,
        is_launch: bool,
        stop: &StopSignal,
    ) -> Result<Box<dyn Account>, NoBudget>;
}

/// What one piece of work has reserved, and the place that it has. Dropped, all that was reserved counts as used.
pub trait Account: Send {
    /// Charges what was used, and leaves the place.
    ///
    /// # Errors
    /// What was used more than there was could not be written; whoever keeps the accounts has it in mind and writes it later.
    fn charge(self: Box<Self>, used: &Amounts) -> Result<(), String>;
}

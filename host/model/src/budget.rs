//! Budgets over time: what all launches of a tenant may take together.
//!
//! A limit bounds one launch, and a tenant that launches without end stays within each. A budget is a bucket of so much,
//! refilled by so much in so long a time. Who keeps the buckets is an `Accounts`; which there are, the policy says.

mod rate;
mod resource;

pub use rate::{Budgets, Rate, RateError};
pub use resource::{Amounts, Resource};

use crate::names::named;

named! {
    /// What a place is for.
    pub enum PlaceKind, "kind of place" {
        /// A launch that runs.
        Running = "running",
        /// A launch that waits for its turn.
        Waiting = "waiting",
    }
}

//! Cells as an operator's policy has them: bounded, charged, recorded and watched.
//!
//! A policy file says more than what is granted. It has budgets, which a ledger keeps; it says what is recorded, how that is
//! watched and who is told. [`furnish`] puts all of it around a cell, and whoever makes cells for people goes through it: the
//! command, and the Python package. The daemon keeps the same parts for all of its tenants, and takes their settings from here.

pub mod budgets;
pub mod record;

pub use hotcell_audit::settings::OnProblem;

use crate::budgets::Budgets;
use hotcell::{CellBuilder, Isolation, PlaceError, Places, Tier};
use hotcell_audit::AuditError;
use hotcell_audit::note::NotAVerifierKey;
use hotcell_policy::FilePolicy;
use hotcell_policy::record::AuditMode;
use hotcell_watch::NotASecret;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

/// Why a cell cannot be as the policy has it.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The policy has budgets or requires a log, and there is no place for them.
    #[error("{what}, and there is no place for it")]
    NoPlace {
        /// What has none.
        what: &'static str,
        /// Why.
        source: PlaceError,
    },
    /// The policy names a witness with a key that is none.
    #[error("the policy's `witness_key` of {address} is none")]
    WitnessKey {
        /// The witness.
        address: String,
        /// What is wrong with it.
        source: NotAVerifierKey,
    },
    /// The key that posts are signed with cannot be read.
    #[error("the webhook's key in {} cannot be used", path.display())]
    WebhookKeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key that posts are signed with is none.
    #[error("the webhook's key in {} cannot be used", path.display())]
    WebhookKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NotASecret,
    },
    /// The policy requires a log, and it cannot be opened.
    #[error("the policy requires an audit log, and there can be none")]
    NoLog(#[source] AuditError),
}

/// For how long a cell is there, which decides how much it takes from budgets at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// One launch, and then its process ends.
    OneLaunch,
    /// As long as its process.
    Process,
}

/// Has a cell bounded, charged, recorded and watched, as the policy says; where there is none, recorded and watched as the
/// built-in one has it.
///
/// # Errors
/// The policy asks for something that cannot be had here: places, keys.
pub fn furnish(
    builder: CellBuilder,
    policy: Option<&FilePolicy>,
    places: Result<Places, PlaceError>,
    lifetime: Lifetime,
    on_problem: OnProblem,
) -> Result<CellBuilder, DeskError> {
    let requires = |what: &'static str| move |source| DeskError::NoPlace { what, source };
    let places = match (places, policy) {
        // Whoever runs without directories of their own, as a service may, does so knowingly.
        (Err(_), None) => None,
        (Err(source), Some(policy)) if policy.has_budgets() => {
            return Err(requires("the policy has budgets")(source));
        }
        (Err(source), Some(policy)) if policy.audit().mode == AuditMode::Required => {
            return Err(requires("the policy requires an audit log")(source));
        }
        (places, _) => places.ok(),
    };
    let builder = match (policy, &places) {
        (Some(policy), Some(places)) if policy.has_budgets() => builder
            .policy(policy.clone())
            .accounts(Arc::new(Budgets::new(places, lifetime))),
        (Some(policy), _) => builder.policy(policy.clone()),
        (None, _) => builder,
    };
    record::attach(builder, policy, places.as_ref(), on_problem)
}

/// What a policy requires of isolation, and something else has less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// That isolation.
    Isolation(Isolation),
    /// At least that tier.
    Tier(Tier),
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolation(isolation) => write!(f, "isolation = {isolation}"),
            Self::Tier(tier) => write!(f, "tier = {tier}"),
        }
    }
}

/// What of the policy's isolation would not be met; `tier` is the one that is asked for, if one is.
pub fn lacking(policy: &FilePolicy, isolation: Isolation, tier: Option<Tier>) -> Option<Required> {
    if isolation == Isolation::InProcess && policy.isolation() == Isolation::Confined {
        return Some(Required::Isolation(Isolation::Confined));
    }
    tier.filter(|tier| *tier < policy.tier())
        .map(|_| Required::Tier(policy.tier()))
}

//! Compilations that failed a moment ago, so that a compile bomb costs once.
//!
//! Only ends that are the component's doing are kept, for the tenant that paid for them, and under the very
//! limits that they failed under.

use hotcell_model::digest::Digest;
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::outcome::{Outcome, OutcomeKind};
use hotcell_model::profile::Metering;
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The most failures that are remembered.
const KEPT: usize = 256;

/// The limits that decide how a compilation ends.
const DECIDING: [Limit; 12] = [
    Limit::ComponentBytes,
    Limit::Functions,
    Limit::FunctionBytes,
    Limit::FunctionLocals,
    Limit::BrTableTargets,
    Limit::Nesting,
    Limit::Types,
    Limit::Items,
    Limit::CompileCpu,
    Limit::CompileMemory,
    Limit::CompileWall,
    Limit::ArtifactBytes,
];

/// What was tried: equal tries end equally.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Tried {
    component: Digest,
    tenant: Tenant,
    /// `None` for a description.
    metering: Option<Metering>,
    limits: [u64; DECIDING.len()],
}

impl Tried {
    pub(crate) fn new(
        component: Digest,
        tenant: &Tenant,
        metering: Option<Metering>,
        limits: &Limits,
    ) -> Self {
        Self {
            component,
            tenant: tenant.clone(),
            metering,
            limits: DECIDING.map(|limit| limits.get(limit)),
        }
    }
}

/// Failures with when they happened.
#[derive(Default)]
pub(crate) struct FailedBefore(Mutex<HashMap<Tried, (Instant, Outcome)>>);

impl FailedBefore {
    /// How the same try ended before, if it failed a moment ago; the message says that it is remembered.
    pub(crate) fn find(&self, tried: &Tried, now: Instant) -> Option<Outcome> {
        let failed = self.lock();
        let (at, outcome) = failed.get(tried)?;
        let age = now.saturating_duration_since(*at);
        if age >= REMEMBERED {
            return None;
        }
        let message = format!(
            "{} (remembered: it was tried {} s ago, and is not tried again for {} s)",
            outcome.message,
            age.as_secs(),
            (REMEMBERED - age).as_secs()
        );
        Some(Outcome {
            message,
            ..outcome.clone()
        })
    }

    /// Remembers a failed compilation, if it was the component's doing.
    pub(crate) fn note(&self, tried: Tried, outcome: &Outcome, now: Instant) {
        if !is_of_the_component(outcome) {
            return;
        }
        let mut failed = self.lock();
        failed.retain(|_, (at, _)| now.saturating_duration_since(*at) < REMEMBERED);
        if failed.len() >= KEPT {
            let oldest = failed.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(tried, _)| tried.clone()) {
                failed.remove(&oldest);
            }
        }
        failed.insert(tried, (now, outcome.clone()));
    }

    /// As [`FailedBefore::note`], for a description: only one that was costly is worth remembering.
    pub(crate) fn note_described(&self, tried: Tried, outcome: &Outcome, now: Instant) {
        let limit = outcome.limit.map(|breach| breach.limit);
        if let Some(Limit::CompileCpu | Limit::CompileMemory | Limit::CompileWall) = limit {
            self.note(tried, outcome, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tried, (Instant, Outcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the same component would end the same way for anybody; not so for a cancel or a host's fault.
fn is_of_the_component(outcome: &Outcome) -> bool {
    matches!(
        outcome.kind,
        OutcomeKind::InvalidComponent | OutcomeKind::Limit
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::{Amount, Breach, LimitSource};
    use hotcell_model::outcome::Blame;

    fn bomb(limit: Limit) -> Outcome {
        let (amount, maximum) = (Amount::Used(2), 1);
        Outcome::breached(Breach {
            limit,
            amount,
            maximum,
        })
    }

    fn tried(component: u8, tenant: &str, limits: &Limits) -> Tried {
        let digest = Digest::from_bytes([component; 32]);
        let tenant = tenant.parse().unwrap();
        Tried::new(digest, &tenant, Some(Metering::Strict), limits)
    }

    #[test]
    fn a_failure_is_remembered_for_its_tenant_and_limits_and_for_a_while() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let mut limits = Limits::defaults(Default::default());
        failed.note(tried(1, "a", &limits), &bomb(Limit::CompileCpu), now);
        let found = failed.find(&tried(1, "a", &limits), now).unwrap();
        assert!(found.message.contains("remembered"), "{}", found.message);
        assert_eq!(found.kind, OutcomeKind::Limit);
        assert_eq!(failed.find(&tried(1, "b", &limits), now), None);
        assert_eq!(failed.find(&tried(2, "a", &limits), now), None);
        assert_eq!(failed.find(&tried(1, "a", &limits), now + REMEMBERED), None);
        limits
            .try_set(Limit::CompileCpu, 1, LimitSource::Request)
            .unwrap();
        assert_eq!(failed.find(&tried(1, "a", &limits), now), None);
    }

    #[test]
    fn what_is_not_the_components_doing_is_tried_again() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let limits = Limits::defaults(Default::default());
        for kind in [
            OutcomeKind::HostFault,
            OutcomeKind::Cancelled,
            OutcomeKind::Isolation,
        ] {
            let outcome = Outcome::failed(kind, Blame::Unknown, "x");
            failed.note(tried(1, "a", &limits), &outcome, now);
        }
        failed.note_described(tried(1, "a", &limits), &bomb(Limit::Items), now);
        assert_eq!(failed.find(&tried(1, "a", &limits), now), None);
        failed.note_described(tried(1, "a", &limits), &bomb(Limit::CompileWall), now);
        assert!(failed.find(&tried(1, "a", &limits), now).is_some());
    }

    #[test]
    fn memory_of_failures_is_bounded_and_the_oldest_goes() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let limits = Limits::defaults(Default::default());
        let tried = |number: usize| tried(1, &format!("t{number}"), &limits);
        for number in 0..=KEPT {
            let at = now + Duration::from_millis(number as u64);
            failed.note(tried(number), &bomb(Limit::CompileCpu), at);
        }
        assert_eq!(failed.lock().len(), KEPT);
        assert!(failed.find(&tried(0), now).is_none() && failed.find(&tried(1), now).is_some());
    }
}

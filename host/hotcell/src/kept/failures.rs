//! What failed a moment ago on the way to a loaded kernel, so that a compile bomb costs once, and so does what
//! compiles and does not load.
//!
//! Only ends that are the component's doing are kept, for the tenant that paid for them, and under the very
//! limits that they failed under. A worker that breaks while it loads an artifact may be the component's doing: that
//! is kept if it happens twice, and not for as long. Each tenant has its share of the memory: one whose components
//! all fail pushes out its own.

use crate::isolation::{LoadFailure, LoadedKey};
use crate::kept::{Owned, next_to_go};
use hotcell_model::digest::Digest;
use hotcell_model::grant::Grants;
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::outcome::{Outcome, OutcomeKind};
use hotcell_model::profile::Metering;
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How long it is remembered that workers broke on an artifact, from the last of them on.
const BREAKING_REMEMBERED: Duration = Duration::from_secs(60);
/// How many workers break on an artifact before it is not tried again.
const BREAKING: u32 = 2;
/// The most failures that are remembered.
const KEPT: usize = 1024;

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
pub(crate) struct FailureKey {
    component: Digest,
    tenant: Tenant,
    step: FailedStep,
    limits: [u64; DECIDING.len()],
}

/// How far it was.
#[derive(Clone, PartialEq, Eq, Hash)]
enum FailedStep {
    Describe,
    Compile(Metering),
    /// With the memory that a runner has for guests.
    Load(Metering, Grants, u64),
}

impl FailureKey {
    pub(crate) fn describing(component: Digest, tenant: &Tenant, limits: &Limits) -> Self {
        Self::new(component, tenant, FailedStep::Describe, limits)
    }

    pub(crate) fn compiling(
        component: Digest,
        tenant: &Tenant,
        metering: Metering,
        limits: &Limits,
    ) -> Self {
        Self::new(component, tenant, FailedStep::Compile(metering), limits)
    }

    pub(crate) fn loading(key: &LoadedKey, limits: &Limits) -> Self {
        let memory = limits.get(Limit::Memory);
        let step = FailedStep::Load(key.metering, key.grants.clone(), memory);
        Self::new(key.component, &key.tenant, step, limits)
    }

    fn new(component: Digest, tenant: &Tenant, step: FailedStep, limits: &Limits) -> Self {
        Self {
            component,
            tenant: tenant.clone(),
            step,
            limits: DECIDING.map(|limit| limits.get(limit)),
        }
    }
}

impl Owned for FailureKey {
    fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

/// Failures with when they happened.
#[derive(Default)]
pub(crate) struct FailedBefore(Mutex<HashMap<FailureKey, KeptFailure>>);

struct KeptFailure {
    at: Instant,
    outcome: Outcome,
    /// How often a worker broke; 0 if it is known to be the component's doing.
    broke: u32,
}

impl KeptFailure {
    fn remembered(&self) -> Duration {
        match self.broke {
            0 => REMEMBERED,
            _ => BREAKING_REMEMBERED,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= self.remembered()
    }
}

impl FailedBefore {
    /// How the same try ended before, if it failed a moment ago; the message says that it is remembered.
    pub(crate) fn find(&self, tried: &FailureKey, now: Instant) -> Option<Outcome> {
        let failed = self.lock();
        let failure = failed.get(tried)?;
        if failure.is_over(now) || (1..BREAKING).contains(&failure.broke) {
            return None;
        }
        let age = now.saturating_duration_since(failure.at);
        let outcome = &failure.outcome;
        let message = format!(
            "{} (remembered: it was tried {} s ago, and is not tried again for {} s)",
            outcome.message,
            age.as_secs(),
            (failure.remembered() - age).as_secs()
        );
        Some(Outcome {
            message,
            ..outcome.clone()
        })
    }

    /// Remembers a failed compilation, if it was the component's doing.
    pub(crate) fn note(&self, tried: FailureKey, outcome: &Outcome, now: Instant) {
        if is_of_the_component(outcome) {
            self.remember(tried, outcome, now, 0);
        }
    }

    /// As [`FailedBefore::note`], for a description: only one that was costly is worth remembering.
    pub(crate) fn note_described(&self, tried: FailureKey, outcome: &Outcome, now: Instant) {
        let limit = outcome.breach().map(|breach| breach.limit);
        if let Some(Limit::CompileCpu | Limit::CompileMemory | Limit::CompileWall) = limit {
            self.note(tried, outcome, now);
        }
    }

    /// Remembers that an artifact did not load, if it was the component's doing or may have been.
    pub(crate) fn note_loaded<T>(
        &self,
        tried: FailureKey,
        loaded: &Result<T, LoadFailure>,
        now: Instant,
    ) {
        match loaded {
            Ok(_) => drop(self.lock().remove(&tried)),
            Err(LoadFailure::Ended(outcome, evidence)) if is_of_the_worker(outcome) => {
                // A worker that could not even be started knew nothing of the component.
                if !evidence.alerts.is_empty() {
                    let broke = self.broke(&tried, now) + 1;
                    self.remember(tried, outcome, now, broke);
                }
            }
            Err(LoadFailure::Ended(outcome, _)) => self.note(tried, outcome, now),
            Err(LoadFailure::Stale(_)) => {}
        }
    }

    fn broke(&self, tried: &FailureKey, now: Instant) -> u32 {
        let failed = self.lock();
        let failure = failed.get(tried).filter(|failure| !failure.is_over(now));
        failure.map_or(0, |failure| failure.broke)
    }

    fn remember(&self, tried: FailureKey, outcome: &Outcome, now: Instant, broke: u32) {
        let mut failed = self.lock();
        failed.retain(|_, failure| !failure.is_over(now));
        let outcome = outcome.clone();
        let failure = KeptFailure {
            at: now,
            outcome,
            broke,
        };
        failed.insert(tried, failure);
        if failed.len() > KEPT {
            let held = failed.iter();
            let held = held.map(|(tried, failure)| (tried.tenant(), 1, failure.at));
            let first = next_to_go(held).and_then(|at| failed.keys().nth(at).cloned());
            first.map(|first| failed.remove(&first));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FailureKey, KeptFailure>> {
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

/// Whether a worker is to blame, or what made it break.
fn is_of_the_worker(outcome: &Outcome) -> bool {
    outcome.kind == OutcomeKind::HostFault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::Evidence;
    use hotcell_model::limit::{Amount, Breach, LimitSource};
    use hotcell_model::outcome::Blame;
    use hotcell_model::report::{Alert, AlertKind};

    fn bomb(limit: Limit) -> Outcome {
        let (amount, maximum) = (Amount::Used(2), 1);
        Outcome::breached(Breach {
            limit,
            amount,
            maximum,
        })
    }

    fn tried(component: u8, tenant: &str, limits: &Limits) -> FailureKey {
        let digest = Digest::from_bytes([component; 32]);
        let tenant = tenant.parse().unwrap();
        FailureKey::compiling(digest, &tenant, Metering::Strict, limits)
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
    fn memory_of_failures_is_bounded_and_a_tenant_pushes_out_its_own() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let limits = Limits::defaults(Default::default());
        failed.note(tried(0, "b", &limits), &bomb(Limit::CompileCpu), now);
        let number = |number: usize| {
            let component = Digest::from_bytes([7; 32]);
            let tenant = "a".parse().unwrap();
            let mut tried = FailureKey::compiling(component, &tenant, Metering::Strict, &limits);
            tried.limits[0] = number as u64;
            tried
        };
        for at in 0..=KEPT {
            let when = now + Duration::from_millis(at as u64);
            failed.note(number(at), &bomb(Limit::CompileCpu), when);
        }
        assert_eq!(failed.lock().len(), KEPT);
        assert!(failed.find(&number(1), now).is_none());
        assert!(failed.find(&number(2), now).is_some());
        assert!(failed.find(&tried(0, "b", &limits), now).is_some());
    }

    fn ended(kind: OutcomeKind, alerts: Vec<Alert>) -> Result<(), LoadFailure> {
        let outcome = Outcome::failed(kind, Blame::Unknown, "x");
        let evidence = Evidence {
            alerts,
            ..Evidence::default()
        };
        Err(LoadFailure::Ended(Box::new(outcome), evidence))
    }

    fn loading(grants: Grants) -> FailureKey {
        let key = LoadedKey {
            component: Digest::from_bytes([1; 32]),
            tenant: Tenant::default(),
            metering: Metering::Strict,
            grants,
        };
        FailureKey::loading(&key, &Limits::defaults(Default::default()))
    }

    #[test]
    fn what_does_not_load_is_remembered_for_its_grants() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let misfit = ended(OutcomeKind::InvalidComponent, Vec::new());
        failed.note_loaded(loading(Grants::none()), &misfit, now);
        assert!(failed.find(&loading(Grants::none()), now).is_some());
        assert_eq!(failed.find(&loading(Grants::built_in()), now), None);
        failed.note_loaded(loading(Grants::none()), &Ok(()), now);
        assert_eq!(failed.find(&loading(Grants::none()), now), None);
    }

    #[test]
    fn what_breaks_two_workers_is_not_given_a_third_for_a_while() {
        let (failed, now) = (FailedBefore::default(), Instant::now());
        let tried = || loading(Grants::none());
        let broke = || {
            ended(
                OutcomeKind::HostFault,
                vec![Alert {
                    kind: AlertKind::WorkerDied,
                    message: String::new(),
                }],
            )
        };
        failed.note_loaded(tried(), &broke(), now);
        assert_eq!(failed.find(&tried(), now), None);
        // One that loads in between was not the component's doing.
        failed.note_loaded(tried(), &Ok(()), now);
        failed.note_loaded(tried(), &broke(), now);
        assert_eq!(failed.find(&tried(), now), None);
        failed.note_loaded(tried(), &broke(), now);
        assert!(failed.find(&tried(), now).is_some());
        assert_eq!(failed.find(&tried(), now + BREAKING_REMEMBERED), None);
        // What no worker saw, and who gave up, say nothing.
        let other = || loading(Grants::built_in());
        for kind in [
            OutcomeKind::HostFault,
            OutcomeKind::Cancelled,
            OutcomeKind::Budget,
        ] {
            for _ in 0..3 {
                failed.note_loaded(other(), &ended(kind, Vec::new()), now);
            }
        }
        assert_eq!(failed.find(&other(), now), None);
    }
}

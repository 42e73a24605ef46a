//! Preparing: a component becomes something that can be launched, from memory, from disk, or compiled.

use crate::artifacts::{Miss, Origin, VerifiedArtifact};
use crate::cell::{Cell, Prepared};
use crate::component::Component;
use crate::isolation::{LoadFailure, Loaded, LoadedKey, Order, cancelled};
use crate::kept::awaited::AwaitedEntry;
use crate::kept::failures::FailureKey;
use crate::launch::about::About;
use crate::launch::spent::Spent;
use hotcell_model::digest::Digest;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{CacheOutcome, Compilation};
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
use std::sync::Arc;
use std::time::Instant;

impl Cell {
    /// A loaded kernel. Callers that want the same one at the same time wait for the first.
    pub(crate) fn prepare(
        &self,
        component: &Component,
        about: &mut About,
        stop: &StopSignal,
    ) -> Result<Arc<dyn Loaded>, Outcome> {
        let About {
            tenant,
            limits,
            spent,
            ..
        } = about;
        let order = Order {
            tenant,
            limits,
            stop,
        };
        let key = LoadedKey {
            component: component.digest(),
            tenant: tenant.clone(),
            metering: about.metering,
            grants: about.grants.clone(),
        };
        let place = self.inner.loaded.get_or_insert(&key, Default::default);
        let making = match place.enter(stop) {
            AwaitedEntry::Made(prepared) => {
                check_artifact(prepared.artifact_bytes, order.limits)?;
                spent.timings.cache = Some(CacheOutcome::HitMemory);
                about.component.artifact = prepared.artifact;
                return Ok(prepared.loaded);
            }
            AwaitedEntry::Cancelled => return Err(cancelled("it waited for a compilation")),
            AwaitedEntry::Make(making) => making,
        };
        let origin = Origin {
            component: key.component,
            profile: self.inner.isolation.profile(key.metering),
            tenant: key.tenant.clone(),
            name: about.component.name.clone(),
        };
        let preparing = Preparing {
            cell: self,
            component,
            artifact: origin.key().ok(),
            origin,
            key: &key,
            order,
        };
        let prepared = preparing.prepare(spent)?;
        about.component.artifact = prepared.artifact;
        making.done(prepared.shared());
        self.inner
            .loaded
            .weigh(&key, &place, prepared.artifact_bytes);
        Ok(prepared.loaded)
    }
}

/// One kernel on its way from a component to something that runs.
struct Preparing<'a> {
    cell: &'a Cell,
    component: &'a Component,
    /// What an artifact of it is made from and for.
    origin: Origin,
    /// The artifact's key.
    artifact: Option<Digest>,
    key: &'a LoadedKey,
    order: Order<'a>,
}

impl Preparing<'_> {
    fn prepare(&self, spent: &mut Spent) -> Result<Prepared, Outcome> {
        let inner = &self.cell.inner;
        let loading = FailureKey::loading(self.key, self.order.limits);
        if let Some(outcome) = inner.failed.find(&loading, Instant::now()) {
            spent.timings.cache = Some(CacheOutcome::FailedBefore);
            return Err(outcome);
        }
        let found = match &inner.cache {
            Ok(cache) => cache.find(&self.origin),
            Err(off) => Err(Miss::because(off.clone())),
        };
        let why = match found {
            Ok(artifact) => match self.load_found(artifact, spent)? {
                Ok(prepared) => {
                    self.keep_description();
                    return Ok(prepared);
                }
                Err(stale) => {
                    inner
                        .cache
                        .iter()
                        .for_each(|cache| cache.remove(&self.origin));
                    stale
                }
            },
            Err(miss) => {
                spent.evidence.alerts.extend(miss.alert());
                miss.why
            }
        };
        let artifact = Arc::new(self.compile(spent)?);
        spent.artifact_bytes = artifact.bytes().len() as u64;
        spent.timings.cache = Some(CacheOutcome::Miss(why.clone()));
        let prepared = self.load(&artifact, spent)?.map_err(|why| {
            let message = format!("a fresh artifact does not load: {why}");
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
        })?;
        // Only now: a compiler that makes noise must not have made it for every later launch too.
        let why = self.keep(&artifact, why);
        self.keep_description();
        spent.timings.cache = Some(CacheOutcome::Miss(why));
        Ok(prepared)
    }

    /// Loads an artifact from the cache; `Err` inside if it is stale.
    fn load_found(
        &self,
        artifact: VerifiedArtifact,
        spent: &mut Spent,
    ) -> Result<Result<Prepared, String>, Outcome> {
        let artifact_bytes = artifact.bytes().len() as u64;
        let loaded = self.load(&Arc::new(artifact), spent)?;
        if loaded.is_ok() {
            check_artifact(artifact_bytes, self.order.limits)?;
            spent.timings.cache = Some(CacheOutcome::Hit);
        }
        Ok(loaded)
    }

    fn load(
        &self,
        artifact: &Arc<VerifiedArtifact>,
        spent: &mut Spent,
    ) -> Result<Result<Prepared, String>, Outcome> {
        let begin = Instant::now();
        let isolation = &self.cell.inner.isolation;
        let loaded = isolation.load(self.key, artifact, self.order);
        spent.timings.load_ns = nanoseconds(begin.elapsed());
        let tried = FailureKey::loading(self.key, self.order.limits);
        self.cell
            .inner
            .failed
            .note_loaded(tried, &loaded, Instant::now());
        match loaded {
            Ok(loaded) => Ok(Ok(Prepared {
                loaded,
                artifact_bytes: artifact.bytes().len() as u64,
                artifact: self.artifact,
            })),
            Err(LoadFailure::Stale(why)) => Ok(Err(why)),
            Err(LoadFailure::Ended(outcome, evidence)) => {
                spent.evidence.add(evidence);
                Err(*outcome)
            }
        }
    }

    fn compile(&self, spent: &mut Spent) -> Result<VerifiedArtifact, Outcome> {
        let inner = &self.cell.inner;
        let (component, metering) = (self.key.component, self.key.metering);
        let Order { tenant, limits, .. } = self.order;
        let tried = FailureKey::compiling(component, tenant, metering, limits);
        if let Some(outcome) = inner.failed.find(&tried, Instant::now()) {
            spent.timings.cache = Some(CacheOutcome::FailedBefore);
            return Err(outcome);
        }
        if self.order.stop.cancelled_at().is_some() {
            return Err(cancelled("it was prepared"));
        }
        let begin = Instant::now();
        let worked = inner
            .isolation
            .compile(self.component, metering, self.order);
        spent.timings.compile_ns = nanoseconds(begin.elapsed());
        if let Err(outcome) = &worked.result
            && !was_kept_waiting(outcome, worked.cost.as_ref())
        {
            inner.failed.note(tried, outcome, Instant::now());
        }
        spent.charge(worked)
    }

    /// Keeps the component's description on disk, now that an artifact of the component has loaded: a compiler that lies is
    /// not to be believed by every later launch too.
    fn keep_description(&self) {
        let (tenant, component) = (&self.key.tenant, self.key.component);
        let described = (tenant.clone(), component);
        let description = self.cell.inner.descriptions.get(&described);
        if let (Ok(cache), Some(description)) = (&self.cell.inner.cache, description) {
            cache.store_description(tenant, component, &description);
        }
    }

    /// Keeps a fresh artifact on disk; returns why it was compiled, and why it is not kept.
    fn keep(&self, artifact: &VerifiedArtifact, why: String) -> String {
        let Ok(cache) = &self.cell.inner.cache else {
            return why;
        };
        match cache.store(&self.origin, artifact.bytes()) {
            Ok(()) => why,
            // The launch does not depend on it; the report tells.
            Err(error) => format!("{why}; it could not be kept: {error}"),
        }
    }
}

/// Holds an artifact that may have been made under other limits against these.
fn check_artifact(requested: u64, limits: &Limits) -> Result<(), Outcome> {
    let limit = Limit::ArtifactBytes;
    let maximum = limits.get(limit);
    if requested <= maximum {
        return Ok(());
    }
    Err(Outcome::breached(Breach {
        limit,
        amount: Amount::Requested(requested),
        maximum,
    }))
}

/// Whether a compilation ran out of time that it did not have a processor for: on a quieter machine it may end well.
fn was_kept_waiting(outcome: &Outcome, cost: Option<&Compilation>) -> bool {
    let breach = outcome
        .breach()
        .filter(|breach| breach.limit == Limit::CompileWall);
    match (breach, cost) {
        (Some(breach), Some(cost)) => cost.cpu_ns < breach.maximum / 2,
        _ => false,
    }
}

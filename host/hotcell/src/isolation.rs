//! The seam between the supervisor and what compiles and runs hostile code.
//!
//! In-process isolation implements it by calling, confined workers by sending. The supervisor's side of a
//! launch knows nothing else of either.

pub(crate) mod diagnosis;

use self::diagnosis::{Diagnosis, GpuDiagnosis};
use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use hotcell_model::component::Description;
use hotcell_model::digest::Digest;
use hotcell_model::grant::Grants;
use hotcell_model::job::{Job, JobData, Observer, RunEnd, Source};
use hotcell_model::layer::{LayerReport, Tier, WorkerKind};
use hotcell_model::limit::Limits;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::{EngineProfile, Isolation, Metering};
use hotcell_model::report::{Alert, Compilation, Walls};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;

/// What a loaded kernel is shared by. The tenant is part of it: nothing is shared across tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoadedKey {
    pub(crate) component: Digest,
    pub(crate) tenant: Tenant,
    pub(crate) metering: Metering,
    pub(crate) grants: Grants,
}

/// Compiles and runs components, apart from the supervisor.
pub(crate) trait Isolate: Send + Sync {
    /// What it is called in reports.
    fn kind(&self) -> Isolation;

    /// The least that the walls around its workers must be; `None` where there are no walls.
    fn required_tier(&self) -> Option<Tier> {
        None
    }

    /// Reads a component without running it.
    fn describe(&self, component: &Component, order: Order<'_>) -> WorkResult<Description>;

    /// What artifacts of this isolation depend on besides their component.
    fn profile(&self, metering: Metering) -> EngineProfile;

    /// Compiles a component that was described.
    fn compile(
        &self,
        component: &Component,
        metering: Metering,
        order: Order<'_>,
    ) -> WorkResult<VerifiedArtifact>;

    /// How many launches of a tenant wait for a worker now.
    fn waiting(&self, _tenant: &Tenant) -> Waiting {
        Waiting::default()
    }

    /// How busy its workers are; nothing where it has none.
    fn pools(&self) -> Pools {
        Pools::default()
    }

    /// Makes an artifact runnable for those who share `key`; what is returned may hold a worker ready for the launch
    /// that it was loaded for.
    fn load(
        &self,
        key: &LoadedKey,
        artifact: &Arc<VerifiedArtifact>,
        order: Order<'_>,
    ) -> Result<Arc<dyn Loaded>, LoadFailure>;

    /// Has real workers try what they must not be able to do.
    fn diagnose(&self, _component: &Component) -> Result<Diagnosis, Outcome> {
        Err(no_walls(self.kind()))
    }

    /// Has real GPU workers try what they must not be able to do.
    fn diagnose_gpu(&self) -> Result<GpuDiagnosis, Outcome> {
        Err(no_walls(self.kind()))
    }
}

fn no_walls(isolation: Isolation) -> Outcome {
    let message = format!("{isolation} isolation has no walls to look at");
    Outcome::failed(OutcomeKind::Isolation, Blame::Request, message)
}

/// Work that is asked for: for whom, within which limits, and what stops it.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) limits: &'a Limits,
    pub(crate) stop: &'a StopSignal,
}

/// What came of a compile process's work, with what it took.
pub(crate) struct WorkResult<T> {
    pub(crate) result: Result<T, Outcome>,
    pub(crate) cost: Option<Compilation>,
    /// Whether it failed a moment ago, and was not tried again.
    pub(crate) is_remembered: bool,
    pub(crate) evidence: Evidence,
}

impl<T> WorkResult<T> {
    /// The same work, with its result taken further.
    pub(crate) fn and_then<U>(
        self,
        further: impl FnOnce(T) -> Result<U, Outcome>,
    ) -> WorkResult<U> {
        WorkResult {
            result: self.result.and_then(further),
            cost: self.cost,
            is_remembered: self.is_remembered,
            evidence: self.evidence,
        }
    }
}

impl<T> From<Result<T, Outcome>> for WorkResult<T> {
    /// Work that no other process did.
    fn from(result: Result<T, Outcome>) -> Self {
        Self {
            result,
            cost: None,
            is_remembered: false,
            evidence: Evidence::default(),
        }
    }
}

/// What was seen of the workers that a launch needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// The layers of the process that compiled or described.
    pub(crate) compiler: Arc<[LayerReport]>,
    /// The layers of the runner.
    pub(crate) runner: Arc<[LayerReport]>,
    /// The layers of the GPU worker.
    pub(crate) gpu: Arc<[LayerReport]>,
    /// The layers of the guarded process.
    pub(crate) guarded: Arc<[LayerReport]>,
    /// The GPU and its driver in words.
    pub(crate) device: Option<String>,
    /// What was odd.
    pub(crate) alerts: Vec<Alert>,
}

impl Evidence {
    /// What was odd, and nothing else.
    pub(crate) fn of_alerts(alerts: impl IntoIterator<Item = Alert>) -> Self {
        Self {
            alerts: alerts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds what was seen later.
    pub(crate) fn add(&mut self, later: Self) {
        if !later.compiler.is_empty() {
            self.compiler = later.compiler;
        }
        if !later.runner.is_empty() {
            self.runner = later.runner;
        }
        if !later.gpu.is_empty() {
            self.gpu = later.gpu;
        }
        if !later.guarded.is_empty() {
            self.guarded = later.guarded;
        }
        self.device = later.device.or(self.device.take());
        self.alerts.extend(later.alerts);
    }

    /// The walls that these layers make; `None` where no worker was needed.
    pub(crate) fn walls(&self, required: Option<Tier>) -> Option<Walls> {
        let tiers = [
            (WorkerKind::Compiler, &self.compiler),
            (WorkerKind::Runner, &self.runner),
            (WorkerKind::Gpu, &self.gpu),
            (WorkerKind::Guarded, &self.guarded),
        ]
        .map(|(kind, layers)| match layers.is_empty() {
            true => None,
            false => Some(Tier::of_worker(kind, layers)),
        });
        Some(Walls {
            tier: tiers.into_iter().flatten().min()?,
            required: required?,
            runner: self.runner.to_vec(),
            compiler: self.compiler.to_vec(),
            gpu: self.gpu.to_vec(),
            guarded: self.guarded.to_vec(),
        })
    }
}

/// Why an artifact was not loaded.
pub(crate) enum LoadFailure {
    /// It is stale: made by another version or for another machine.
    Stale(String),
    /// The launch ends.
    Ended(Box<Outcome>, Evidence),
}

/// How many launches wait for a worker of each kind. In-process isolation has none of them, and nobody waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// For a compile process, to describe or to compile.
    pub compile_processes: usize,
    /// For a runner.
    pub runners: usize,
    /// For a GPU worker.
    pub gpu_workers: usize,
}

/// How busy the workers of a cell are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pools {
    /// Compile processes.
    pub compile_processes: PoolUse,
    /// Runners.
    pub runners: PoolUse,
    /// GPU workers.
    pub gpu_workers: PoolUse,
}

/// How busy the workers of one kind are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// The most at once.
    pub most: usize,
    /// Those that work.
    pub busy: usize,
    /// Those that are kept for launches like earlier ones.
    pub idle: usize,
    /// The launches, of all tenants, that wait for one.
    pub waiting: usize,
}

/// A component that can be launched.
pub(crate) trait Loaded: Send + Sync {
    /// The same for other launches: what was made ready for one stays that one's.
    fn shared(self: Arc<Self>) -> Arc<dyn Loaded>;

    /// Runs one launch to its end.
    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Ran;
}

/// A launch that ran, or did not get to.
pub(crate) struct Ran {
    pub(crate) end: RunEnd<Source>,
    pub(crate) evidence: Evidence,
}

impl From<RunEnd<Source>> for Ran {
    fn from(end: RunEnd<Source>) -> Self {
        Self {
            end,
            evidence: Evidence::default(),
        }
    }
}

/// The end of a launch that was cancelled before it ran.
pub(crate) fn cancelled(meanwhile: &str) -> Outcome {
    let message = format!("cancelled while {meanwhile}");
    Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::Cancelled, Blame::Request, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::layer::Layer;

    #[test]
    fn the_weaker_worker_makes_the_tier_and_none_makes_no_walls() {
        let all = |missing: Option<Layer>| -> Arc<[LayerReport]> {
            let report = |layer: Layer| match Some(layer) == missing {
                true => LayerReport::absent(layer, "not here", "nothing"),
                false => LayerReport::enforced(layer, ""),
            };
            Layer::ALL.into_iter().map(report).collect()
        };
        let mut evidence = Evidence::default();
        assert_eq!(evidence.walls(Some(Tier::Full)), None);
        evidence.add(Evidence {
            runner: all(None),
            ..Evidence::default()
        });
        let tier = |evidence: &Evidence| evidence.walls(Some(Tier::Full)).map(|walls| walls.tier);
        assert_eq!(tier(&evidence), Some(Tier::Full));
        evidence.add(Evidence {
            compiler: all(Some(Layer::Landlock)),
            ..Evidence::default()
        });
        assert_eq!(tier(&evidence), Some(Tier::Unprivileged));
        assert_eq!(evidence.walls(None), None);
    }
}

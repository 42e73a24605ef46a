//! What compilations and launches of one cell share: turns, the pool, spares, and what ends them.

use super::compile::{Compiling, WrittenAnswer};
use super::fault::Fault;
use super::gpu::{GpuWorker, NotOpened};
use super::keeper::Keeper;
use super::pool::{Lease, Pool};
use super::process::Process;
use super::programs::Programs;
use super::reading::CompileTask;
use super::runner::{LoadOrder, NotLoaded, RunnerWorker};
use super::settings::{Settings, Spares};
use super::spare::Spare;
use super::starter::{Role, Starter};
use super::tier::check_tier;
use super::turns::NoTurn;
use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use crate::isolation::{
    Evidence, LoadFailure, LoadedKey, Order, Pools, Waiting, WorkResult, cancelled,
};
use crate::zeroed::ZeroedMemory;
use hotcell_model::layer::WorkerKind;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::Metering;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long a runner stays idle before it is ended.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// A place for a tenant's GPU worker.
pub(crate) type GpuLease = Lease<Tenant, GpuWorker>;
/// A place for a runner.
pub(crate) type RunnerLease = Lease<LoadedKey, RunnerWorker>;

/// What compilations and launches of one cell share.
pub(crate) struct Supervisor {
    pub(crate) settings: Settings,
    pub(crate) starter: Starter,
    /// Of compile processes only their number is kept: each serves once.
    compilers: Pool<Tenant, Infallible>,
    pool: Pool<LoadedKey, RunnerWorker>,
    gpus: Pool<Tenant, GpuWorker>,
    spare_compiler: Spare,
    spare_runner: Spare,
    keeper: Keeper,
    pub(crate) zeroed: ZeroedMemory,
}

impl Supervisor {
    /// Has spares started in the background.
    pub(crate) fn start(programs: Programs, settings: Settings) -> Arc<Self> {
        let supervisor = Arc::new_cyclic(|weak: &Weak<Self>| {
            let own = weak.clone();
            let look = move || {
                if let Some(supervisor) = own.upgrade() {
                    supervisor.expire();
                }
            };
            Self {
                starter: Starter::new(programs, &settings),
                compilers: Pool::new(settings.compilers()),
                pool: Pool::new(settings.runners()),
                gpus: Pool::new(settings.gpu_workers()),
                spare_compiler: Spare::default(),
                spare_runner: Spare::default(),
                keeper: Keeper::start(look),
                zeroed: ZeroedMemory::default(),
                settings,
            }
        });
        supervisor.refill(Role::Compiler, Spares::Kept);
        supervisor.refill(Role::Runner(Metering::default()), Spares::Kept);
        supervisor
    }

    /// One compile process's work.
    pub(crate) fn compile(
        self: &Arc<Self>,
        component: &Component,
        asked: CompileTask,
        metering: Metering,
        order: Order<'_>,
    ) -> WorkResult<WrittenAnswer> {
        let turn = match self.compilers.take(order.tenant, order.stop) {
            Ok(turn) => turn,
            Err(no_turn) => return Err(no_turn.outcome("a compile process")).into(),
        };
        let process = match self.worker(Role::Compiler) {
            Ok(process) => process,
            Err(fault) => {
                return WorkResult {
                    evidence: Evidence::of(&fault),
                    ..Err(fault.outcome()).into()
                };
            }
        };
        let mut evidence = Evidence {
            compiler: process.layers().into(),
            ..Evidence::default()
        };
        let required = self.settings.required;
        let walls = check_tier(&evidence.compiler, None, required, WorkerKind::Compiler);
        if let Err(outcome) = walls {
            return WorkResult {
                evidence,
                ..Err(outcome).into()
            };
        }
        // What is described here is compiled next, and what is compiled is run next.
        let next = match asked {
            CompileTask::Describe => Role::Compiler,
            CompileTask::Compile => Role::Runner(metering),
        };
        self.refill(next, Spares::Ahead);
        let compiled = Compiling::new(process, asked, order).run(component, metering);
        drop(turn);
        evidence.alerts.extend(compiled.alert);
        WorkResult {
            cost: Some(compiled.cost),
            evidence,
            ..compiled.result.into()
        }
    }

    /// A fresh worker: the spare one, or one that is started now.
    fn worker(self: &Arc<Self>, role: Role) -> Result<Process, Fault> {
        let (spare, other) = self.spare(role).take(role);
        if let Some(other) = other {
            self.keeper.run(move || drop(other));
        }
        let process = match spare {
            Some(process) => Ok(process),
            None => self.starter.start(role),
        };
        if process.is_ok() {
            self.refill(role, Spares::Kept);
        }
        process
    }

    fn spare(&self, role: Role) -> &Spare {
        match role {
            Role::Compiler => &self.spare_compiler,
            // GPU workers are started for their tenant.
            Role::Runner(_) | Role::Gpu => &self.spare_runner,
        }
    }

    /// Has a spare of that role started in the background, where none is, and where the settings want that one.
    fn refill(self: &Arc<Self>, role: Role, wanted: Spares) {
        let is_wanted = self.settings.spares == wanted || self.settings.spares == Spares::Kept;
        if !is_wanted || !self.spare(role).begin() {
            return;
        }
        let own = Arc::downgrade(self);
        self.keeper.run(move || {
            if let Some(supervisor) = own.upgrade() {
                // A fault shows when the next worker is started for somebody.
                let started = supervisor.starter.start(role).ok();
                supervisor.spare(role).set(role, started);
            }
        });
    }

    /// A place in the pool.
    pub(crate) fn lease(
        &self,
        key: &LoadedKey,
        stop: &StopSignal,
    ) -> Result<RunnerLease, LoadFailure> {
        self.pool
            .take(key, stop)
            .map_err(|no_turn| no_turn.outcome("a runner").into())
    }

    /// A runner with the artifact loaded, for a place in the pool.
    pub(crate) fn runner(
        self: &Arc<Self>,
        lease: &mut RunnerLease,
        key: &LoadedKey,
        artifact: &VerifiedArtifact,
        order: Order<'_>,
    ) -> Result<RunnerWorker, LoadFailure> {
        if let Some(evicted) = lease.take_evicted() {
            self.bury(evicted);
        }
        let guest_bytes = order.limits.get(Limit::Memory);
        if let Some(mut runner) = lease.take_item() {
            if runner.serves(guest_bytes) {
                return Ok(runner);
            }
            self.bury(runner);
        }
        let load = LoadOrder {
            artifact: artifact.sealed(),
            grants: &key.grants,
            guest_bytes,
            data_bytes: self.starter.runner_data_bytes(guest_bytes) + artifact.sealed().len(),
            required: self.settings.required,
            stop: order.stop,
        };
        let process = self.worker(Role::Runner(key.metering))?;
        let layers = process.layers().into();
        RunnerWorker::load(process, &load).map_err(|failure| match failure {
            // It refused the artifact before its last layer: no guest came near it, and there is nothing to say of walls.
            failure @ NotLoaded::Misfit(_) => failure.into(),
            failure => match failure.into() {
                LoadFailure::Ended(outcome, evidence) => {
                    let runner = layers;
                    LoadFailure::Ended(outcome, Evidence { runner, ..evidence })
                }
                stale @ LoadFailure::Stale(_) => stale,
            },
        })
    }

    /// Gives a runner back for others.
    pub(crate) fn give_back(&self, lease: RunnerLease, runner: RunnerWorker) {
        if let Some(evicted) = lease.give_back(runner) {
            self.bury(evicted);
        }
    }

    /// Gives up a place for a runner that was not used, and the runner in it, if any, to others.
    pub(crate) fn give_up(&self, mut lease: RunnerLease) {
        if let Some(evicted) = lease.take_evicted() {
            self.bury(evicted);
        }
        if let Some(runner) = lease.take_item() {
            self.give_back(lease, runner);
        }
    }

    /// A place for a tenant's GPU worker, if nobody has to wait for it.
    pub(crate) fn try_lease_gpu(&self, tenant: &Tenant) -> Option<GpuLease> {
        self.gpus.try_take(tenant)
    }

    /// How many of a tenant wait.
    pub(crate) fn waiting(&self, tenant: &Tenant) -> Waiting {
        Waiting {
            compile_processes: self.compilers.waiting_of(tenant),
            runners: self.pool.waiting_of(tenant),
            gpu_workers: self.gpus.waiting_of(tenant),
        }
    }

    /// How busy the workers are.
    pub(crate) fn pools(&self) -> Pools {
        Pools {
            compile_processes: self.compilers.use_of_it(),
            runners: self.pool.use_of_it(),
            gpu_workers: self.gpus.use_of_it(),
        }
    }

    /// A place for a tenant's GPU worker.
    pub(crate) fn lease_gpu(
        &self,
        tenant: &Tenant,
        stop: &StopSignal,
    ) -> Result<GpuLease, LoadFailure> {
        self.gpus
            .take(tenant, stop)
            .map_err(|no_turn| no_turn.outcome("a GPU worker").into())
    }

    /// A GPU worker with its device open.
    pub(crate) fn gpu_worker(&self, lease: &mut GpuLease) -> Result<GpuWorker, LoadFailure> {
        if let Some(evicted) = lease.take_evicted() {
            self.keeper.run(move || drop(evicted));
        }
        if let Some(mut worker) = lease.take_item() {
            if worker.is_quiet() {
                return Ok(worker);
            }
            self.keeper.run(move || drop(worker));
        }
        let process = self.starter.start(Role::Gpu)?;
        Ok(GpuWorker::open(process, self.settings.required)?)
    }

    /// Gives a GPU worker back for the tenant's next launch.
    pub(crate) fn give_back_gpu(&self, lease: GpuLease, worker: GpuWorker) {
        if let Some(evicted) = lease.give_back(worker) {
            self.keeper.run(move || drop(evicted));
        }
    }

    /// Ends a runner where nobody waits for it.
    fn bury(&self, runner: RunnerWorker) {
        self.keeper.run(move || drop(runner));
    }

    /// Ends runners that have been idle for long.
    fn expire(&self) {
        drop(self.pool.expire(Instant::now(), IDLE_FOR));
        drop(self.gpus.expire(Instant::now(), IDLE_FOR));
    }
}

impl Evidence {
    /// What is left of a worker that failed before it did anything.
    fn of(fault: &Fault) -> Self {
        Self {
            alerts: fault.alert().into_iter().collect(),
            ..Self::default()
        }
    }
}

impl From<Outcome> for LoadFailure {
    fn from(outcome: Outcome) -> Self {
        Self::Ended(Box::new(outcome), Evidence::default())
    }
}

impl From<Fault> for LoadFailure {
    fn from(fault: Fault) -> Self {
        Self::Ended(Box::new(fault.outcome()), Evidence::of(&fault))
    }
}

impl From<NotOpened> for LoadFailure {
    fn from(failure: NotOpened) -> Self {
        let outcome = Box::new(failure.outcome());
        let evidence = match failure {
            NotOpened::Unavailable(_) => Evidence::default(),
            NotOpened::Tier(_, layers) => Evidence {
                gpu: layers.into(),
                ..Evidence::default()
            },
            NotOpened::Fault(fault) => Evidence::of(&fault),
        };
        Self::Ended(outcome, evidence)
    }
}

impl From<NotLoaded> for LoadFailure {
    fn from(failure: NotLoaded) -> Self {
        match failure {
            NotLoaded::Stale(why) => Self::Stale(why),
            NotLoaded::Misfit(why) => {
                Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, why).into()
            }
            NotLoaded::Tier(outcome) => outcome.into(),
            NotLoaded::Cancelled => cancelled("its artifact was loaded").into(),
            NotLoaded::Fault(fault) => fault.into(),
        }
    }
}

impl NoTurn {
    /// The end of a launch that got no turn at `what`.
    fn outcome(self, what: &str) -> Outcome {
        match self {
            Self::Cancelled => cancelled(&format!("it waited for {what}")),
            Self::Full(waiting) => full(&format!(
                "{waiting} launches of this tenant wait for {what} already, as many as may"
            )),
            Self::Crowded(waiting) => full(&format!(
                "{waiting} launches of all tenants wait for {what}, as many as may, and no tenant has more of them than this one"
            )),
        }
    }
}

/// The end of a launch for which there is no room in a queue: other launches of its own tenant have taken it.
fn full(why: &str) -> Outcome {
    Outcome {
        reproducible: false,
        ..Outcome::failed(
            OutcomeKind::Budget,
            Blame::Request,
            format!("{why}; retry later"),
        )
    }
}

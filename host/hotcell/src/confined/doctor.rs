//! Has real workers of each kind, locked, try one by one what they must not be able to do.

use super::compile::Compiling;
use super::fault::Fault;
use super::gpu::GpuWorker;
use super::process::{Arrived, Process};
use super::reading::{CompileTask, read_attempted};
use super::runner::{LoadOrder, NotLoaded, RunnerWorker};
use super::starter::Role;
use super::supervisor::Supervisor;
use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use crate::isolation::diagnosis::{
    Diagnosis, GpuDiagnosis, ProbeResult, TrialVerdict, WorkerDiagnosis,
};
use crate::isolation::{LoadFailure, Order};
use hotcell_model::frame::{ToCompiler, ToGpu, ToRunner};
use hotcell_model::grant::Grants;
use hotcell_model::layer::{Layer, LayerReport, LayerState, Tier, WorkerKind};
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::probe::{Attempt, Attempted, Probe};
use hotcell_model::profile::Metering;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::filter::{DriverKind, Filter};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Workers that try at the same time.
const AT_ONCE: usize = 4;
/// How long one attempt may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Tries everything in workers of each kind, whatever tier is required.
pub(super) fn diagnose(
    supervisor: &Supervisor,
    component: &Component,
) -> Result<Diagnosis, Outcome> {
    let patient = Patient {
        supervisor,
        artifact: artifact(supervisor, component)?,
        limits: Limits::defaults(Default::default()),
    };
    let kinds = [Role::Compiler, Role::Runner(Metering::default())];
    let workers = kinds.map(|role| patient.examine(role));
    Ok(Diagnosis::new(
        workers.into_iter().collect::<Result<_, _>>()?,
    ))
}

/// Tries everything in GPU workers, on whatever device they have.
pub(super) fn diagnose_gpu(supervisor: &Supervisor) -> Result<GpuDiagnosis, Outcome> {
    let open = || {
        let process = supervisor.starter.start(Role::Gpu);
        let process = process.map_err(|fault| fault.outcome())?;
        GpuWorker::open(process, Tier::Insecure).map_err(|failure| failure.outcome())
    };
    let worker = open()?;
    let (driver, layers) = (worker.driver().to_owned(), worker.layers().to_vec());
    let turns_limit = worker.turns_limit();
    let locked = || open().map(GpuWorker::into_process);
    let worker = diagnosis(WorkerKind::Gpu, layers, examine(&locked)?);
    let Diagnosis { tier, mut workers } = Diagnosis::new(vec![worker]);
    Ok(GpuDiagnosis {
        tier,
        driver,
        turns_limit,
        worker: workers.remove(0),
    })
}

/// Compiles the component for the runners to load.
fn artifact(supervisor: &Supervisor, component: &Component) -> Result<VerifiedArtifact, Outcome> {
    let (limits, tenant) = (Limits::defaults(Default::default()), Tenant::default());
    let stop = StopSignal::default();
    let order = Order {
        tenant: &tenant,
        limits: &limits,
        stop: &stop,
    };
    let process = supervisor.starter.start(Role::Compiler);
    let process = process.map_err(|fault| fault.outcome())?;
    let compiled =
        Compiling::new(process, CompileTask::Compile, order).run(component, Metering::default());
    let artifact = VerifiedArtifact::fresh(compiled.result?.bytes());
    artifact.map_err(|error| Fault::Here(error).outcome())
}

struct Patient<'a> {
    supervisor: &'a Supervisor,
    artifact: VerifiedArtifact,
    limits: Limits,
}

impl Patient<'_> {
    /// Has workers of one kind try everything, a few at a time.
    fn examine(&self, role: Role) -> Result<WorkerDiagnosis, Outcome> {
        let layers = self.locked(role)?.layers().to_vec();
        let found = examine(&|| self.locked(role))?;
        Ok(diagnosis(role.kind(), layers, found))
    }

    /// A worker that has put on everything.
    fn locked(&self, role: Role) -> Result<Process, Outcome> {
        let process = self.supervisor.starter.start(role);
        let process = process.map_err(|fault| fault.outcome())?;
        if role.kind() == WorkerKind::Compiler {
            return Ok(process);
        }
        let guest_bytes = self.limits.get(Limit::Memory);
        let artifact = self.artifact.sealed();
        let load = LoadOrder {
            artifact,
            grants: &Grants::built_in(),
            guest_bytes,
            data_bytes: self.supervisor.starter.runner_data_bytes(guest_bytes) + artifact.len(),
            required: Tier::Insecure,
            stop: &StopSignal::default(),
        };
        let loaded = RunnerWorker::load(process, &load);
        loaded.map(RunnerWorker::into_process).map_err(not_loaded)
    }
}

/// What was tried, with its position in [`Probe::ALL`].
type ProbeRun = Vec<(usize, ProbeResult)>;

/// Has workers that `locked` makes try everything, a few at a time.
fn examine(locked: &(impl Fn() -> Result<Process, Outcome> + Sync)) -> Result<ProbeRun, Outcome> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let examiners: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| probe(locked, &next, &found)))
            .collect();
        examiners.into_iter().try_for_each(|examiner| {
            examiner.join().unwrap_or_else(|_| {
                let message = "the host panicked while its walls were looked at";
                Err(Outcome::failed(
                    OutcomeKind::HostFault,
                    Blame::Host,
                    message,
                ))
            })
        })
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Tries what is next until nothing is, in one worker for as long as it lives.
fn probe(
    locked: &impl Fn() -> Result<Process, Outcome>,
    next: &AtomicUsize,
    found: &Mutex<ProbeRun>,
) -> Result<(), Outcome> {
    let mut worker = None;
    loop {
        let position = next.fetch_add(1, Ordering::Relaxed);
        let Some(probe) = Probe::ALL.get(position).copied() else {
            return Ok(());
        };
        let mut process = match worker.take() {
            Some(process) => process,
            None => locked()?,
        };
        let verdict = match attempt(&mut process, probe) {
            Ok(verdict) => {
                worker = Some(process);
                verdict
            }
            Err(Fault::Died(_, status)) => TrialVerdict::Died(status.to_string()),
            Err(fault) => return Err(fault.outcome()),
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((position, ProbeResult { probe, verdict }));
    }
}

fn not_loaded(failure: NotLoaded) -> Outcome {
    match LoadFailure::from(failure) {
        LoadFailure::Ended(outcome, _) => *outcome,
        LoadFailure::Stale(why) => {
            let message = format!("the runner does not load what the compile process made: {why}");
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
        }
    }
}

fn attempt(process: &mut Process, probe: Probe) -> Result<TrialVerdict, Fault> {
    let kind = process.kind();
    let attempt = Attempt::Probe(probe);
    match kind {
        WorkerKind::Compiler => process.send(&ToCompiler::Attempt(attempt), &[])?,
        WorkerKind::Runner => process.send(&ToRunner::Attempt(attempt), &[])?,
        WorkerKind::Gpu => process.send(&ToGpu::Attempt(attempt), &[])?,
        // A guarded process makes its attempts by itself: [`read_attempted`] has none of it.
        WorkerKind::Guarded => {}
    }
    match process.receive(Instant::now() + ANSWER_WITHIN, None)? {
        Arrived::Frame => {}
        Arrived::TimedOut | Arrived::Woken => return Err(Fault::Silent(kind, ANSWER_WITHIN)),
    }
    let (frame, descriptors) = process.frame();
    let attempted = read_attempted(frame, descriptors, kind);
    match attempted.map_err(|violation| Fault::Hostile(kind, violation))? {
        Attempted::Refused(number) => Ok(TrialVerdict::Refused(number)),
        Attempted::Succeeded(value) => Ok(TrialVerdict::Succeeded(value)),
    }
}

/// Which driver a GPU worker has: one that makes machine code cannot do without executable memory.
fn driver_kind(layers: &[LayerReport]) -> DriverKind {
    let is_enforced = |report: &LayerReport| {
        report.layer == Layer::WriteXorExecute && matches!(report.state, LayerState::Enforced(_))
    };
    match layers.iter().any(is_enforced) {
        true => DriverKind::Hardware,
        false => DriverKind::Software,
    }
}

fn diagnosis(kind: WorkerKind, layers: Vec<LayerReport>, mut found: ProbeRun) -> WorkerDiagnosis {
    found.sort_by_key(|(position, _)| *position);
    let filter = match kind {
        WorkerKind::Compiler => Filter::compiler(),
        WorkerKind::Runner => Filter::runner(),
        WorkerKind::Gpu => Filter::gpu(driver_kind(&layers)),
        WorkerKind::Guarded => Filter::guarded(&[]),
    };
    WorkerDiagnosis {
        kind,
        build: BUILD_ID.iter().map(|byte| format!("{byte:02x}")).collect(),
        layers,
        allowed_calls: filter.allowed_calls(),
        probes: found.into_iter().map(|(_, result)| result).collect(),
    }
}

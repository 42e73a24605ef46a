//! Has real workers of each kind, locked, try one by one what they must not be able to do.

use super::compile::Compiling;
use super::reading::{Asked, read_attempted};
use super::runner::{Load, NotLoaded, Runner};
use super::supervisor::Supervisor;
use super::worker::{Arrived, Fault, Process};
use super::workers::Role;
use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use crate::diagnosis::{Diagnosis, ProbeResult, Verdict, WorkerDiagnosis};
use crate::isolation::{LoadFailure, Order};
use hotcell_model::frame::{ToCompiler, ToRunner, WorkerKind};
use hotcell_model::grant::Grants;
use hotcell_model::layer::{LayerReport, Tier};
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::probe::{Attempt, Attempted, Probe};
use hotcell_model::profile::Metering;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::filter::Filter;
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

/// Compiles the component for the runners to load.
fn artifact(supervisor: &Supervisor, component: &Component) -> Result<VerifiedArtifact, Outcome> {
    let (limits, tenant) = (Limits::defaults(Default::default()), Tenant::default());
    let stop = StopSignal::default();
    let order = Order {
        tenant: &tenant,
        limits: &limits,
        stop: &stop,
    };
    let process = supervisor.workers.start(Role::Compiler);
    let process = process.map_err(|fault| fault.outcome())?;
    let compiled =
        Compiling::new(process, Asked::Compile, order).run(component, Metering::default());
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
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let examiners: Vec<_> = (0..AT_ONCE)
                .map(|_| scope.spawn(|| self.probe(role, &next, &found)))
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
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(diagnosis(role.kind(), layers, found))
    }

    /// Tries what is next until nothing is, in one worker for as long as it lives.
    fn probe(
        &self,
        role: Role,
        next: &AtomicUsize,
        found: &Mutex<Vec<(usize, ProbeResult)>>,
    ) -> Result<(), Outcome> {
        let mut worker = None;
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(probe) = Probe::ALL.get(position).copied() else {
                return Ok(());
            };
            let mut process = match worker.take() {
                Some(process) => process,
                None => self.locked(role)?,
            };
            let verdict = match attempt(&mut process, probe) {
                Ok(verdict) => {
                    worker = Some(process);
                    verdict
                }
                Err(Fault::Died(_, status)) => Verdict::Died(status.to_string()),
                Err(fault) => return Err(fault.outcome()),
            };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push((position, ProbeResult { probe, verdict }));
        }
    }

    /// A worker that has put on everything.
    fn locked(&self, role: Role) -> Result<Process, Outcome> {
        let process = self.supervisor.workers.start(role);
        let process = process.map_err(|fault| fault.outcome())?;
        if role.kind() == WorkerKind::Compiler {
            return Ok(process);
        }
        let guest_bytes = self.limits.get(Limit::Memory);
        let artifact = self.artifact.sealed();
        let load = Load {
            artifact,
            grants: &Grants::built_in(),
            guest_bytes,
            data_bytes: self.supervisor.workers.runner_data_bytes(guest_bytes) + artifact.len(),
            required: Tier::Insecure,
            stop: &StopSignal::default(),
        };
        let loaded = Runner::load(process, &load);
        loaded.map(Runner::into_process).map_err(not_loaded)
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

fn attempt(process: &mut Process, probe: Probe) -> Result<Verdict, Fault> {
    let kind = process.kind();
    let attempt = Attempt::Probe(probe);
    match kind {
        WorkerKind::Compiler => process.send(&ToCompiler::Attempt(attempt), &[])?,
        WorkerKind::Runner => process.send(&ToRunner::Attempt(attempt), &[])?,
    }
    match process.receive(Instant::now() + ANSWER_WITHIN, None)? {
        Arrived::Frame => {}
        Arrived::TimedOut | Arrived::Woken => return Err(Fault::Silent(kind, ANSWER_WITHIN)),
    }
    let (frame, descriptors) = process.frame();
    let attempted = read_attempted(frame, descriptors, kind);
    match attempted.map_err(|violation| Fault::Hostile(kind, violation))? {
        Attempted::Refused(number) => Ok(Verdict::Refused(number)),
        Attempted::Succeeded(value) => Ok(Verdict::Succeeded(value)),
    }
}

fn diagnosis(
    kind: WorkerKind,
    layers: Vec<LayerReport>,
    mut found: Vec<(usize, ProbeResult)>,
) -> WorkerDiagnosis {
    found.sort_by_key(|(position, _)| *position);
    let filter = match kind {
        WorkerKind::Compiler => Filter::compiler(),
        WorkerKind::Runner => Filter::runner(),
    };
    WorkerDiagnosis {
        kind,
        build: BUILD_ID.iter().map(|byte| format!("{byte:02x}")).collect(),
        layers,
        allowed_calls: filter.allowed_calls(),
        probes: found.into_iter().map(|(_, result)| result).collect(),
    }
}

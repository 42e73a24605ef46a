//! A component that runners of the pool run, one launch at a time each.

use super::gpu::GpuSession;
use super::parcel::Parcel;
use super::reading::Expected;
use super::runner::Watching;
use super::settle::{Known, settle};
use super::supervisor::{GpuLease, RunnerLease, Supervisor};
use crate::artifacts::VerifiedArtifact;
use crate::cell::LoadedKey;
use crate::isolation::{LoadFailure, Loaded, Order, Ran, not_run};
use crate::settle::nanoseconds;
use hotcell_model::gpu::NamedShader;
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobData, Observer, Source};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A verified artifact, and where its runners are.
pub(crate) struct ConfinedKernel {
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) key: LoadedKey,
    pub(crate) artifact: Arc<VerifiedArtifact>,
}

/// A kernel with a runner that has it loaded, kept for the launch that had it loaded: so that this one waits for a
/// runner once. What is not used is given back.
struct Ready {
    kernel: Arc<ConfinedKernel>,
    lease: Mutex<Option<RunnerLease>>,
}

impl Loaded for ConfinedKernel {
    fn shared(self: Arc<Self>) -> Arc<dyn Loaded> {
        self
    }

    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Ran {
        self.run_with(None, job, data, signal, observer)
    }
}

impl Loaded for Ready {
    fn shared(self: Arc<Self>) -> Arc<dyn Loaded> {
        Arc::clone(&self.kernel) as Arc<dyn Loaded>
    }

    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Ran {
        let kernel = &self.kernel;
        kernel.run_with(self.take(), job, data, signal, observer)
    }
}

impl Ready {
    fn take(&self) -> Option<RunnerLease> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.take()
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(lease) = self.take() {
            self.kernel.supervisor.give_up(lease);
        }
    }
}

impl ConfinedKernel {
    /// Has a runner load the artifact now, so that one that does not load is known before anything depends on it.
    pub(crate) fn load(self: Arc<Self>, order: Order<'_>) -> Result<Arc<dyn Loaded>, LoadFailure> {
        let mut lease = self.supervisor.lease(&self.key, order.stop)?;
        let runner = self
            .supervisor
            .runner(&mut lease, &self.key, &self.artifact, order)?;
        lease.hold(runner);
        Ok(Arc::new(Ready {
            kernel: self,
            lease: Mutex::new(Some(lease)),
        }))
    }

    fn run_with(
        &self,
        lease: Option<RunnerLease>,
        job: &Job,
        data: &JobData,
        signal: &StopSignal,
        observer: &Arc<dyn Observer>,
    ) -> Ran {
        self.try_run(lease, job, data, signal, observer.as_ref())
            .unwrap_or_else(|failure| match failure {
                LoadFailure::Ended(outcome, evidence) => Ran {
                    finished: not_run(*outcome),
                    evidence,
                },
                LoadFailure::Stale(why) => {
                    let message = format!("an artifact that was loaded before is stale: {why}");
                    let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Host, message);
                    Ran::from(not_run(outcome))
                }
            })
    }

    fn try_run(
        &self,
        mut ready: Option<RunnerLease>,
        job: &Job,
        data: &JobData,
        signal: &StopSignal,
        observer: &dyn Observer,
    ) -> Result<Ran, LoadFailure> {
        let supervisor = &self.supervisor;
        let order = Order {
            tenant: &self.key.tenant,
            limits: &job.limits,
            stop: signal,
        };
        let gpu_lease = match job.grants.has(Capability::Gpu) {
            true => Some(self.lease_gpu(&mut ready, signal)?),
            false => None,
        };
        let mut lease = match ready {
            Some(lease) => lease,
            None => supervisor.lease(&self.key, signal)?,
        };
        let begin = Instant::now();
        let mut runner = supervisor.runner(&mut lease, &self.key, &self.artifact, order)?;
        let load_ns = nanoseconds(begin.elapsed());
        let id = runner.next_id();
        let parcel = match Parcel::pack(id, job, data, runner.outgoing()) {
            Ok(parcel) => parcel,
            Err(outcome) => {
                supervisor.give_back(lease, runner);
                return Err(outcome.into());
            }
        };
        let mut gpu = None;
        if let Some(gpu_lease) = gpu_lease {
            match self.begin_gpu(gpu_lease, job, &data.shaders, &parcel) {
                Ok(begun) => gpu = Some(begun),
                Err(failure) => {
                    supervisor.give_back(lease, runner);
                    return Err(failure);
                }
            }
        }
        let expected = Expected {
            id,
            inline: parcel.inline(),
            limits: job.limits.clone(),
            chunks: job.split.as_ref().map_or(1, |split| split.chunks() as u64),
        };
        let kill_grace = supervisor.settings.kill_grace;
        let channel = gpu.as_ref().map(|(_, session)| session.channel());
        let mut descriptors = Vec::from_iter(channel.map(|channel| channel.as_fd()));
        descriptors.extend(parcel.descriptors());
        let watching = Watching {
            kill_grace,
            gpu: channel,
            stop: signal,
            observer,
        };
        let launched = runner.launch(&descriptors, expected, job, &watching);
        drop(descriptors);
        // Whose end was not read may still be at the launch.
        let has_ended = launched.end.is_ok();
        let known = Known {
            job,
            has_fuel: self.key.metering.has_fuel(),
            has_files: data
                .sources
                .iter()
                .any(|source| matches!(source, Source::File { .. })),
            was_cancelled: signal.cancelled_at().is_some(),
        };
        // Before the outputs are sealed: the GPU worker has them mapped until then.
        let gpu = gpu.map(|(lease, session)| (lease, session.end(signal)));
        let mut ran = settle(launched, parcel.outputs, known, runner.pauses());
        ran.finished.timings.load_ns = load_ns;
        ran.evidence.runner = Arc::clone(runner.layers());
        let gpu = gpu.map(|(lease, mut gpu)| {
            let worker = gpu.take_worker();
            gpu.conclude(job, &mut ran.finished, &mut ran.evidence);
            (lease, worker)
        });
        // Which of the two workers gave reason for an alert is not always to be told.
        let is_clean = ran.evidence.alerts.is_empty();
        match has_ended && is_clean {
            true => supervisor.give_back(lease, runner),
            // Killed at once, whatever it is doing.
            false => drop(runner),
        }
        match gpu {
            Some((lease, Some(worker))) if is_clean => supervisor.give_back_gpu(lease, worker),
            gpu => drop(gpu),
        }
        Ok(ran)
    }

    /// A place for a GPU worker. It comes before one for a runner, and in place of one that is ready: who waits for a
    /// GPU keeps no runner from others.
    fn lease_gpu(
        &self,
        ready: &mut Option<RunnerLease>,
        signal: &StopSignal,
    ) -> Result<GpuLease, LoadFailure> {
        let (supervisor, tenant) = (&self.supervisor, &self.key.tenant);
        if let Some(lease) = supervisor.try_lease_gpu(tenant) {
            return Ok(lease);
        }
        if let Some(lease) = ready.take() {
            supervisor.give_up(lease);
        }
        supervisor.lease_gpu(tenant, signal)
    }

    /// Has a GPU worker of the tenant serve the launch.
    fn begin_gpu(
        &self,
        mut lease: GpuLease,
        job: &Job,
        shaders: &[NamedShader],
        parcel: &Parcel,
    ) -> Result<(GpuLease, GpuSession), LoadFailure> {
        let worker = self.supervisor.gpu_worker(&mut lease)?;
        let session = worker.begin(job, shaders, parcel)?;
        Ok((lease, session))
    }
}

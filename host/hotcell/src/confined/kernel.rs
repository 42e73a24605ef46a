//! A component that runners of the pool run, one launch at a time each.

use super::acceptance::{Known, accept};
use super::parcel::Parcel;
use super::reading::Expected;
use super::runner::{Measured, RunnerWorker, Watching};
use super::sessions::{Seats, Sessions};
use super::supervisor::{RunnerLease, Supervisor};
use crate::artifacts::VerifiedArtifact;
use crate::isolation::{LoadFailure, Loaded, LoadedKey, Order, Ran};
use hotcell_model::job::{Job, JobData, Observer, RunEnd, Source};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
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
        let launching = Launching {
            job,
            data,
            stop: signal,
            observer: observer.as_ref(),
        };
        self.run_with(None, launching)
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
        let launching = Launching {
            job,
            data,
            stop: signal,
            observer: observer.as_ref(),
        };
        self.kernel.run_with(self.take(), launching)
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

/// A launch as a kernel gets it.
#[derive(Clone, Copy)]
struct Launching<'a> {
    job: &'a Job,
    data: &'a JobData,
    stop: &'a StopSignal,
    observer: &'a dyn Observer,
}

/// A runner with the artifact loaded, in its place.
struct Seated {
    lease: RunnerLease,
    runner: RunnerWorker,
}

impl ConfinedKernel {
    /// Has a runner load the artifact now, so that one that does not load is known before anything depends on it.
    pub(crate) fn load(self: Arc<Self>, order: Order<'_>) -> Result<Arc<dyn Loaded>, LoadFailure> {
        let Seated { mut lease, runner } = self.take_runner(None, order)?;
        lease.hold(runner);
        Ok(Arc::new(Ready {
            kernel: self,
            lease: Mutex::new(Some(lease)),
        }))
    }

    fn run_with(&self, ready: Option<RunnerLease>, launching: Launching<'_>) -> Ran {
        self.try_run(ready, launching)
            .unwrap_or_else(|failure| match failure {
                LoadFailure::Ended(outcome, evidence) => Ran {
                    end: RunEnd::not_run(*outcome),
                    evidence,
                },
                LoadFailure::Stale(why) => {
                    let message = format!("an artifact that was loaded before is stale: {why}");
                    let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Host, message);
                    Ran::from(RunEnd::not_run(outcome))
                }
            })
    }

    /// One launch: places are taken, the parcel is packed, sessions begin, the runner runs, sessions end, what came is
    /// accepted, and the workers are given back.
    fn try_run(
        &self,
        mut ready: Option<RunnerLease>,
        launching: Launching<'_>,
    ) -> Result<Ran, LoadFailure> {
        let (supervisor, job) = (&self.supervisor, launching.job);
        let order = Order {
            tenant: &self.key.tenant,
            limits: &job.limits,
            stop: launching.stop,
        };
        // Before one for a runner: who waits for another worker keeps no runner from others.
        let seats = Seats::prepare(supervisor, job, &mut ready, order)?;
        let begin = Instant::now();
        let mut seated = self.take_runner(ready, order)?;
        let load_ns = nanoseconds(begin.elapsed());
        let id = seated.runner.next_id();
        let begun = Parcel::pack(
            id,
            job,
            launching.data,
            &seats.capabilities(),
            &supervisor.zeroed,
            seated.runner.outgoing(),
        )
        .map_err(LoadFailure::from)
        .and_then(|parcel| {
            Ok((
                seats.begin(supervisor, job, launching.data, &parcel)?,
                parcel,
            ))
        });
        let (sessions, parcel) = match begun {
            Ok(begun) => begun,
            Err(failure) => {
                supervisor.give_back(seated.lease, seated.runner);
                return Err(failure);
            }
        };
        let measured = self.run(&mut seated.runner, id, &parcel, &sessions, launching);
        // Whose end was not read may still be at the launch.
        let has_ended = measured.end.is_ok();
        // Before the outputs are sealed: other workers have them mapped until then.
        let known = self.known(launching);
        let mut accounts = sessions.end(launching.stop);
        let mut ran = accept(measured, parcel.outputs, known, seated.runner.pauses());
        ran.end.timings.load_ns = load_ns;
        ran.evidence.runner = Arc::clone(seated.runner.layers());
        accounts.conclude(job, &mut ran);
        // Which of the workers gave reason for an alert is not always to be told.
        let is_clean = ran.evidence.alerts.is_empty();
        match has_ended && is_clean {
            true => supervisor.give_back(seated.lease, seated.runner),
            // Killed at once, whatever it is doing.
            false => drop(seated),
        }
        match is_clean {
            true => accounts.give_back(supervisor),
            false => drop(accounts),
        }
        Ok(ran)
    }

    /// A runner with the artifact loaded: in the place that is held, or in one that is waited for.
    fn take_runner(
        &self,
        ready: Option<RunnerLease>,
        order: Order<'_>,
    ) -> Result<Seated, LoadFailure> {
        let supervisor = &self.supervisor;
        let mut lease = match ready {
            Some(lease) => lease,
            None => supervisor.lease(&self.key, order.stop)?,
        };
        let runner = supervisor.runner(&mut lease, &self.key, &self.artifact, order)?;
        Ok(Seated { lease, runner })
    }

    /// Sends the launch to the runner and stays with it to its end.
    fn run(
        &self,
        runner: &mut RunnerWorker,
        id: u64,
        parcel: &Parcel,
        sessions: &Sessions,
        launching: Launching<'_>,
    ) -> Measured {
        let job = launching.job;
        let expected = Expected {
            id,
            inline: parcel.inline(),
            limits: job.limits.clone(),
            chunks: job.split.as_ref().map_or(1, |split| split.chunks() as u64),
            sample_every: job.sample_every,
        };
        let channels = sessions.channels();
        let channel_ends = channels.iter().map(|channel| channel.as_fd());
        let descriptors: Vec<_> = channel_ends.chain(parcel.descriptors()).collect();
        let watching = Watching {
            kill_grace: self.supervisor.settings.kill_grace,
            sessions: &channels,
            stop: launching.stop,
            observer: launching.observer,
        };
        runner.launch(&descriptors, expected, job, &watching)
    }

    /// What is known of the launch beside what was measured.
    fn known<'a>(&self, launching: Launching<'a>) -> Known<'a> {
        let sources = &launching.data.sources;
        let is_file = |source: &Source| matches!(source, Source::File { .. });
        Known {
            job: launching.job,
            has_fuel: self.key.metering.has_fuel(),
            has_files: sources.iter().any(is_file),
            was_cancelled: launching.stop.cancelled_at().is_some(),
        }
    }
}

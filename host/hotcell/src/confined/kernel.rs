//! A component that runners of the pool run, one launch at a time each.

use super::parcel::Parcel;
use super::reading::Expected;
use super::settle::settle;
use super::supervisor::Supervisor;
use crate::artifacts::VerifiedArtifact;
use crate::cell::LoadedKey;
use crate::isolation::{LoadFailure, Loaded, Order, Ran, not_run};
use crate::settle::nanoseconds;
use hotcell_model::job::{Job, JobData, Observer};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use std::sync::Arc;
use std::time::Instant;

/// A verified artifact, and where its runners are.
pub(crate) struct ConfinedKernel {
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) key: LoadedKey,
    pub(crate) artifact: Arc<VerifiedArtifact>,
}

impl Loaded for ConfinedKernel {
    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Ran {
        self.try_run(job, data, signal, observer.as_ref())
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
}

impl ConfinedKernel {
    /// Has a runner load the artifact now, so that one that does not load is known before anything depends on it.
    pub(crate) fn load(&self, order: Order<'_>) -> Result<(), LoadFailure> {
        let mut lease = self.supervisor.lease(&self.key, order.stop)?;
        let runner = self
            .supervisor
            .runner(&mut lease, &self.key, &self.artifact, order)?;
        self.supervisor.give_back(lease, runner);
        Ok(())
    }

    fn try_run(
        &self,
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
        let mut lease = supervisor.lease(&self.key, signal)?;
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
        let expected = Expected {
            id,
            inline: parcel.inline(),
            limits: job.limits.clone(),
        };
        let kill_grace = supervisor.settings.kill_grace;
        let descriptors = parcel.descriptors();
        let launched = runner.launch(&descriptors, expected, job, kill_grace, signal, observer);
        drop(descriptors);
        // Whose end was not read may still be at the launch.
        let has_ended = launched.end.is_ok();
        let was_cancelled = signal.cancelled_at().is_some();
        let has_fuel = self.key.metering.has_fuel();
        let mut ran = settle(launched, parcel.outputs, job, has_fuel, was_cancelled);
        ran.finished.timings.load_ns = load_ns;
        ran.evidence.runner = Arc::clone(runner.layers());
        match has_ended && ran.evidence.alerts.is_empty() {
            true => supervisor.give_back(lease, runner),
            // Killed at once, whatever it is doing.
            false => drop(runner),
        }
        Ok(ran)
    }
}

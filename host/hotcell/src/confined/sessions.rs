//! Capabilities whose work is done outside of the runner, by a worker of its own or by a thread of this process: prepared,
//! linked to the launch, ended and accounted for, in that order.
//!
//! Such a capability has its file, which implements [`Seat`], [`WorkerSession`] and [`Account`], and a line in
//! [`PREPARE`]. Nothing else of the supervisor knows which capabilities these are.

use super::parcel::Parcel;
use super::supervisor::{RunnerLease, Supervisor};
use super::{files, gpu};
use crate::isolation::{LoadFailure, Order, Ran};
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobData};
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::channel::Channel;
use std::sync::Arc;

/// A place for a worker, held for one launch.
pub(crate) trait Seat {
    /// What it is for.
    fn capability(&self) -> Capability;

    /// Has a worker of the tenant's serve the launch.
    fn begin(
        self: Box<Self>,
        supervisor: &Arc<Supervisor>,
        job: &Job,
        data: &JobData,
        parcel: &Parcel,
    ) -> Result<Box<dyn WorkerSession>, LoadFailure>;
}

/// A worker that serves the launch.
pub(crate) trait WorkerSession {
    /// The end of its channel that the runner gets. To hang up ends the work.
    fn channel(&self) -> &Channel;

    /// Ends the work, and waits until the worker has let go of the launch's memory; one that does not is killed.
    fn end(self: Box<Self>, stop: &StopSignal) -> Box<dyn Account>;
}

/// What came of a session.
pub(crate) trait Account {
    /// Puts what the worker said beside what the runner said.
    fn conclude(&mut self, job: &Job, ran: &mut Ran);

    /// Gives the worker back for the tenant's next launch. One that is not given back is killed.
    fn give_back(self: Box<Self>, supervisor: &Supervisor);
}

/// Holds a place, if the launch was granted the capability. A launch that has to wait for it first gives up the runner
/// that it has ready: who waits for one worker keeps no other from others.
type Prepare = fn(
    &Supervisor,
    &Job,
    &mut Option<RunnerLease>,
    Order<'_>,
) -> Result<Option<Box<dyn Seat>>, LoadFailure>;

/// Every capability of that kind.
const PREPARE: [Prepare; 2] = [gpu::prepare, files::prepare];

/// The places of a launch.
pub(crate) struct Seats(Vec<Box<dyn Seat>>);

/// The sessions of a launch.
pub(crate) struct Sessions(Vec<Box<dyn WorkerSession>>);

/// What came of them.
pub(crate) struct Accounts(Vec<Box<dyn Account>>);

impl Seats {
    /// Holds what the launch needs.
    pub(crate) fn prepare(
        supervisor: &Supervisor,
        job: &Job,
        ready: &mut Option<RunnerLease>,
        order: Order<'_>,
    ) -> Result<Self, LoadFailure> {
        let seats = PREPARE.iter();
        let seats = seats.filter_map(|prepare| prepare(supervisor, job, ready, order).transpose());
        Ok(Self(seats.collect::<Result<_, _>>()?))
    }

    /// What they are for, in order.
    pub(crate) fn capabilities(&self) -> Vec<Capability> {
        self.0.iter().map(|seat| seat.capability()).collect()
    }

    /// Has every worker serve the launch.
    pub(crate) fn begin(
        self,
        supervisor: &Arc<Supervisor>,
        job: &Job,
        data: &JobData,
        parcel: &Parcel,
    ) -> Result<Sessions, LoadFailure> {
        let seats = self.0.into_iter();
        let sessions = seats.map(|seat| seat.begin(supervisor, job, data, parcel));
        Ok(Sessions(sessions.collect::<Result<_, _>>()?))
    }
}

impl Sessions {
    /// The runner's ends of their channels, in the order of the capabilities.
    pub(crate) fn channels(&self) -> Vec<&Channel> {
        self.0.iter().map(|session| session.channel()).collect()
    }

    /// Ends all of the work.
    pub(crate) fn end(self, stop: &StopSignal) -> Accounts {
        let sessions = self.0.into_iter();
        Accounts(sessions.map(|session| session.end(stop)).collect())
    }
}

impl Accounts {
    /// Puts what the workers said beside what the runner said.
    pub(crate) fn conclude(&mut self, job: &Job, ran: &mut Ran) {
        self.0
            .iter_mut()
            .for_each(|account| account.conclude(job, ran));
    }

    /// Gives the workers back.
    pub(crate) fn give_back(self, supervisor: &Supervisor) {
        self.0
            .into_iter()
            .for_each(|account| account.give_back(supervisor));
    }
}

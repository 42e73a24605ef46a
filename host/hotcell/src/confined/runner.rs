//! One runner: a confined process with one artifact loaded, and one launch at a time.

use super::fault::Fault;
use super::pauses::Pauses;
use super::process::{Arrived, Process};
use super::reading::{Expected, Heard, LaunchReading, LoadAnswer, read_loaded};
use super::tier::check_tier;
use crate::bell::OnCancel;
use bytes::Bytes;
use hotcell_model::frame::{Cancel, LoadRequest, ToRunner, encode};
use hotcell_model::grant::Grants;
use hotcell_model::job::{Job, Observer, RunEnd};
use hotcell_model::layer::{Layer, LayerReport, Tier, WorkerKind};
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::LogLine;
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::channel::{Channel, Wake};
use hotcell_sandbox::memory::SealedMemory;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a runner may take to load an artifact and lock.
const LOADING_WITHIN: Duration = Duration::from_secs(10);
/// From the deadline to the end of a runner's waits for other workers: these keep the same deadline, and tell it more if
/// they come first.
const HANG_UP_GRACE: Duration = Duration::from_millis(100);
/// A supervisor that looks so late at a deadline could not look earlier.
pub(crate) const OVERSLEPT: Duration = Duration::from_millis(20);
/// CPU time that a runner may spend between launches: its ticker goes on for a tenth of a second.
const IDLE_CPU: Duration = Duration::from_millis(50);

/// A loaded and locked runner. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct RunnerWorker {
    process: Process,
    layers: Arc<[LayerReport]>,
    wake: Arc<Wake>,
    /// The most memory that a guest can have in it.
    guest_bytes: u64,
    /// The most private memory that it can have.
    data_bytes: u64,
    /// Its CPU time when it last had nothing to do.
    rested_at: Option<Duration>,
    /// What pauses of the machine may have added to that.
    pauses: Pauses,
    /// Counts launches: their ids.
    launches: u64,
}

/// What a runner is to load.
pub(crate) struct LoadOrder<'a> {
    pub(crate) artifact: &'a SealedMemory,
    pub(crate) grants: &'a Grants,
    /// The most memory that a guest may have, and that the process may have with it.
    pub(crate) guest_bytes: u64,
    pub(crate) data_bytes: u64,
    pub(crate) required: Tier,
    pub(crate) stop: &'a StopSignal,
}

/// Why a runner has not loaded an artifact.
pub(crate) enum NotLoaded {
    /// The artifact is another engine's.
    Stale(String),
    /// The component does not fit this host's interfaces.
    Misfit(String),
    /// The walls are too low.
    Tier(Outcome),
    /// The launch was cancelled.
    Cancelled,
    /// The runner failed.
    Fault(Fault),
}

impl From<Fault> for NotLoaded {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How a launch ended here, with what was measured from outside.
pub(crate) struct Measured {
    pub(crate) end: Result<RunEnd<Bytes>, Stopped>,
    pub(crate) lines: Vec<LogLine>,
    pub(crate) wall: Duration,
    pub(crate) cpu: Option<Duration>,
    /// Whether the runner's channels to other workers were closed from here.
    pub(crate) has_hung_up: bool,
}

/// Why a launch has no end of its runner's.
pub(crate) enum Stopped {
    /// The runner failed.
    Fault(Fault),
    /// The deadline and its grace passed.
    TimedOut(Duration),
    /// The grace after a cancel passed.
    Cancelled,
}

impl RunnerWorker {
    /// Has a fresh runner load an artifact and lock. Nothing hostile reaches it before its walls were looked at.
    pub(crate) fn load(mut process: Process, load: &LoadOrder<'_>) -> Result<Self, NotLoaded> {
        let kind = WorkerKind::Runner;
        check_tier(process.layers(), Some(Layer::Filter), load.required, kind)
            .map_err(NotLoaded::Tier)?;
        let bounded = process.worker().limit_memory(load.data_bytes, None);
        bounded.map_err(|error| Fault::Start(kind, error))?;
        process.limit_cgroup(load.data_bytes)?;
        let wake = Arc::new(Wake::new().map_err(Fault::Here)?);
        let waker = Arc::clone(&wake);
        let waking = OnCancel::call(load.stop, move || waker.wake());
        let request = ToRunner::Load(LoadRequest {
            artifact_bytes: load.artifact.len(),
            grants: load.grants.clone(),
        });
        process.send(&request, &[load.artifact.as_fd()])?;
        let later = Self::wait_loaded(&mut process, &wake, load.stop)?;
        drop(waking);
        wake.clear();
        process.add_layers(later);
        check_tier(process.layers(), None, load.required, kind).map_err(NotLoaded::Tier)?;
        Ok(Self {
            layers: process.layers().into(),
            wake,
            rested_at: process.worker().cpu_time(),
            process,
            guest_bytes: load.guest_bytes,
            data_bytes: load.data_bytes,
            pauses: Pauses::default(),
            launches: 0,
        })
    }

    fn wait_loaded(
        process: &mut Process,
        wake: &Wake,
        stop: &StopSignal,
    ) -> Result<Vec<LayerReport>, NotLoaded> {
        let kind = WorkerKind::Runner;
        let deadline = Instant::now() + LOADING_WITHIN;
        loop {
            match process.receive(deadline, Some(wake))? {
                Arrived::Frame => break,
                Arrived::TimedOut => return Err(Fault::Silent(kind, LOADING_WITHIN).into()),
                Arrived::Woken if stop.cancelled_at().is_some() => {
                    return Err(NotLoaded::Cancelled);
                }
                Arrived::Woken => wake.clear(),
            }
        }
        let (frame, descriptors) = process.frame();
        match read_loaded(frame, descriptors) {
            Ok(LoadAnswer::Ready(layers)) => Ok(layers),
            Ok(LoadAnswer::Stale(why)) => Err(NotLoaded::Stale(why)),
            Ok(LoadAnswer::Misfit(why)) => Err(NotLoaded::Misfit(why)),
            Ok(LoadAnswer::Failed(why)) => Err(Fault::Failed(kind, why).into()),
            Err(violation) => Err(Fault::Hostile(kind, violation).into()),
        }
    }

    /// Whether it waits, alive and silent, and can give a guest that much memory.
    pub(crate) fn serves(&mut self, guest_bytes: u64) -> bool {
        guest_bytes <= self.guest_bytes && self.is_idle() && self.process.is_quiet()
    }

    /// Whether it has done next to nothing since its last launch. What it did would be charged to nobody.
    fn is_idle(&self) -> bool {
        let now = self.process.worker().cpu_time();
        let spent = self
            .rested_at
            .zip(now)
            .map(|(then, now)| now.saturating_sub(then));
        spent.is_none_or(|spent| spent <= IDLE_CPU)
    }

    /// Its layers, in order.
    pub(crate) fn layers(&self) -> &Arc<[LayerReport]> {
        &self.layers
    }

    /// What it may still be excused.
    pub(crate) fn pauses(&mut self) -> &mut Pauses {
        &mut self.pauses
    }

    /// The process, locked.
    pub(crate) fn into_process(self) -> Process {
        self.process
    }

    /// The number of the next launch.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.launches += 1;
        self.launches
    }

    /// Where the request of a launch is written.
    pub(crate) fn outgoing(&mut self) -> &mut Vec<u8> {
        self.process.outgoing()
    }

    /// Sends the request that was written, and stays with the launch to its end.
    pub(crate) fn launch(
        &mut self,
        descriptors: &[BorrowedFd<'_>],
        expected: Expected,
        job: &Job,
        watching: &Watching<'_>,
    ) -> Measured {
        let Watching {
            kill_grace,
            sessions,
            stop,
            observer,
        } = *watching;
        let before = self.process.worker().cpu_time();
        let waker = Arc::clone(&self.wake);
        let waking = OnCancel::call(stop, move || waker.wake());
        let started = Instant::now();
        let mut watch = LaunchWatch {
            id: expected.id,
            reading: LaunchReading::new(expected),
            sessions,
            hang_up: (!sessions.is_empty()).then(|| {
                let timeout = job.limits.duration(Limit::Timeout);
                started + timeout + HANG_UP_GRACE.min(kill_grace / 2)
            }),
            deadline: started + job.limits.duration(Limit::Timeout) + kill_grace,
            kill_grace,
            quiet_from: started + job.limits.duration(Limit::Timeout) + kill_grace / 2,
            is_extended: false,
            has_hung_up: false,
            stop_grace: job.stop_grace,
            cancel_grace: job.stop_grace + kill_grace,
            is_cancelled: false,
            started,
            stop,
            observer,
            lines: Vec::new(),
        };
        let written = job.arrays.iter().filter(|array| array.is_written);
        let written = written.fold(0, |sum: u64, array| sum.saturating_add(array.size_bytes));
        // Outputs are charged to who writes to them first.
        let bounded = self
            .process
            .limit_cgroup(self.data_bytes.saturating_add(written));
        let sent = bounded.and_then(|()| self.process.send_encoded(descriptors));
        let end = match sent {
            Ok(()) => watch.wait(&mut self.process, &self.wake),
            Err(fault) => Err(Stopped::Fault(fault)),
        };
        let wall = started.elapsed();
        drop(waking);
        let after = self.process.worker().cpu_time();
        let after = after.or_else(|| self.process.exit().map(|exit| exit.cpu));
        let cpu = before.zip(after);
        self.rested_at = after;
        Measured {
            end,
            lines: watch.lines,
            wall,
            cpu: cpu.map(|(before, after)| after.saturating_sub(before)),
            has_hung_up: watch.has_hung_up,
        }
    }
}

/// What the supervisor needs beside a running launch.
pub(crate) struct Watching<'a> {
    /// From the deadline to the kill.
    pub(crate) kill_grace: Duration,
    /// The runner's channels to other workers.
    pub(crate) sessions: &'a [&'a Channel],
    pub(crate) stop: &'a StopSignal,
    pub(crate) observer: &'a dyn Observer,
}

/// The supervisor's place beside a running launch.
struct LaunchWatch<'a> {
    id: u64,
    reading: LaunchReading,
    sessions: &'a [&'a Channel],
    /// When the runner's waits for other workers end: it could not be interrupted there.
    hang_up: Option<Instant>,
    /// When the runner is killed.
    deadline: Instant,
    kill_grace: Duration,
    /// From when on nobody is told any more what the guest says: what an observer takes for it is not the runner's time,
    /// which may wait for room to say that it has ended. The report has it all the same.
    quiet_from: Instant,
    /// Whether the deadline was moved, since it passed while nobody here could look.
    is_extended: bool,
    /// Whether the runner's channels to other workers were closed.
    has_hung_up: bool,
    stop_grace: Duration,
    /// From a cancel to the kill.
    cancel_grace: Duration,
    is_cancelled: bool,
    started: Instant,
    stop: &'a StopSignal,
    observer: &'a dyn Observer,
    lines: Vec<LogLine>,
}

impl LaunchWatch<'_> {
    fn wait(&mut self, process: &mut Process, wake: &Wake) -> Result<RunEnd<Bytes>, Stopped> {
        loop {
            // Looked at after every frame, so that no flood of them holds off the end.
            let now = Instant::now();
            if now >= self.deadline && !self.extend(now) {
                return Err(match self.is_cancelled {
                    true => Stopped::Cancelled,
                    false => Stopped::TimedOut(now - self.started),
                });
            }
            let mut until = self.deadline;
            if let Some(at) = self.hang_up {
                if now >= at {
                    for session in self.sessions {
                        // The other worker may have hung up itself.
                        let _ = session.shutdown();
                    }
                    self.hang_up = None;
                    self.has_hung_up = true;
                } else {
                    until = until.min(at);
                }
            }
            match process.receive(until, Some(wake)) {
                Ok(Arrived::Frame) => {
                    if let Some(end) = self.read(process)? {
                        return Ok(end);
                    }
                }
                Ok(Arrived::TimedOut) => {}
                Ok(Arrived::Woken) => wake.clear(),
                Err(fault) => return Err(Stopped::Fault(fault)),
            }
            if self.stop.cancelled_at().is_some() && !self.is_cancelled {
                self.cancel(process);
            }
        }
    }

    /// Whether the runner gets another grace period: once, where this process itself slept through the deadline.
    /// Then the machine was paused or is overloaded, and the answer may lie there, or could not be given in time.
    fn extend(&mut self, now: Instant) -> bool {
        let overslept = now.saturating_duration_since(self.deadline) >= OVERSLEPT;
        if self.is_extended || !overslept {
            return false;
        }
        self.is_extended = true;
        self.deadline = now + self.kill_grace;
        true
    }

    /// Reads a frame; the end, if it is one.
    fn read(&mut self, process: &Process) -> Result<Option<RunEnd<Bytes>>, Stopped> {
        let kind = WorkerKind::Runner;
        let (frame, descriptors) = process.frame();
        let heard = self.reading.read(frame, descriptors);
        match heard.map_err(|violation| Stopped::Fault(Fault::Hostile(kind, violation)))? {
            Heard::Nothing => {}
            Heard::Line(line) => {
                if self.is_watched() {
                    self.observer.log(&line);
                }
                self.lines.push(line);
            }
            Heard::Progress { done, total } => {
                if self.is_watched() {
                    self.observer.progress(done, total);
                }
            }
            Heard::Ended(end) => return Ok(Some(*end)),
            Heard::Failed(why) => return Err(Stopped::Fault(Fault::Failed(kind, why))),
        }
        Ok(None)
    }

    /// Whether there is time to tell somebody what the guest says.
    fn is_watched(&self) -> bool {
        Instant::now() < self.quiet_from
    }

    /// Asks the runner to stop, and gives it the grace period.
    fn cancel(&mut self, process: &Process) {
        self.is_cancelled = true;
        let mut frame = Vec::new();
        if encode(&Cancel { id: self.id }, &mut frame).is_ok() {
            // A runner that does not take it is killed when the grace is over.
            let _ = process.worker().control.try_send(&frame, &[]);
        }
        let now = Instant::now();
        self.deadline = self.deadline.min(now + self.cancel_grace);
        let quiet_from = now + self.stop_grace + self.kill_grace / 2;
        self.quiet_from = self.quiet_from.min(quiet_from);
        if let Some(at) = &mut self.hang_up {
            *at = (*at).min(now + self.stop_grace);
        }
    }
}

impl Stopped {
    /// The end of a launch that its runner did not tell.
    pub(crate) fn outcome(&self, job: &Job) -> Outcome {
        use hotcell_model::limit::{Amount, Breach};
        match self {
            Self::Fault(fault) => fault.outcome(),
            Self::Cancelled => Outcome {
                reproducible: false,
                ..Outcome::failed(
                    OutcomeKind::Cancelled,
                    Blame::Request,
                    "cancelled; the runner did not answer and was killed",
                )
            },
            Self::TimedOut(used) => {
                let breach = Breach {
                    limit: Limit::Timeout,
                    amount: Amount::Used(hotcell_model::time::nanoseconds(*used)),
                    maximum: job.limits.get(Limit::Timeout),
                };
                Outcome {
                    message: format!("{breach}; the runner did not answer and was killed"),
                    ..Outcome::breached(breach)
                }
            }
        }
    }
}

//! Where a guarded process is between two calls, whose turn is next, and the spare that waits.

use super::Inner;
use crate::confined::guarded::{GuardedWorker, Standard};
use crate::launch::about::About;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a caller that waits for its turn sleeps before it looks whether it was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a process that is being started may take to see that it is not wanted any more.
const CANCELLED_WITHIN: Duration = Duration::from_secs(2);

/// Where the process is between two calls.
#[derive(Default)]
pub(super) struct Place {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether a call has the process.
    pub(super) is_busy: bool,
    /// The next ticket, and those of calls that wait: the lowest has the next turn.
    next: u64,
    waiting: BTreeSet<u64>,
    pub(super) is_closed: bool,
    pub(super) idle: Option<(Needs, GuardedWorker)>,
    pub(super) spare: Spare,
}

#[derive(Default)]
pub(super) enum Spare {
    #[default]
    None,
    /// It is being started, until that is cancelled.
    Coming(Arc<StopSignal>),
    Ready(Needs, Box<GuardedWorker>),
}

/// What of the limits a process is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) threads: u64,
    pub(super) scratch_bytes: u64,
}

impl Needs {
    pub(super) fn of(about: &About) -> Self {
        Self {
            threads: about.limits.get(Limit::Threads),
            scratch_bytes: about.limits.get(Limit::ScratchBytes),
        }
    }
}

/// What came of waiting for the process.
pub(super) enum Turn {
    Idle(Box<GuardedWorker>),
    /// None is there that would do: it has to be started.
    Start,
}

/// A place among the calls of a guarded process, which go through it in the order in which these were taken.
pub struct Ticket {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inner.lock().waiting.remove(&self.number);
        self.inner.place.get().changed.notify_all();
    }
}

impl Inner {
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number);
        Ticket {
            inner: Arc::clone(self),
            number,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let place = self.place.get();
        place.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the process's turn, and starts one where none would do.
    pub(super) fn take(
        self: &Arc<Self>,
        needs: Needs,
        about: &About,
        ticket: Ticket,
        stop: &StopSignal,
    ) -> Result<GuardedWorker, Outcome> {
        let turn = self.turn(needs, about, &ticket, stop);
        // Its turn has come, or never does.
        drop(ticket);
        match turn? {
            Turn::Idle(worker) => Ok(*worker),
            Turn::Start => {
                let timeout = about.limits.duration(Limit::Timeout);
                // A call's own time begins when it runs; imports may take as long again.
                let deadline = Instant::now() + timeout.max(Duration::from_secs(60));
                let started = self.start(needs, Standard::Log, Some(deadline), stop);
                started.map_err(|not_started| {
                    self.release();
                    not_started.outcome()
                })
            }
        }
    }

    pub(super) fn turn(
        &self,
        needs: Needs,
        about: &About,
        ticket: &Ticket,
        stop: &StopSignal,
    ) -> Result<Turn, Outcome> {
        // One that keeps more than a whole call may have has had its time.
        let memory = about.limits.get(Limit::ProcessMemory);
        let serves = |had: Needs, worker: &mut GuardedWorker| {
            had == needs && worker.kept_bytes() <= memory && worker.is_quiet()
        };
        let place = self.place.get();
        let mut state = self.lock();
        loop {
            if state.is_closed {
                let message = "the guard was closed";
                return Err(Outcome::failed(OutcomeKind::Usage, Blame::Request, message));
            }
            let is_first = state.waiting.first() == Some(&ticket.number);
            if !state.is_busy && is_first {
                let idle = state.idle.take();
                if let Some((had, mut worker)) = idle
                    && serves(had, &mut worker)
                {
                    state.is_busy = true;
                    return Ok(Turn::Idle(Box::new(worker)));
                }
                match std::mem::take(&mut state.spare) {
                    Spare::Coming(stop) => state.spare = Spare::Coming(stop),
                    Spare::Ready(had, mut worker) => {
                        state.is_busy = true;
                        return Ok(match serves(had, &mut worker) {
                            true => Turn::Idle(worker),
                            false => Turn::Start,
                        });
                    }
                    Spare::None => {
                        state.is_busy = true;
                        return Ok(Turn::Start);
                    }
                }
            }
            let waited = place.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            // Asked with no lock held: it may run whatever it likes.
            drop(state);
            if stop.cancelled_at().is_some() {
                return Err(crate::isolation::cancelled(
                    "it waited for the guarded process",
                ));
            }
            state = self.lock();
        }
    }

    /// Nobody has the process, and there is none.
    pub(super) fn release(&self) {
        self.lock().is_busy = false;
        self.place.get().changed.notify_all();
    }

    pub(super) fn give_back(self: &Arc<Self>, needs: Needs, worker: GuardedWorker, is_well: bool) {
        let mut state = self.lock();
        let lost = match is_well && !state.is_closed {
            true => {
                state.idle = Some((needs, worker));
                None
            }
            false => Some(worker),
        };
        state.is_busy = false;
        if !state.is_closed && (self.settings.has_spare || state.idle.is_none()) {
            self.start_spare(state, needs);
        } else {
            drop(state);
        }
        drop(lost);
        self.place.get().changed.notify_all();
    }

    /// Has a process started in the background, where none is ready or coming.
    pub(super) fn start_spare(self: &Arc<Self>, mut state: MutexGuard<'_, State>, needs: Needs) {
        let is_there = match &state.spare {
            Spare::None => false,
            Spare::Coming(_) => true,
            Spare::Ready(had, _) => *had == needs,
        };
        if is_there {
            return;
        }
        let stop = Arc::<StopSignal>::default();
        let old = std::mem::replace(&mut state.spare, Spare::Coming(Arc::clone(&stop)));
        drop(state);
        drop(old);
        let own = Arc::downgrade(self);
        let begun = thread::Builder::new()
            .name("hotcell-guard".to_owned())
            .spawn(move || {
                let Some(own) = own.upgrade() else { return };
                let started = own.start(needs, Standard::Log, None, &stop);
                let mut state = own.lock();
                // A fault shows when the next one is started for somebody.
                state.spare = match started {
                    Ok(worker) if !state.is_closed => Spare::Ready(needs, Box::new(worker)),
                    _ => Spare::None,
                };
                drop(state);
                own.place.get().changed.notify_all();
            });
        if begun.is_err() {
            self.lock().spare = Spare::None;
        }
    }

    /// Ends the spare; one that is being started is not waited for, but cancelled and seen to its end.
    pub(super) fn end_spare(&self) {
        let place = self.place.get();
        let mut state = self.lock();
        let until = Instant::now() + CANCELLED_WITHIN;
        loop {
            match std::mem::take(&mut state.spare) {
                Spare::None => return,
                Spare::Ready(_, worker) => {
                    drop(state);
                    drop(worker);
                    return;
                }
                Spare::Coming(stop) => {
                    state.spare = Spare::Coming(Arc::clone(&stop));
                    drop(state);
                    stop.cancel();
                    state = self.lock();
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = place.changed.wait_timeout(state, left.min(LOOK_EVERY));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

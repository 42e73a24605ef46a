//! A worker of each kind that waits, started beforehand, so that work rarely pays for a start.

use super::process::Process;
use super::starter::Role;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A place for one worker that waits.
pub(crate) struct Spare {
    state: Mutex<SpareState>,
    changed: Condvar,
}

/// How long a launch waits for a spare that is being started, which takes some milliseconds.
const COMING_WITHIN: Duration = Duration::from_millis(100);

enum SpareState {
    /// None, and none is coming.
    Empty,
    /// One is being started.
    Coming,
    /// One waits.
    Ready(Role, Box<Process>),
}

impl Default for Spare {
    fn default() -> Self {
        Self {
            state: Mutex::new(SpareState::Empty),
            changed: Condvar::new(),
        }
    }
}

impl Spare {
    /// The one that waits, if it is of that role and well; waits a little for one that is coming. What has to
    /// go instead is the second.
    pub(crate) fn take(&self, role: Role) -> (Option<Process>, Option<Process>) {
        let coming = |state: &mut SpareState| matches!(state, SpareState::Coming);
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), COMING_WITHIN, coming);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // It comes later, for somebody else: whoever needs one now starts one.
        if matches!(*state, SpareState::Coming) {
            return (None, None);
        }
        match std::mem::replace(&mut *state, SpareState::Empty) {
            SpareState::Ready(found, mut process) => match found == role && process.is_quiet() {
                true => (Some(*process), None),
                false => (None, Some(*process)),
            },
            SpareState::Empty | SpareState::Coming => (None, None),
        }
    }

    /// Whether one has to be started now; if so, the caller does, and says what came of it.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.lock();
        let is_empty = matches!(*state, SpareState::Empty);
        if is_empty {
            *state = SpareState::Coming;
        }
        is_empty
    }

    /// What came of starting one.
    pub(crate) fn set(&self, role: Role, started: Option<Process>) {
        *self.lock() = match started {
            Some(process) => SpareState::Ready(role, Box::new(process)),
            None => SpareState::Empty,
        };
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, SpareState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_is_started_once_and_one_that_fails_leaves_the_place_free() {
        let spare = Spare::default();
        assert!(spare.begin() && !spare.begin());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| spare.take(Role::Compiler).0.is_none());
            spare.set(Role::Compiler, None);
            assert!(waiter.join().unwrap());
        });
        assert!(spare.begin());
    }
}

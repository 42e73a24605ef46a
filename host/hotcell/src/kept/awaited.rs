//! A value that many want at once: the first caller makes it, the others wait for that one.

use crate::bell::{Bell, OnCancel};
use hotcell_model::stop::StopSignal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A value that is made once. If its maker fails, the next who waits becomes the maker.
pub(crate) struct Awaited<T> {
    state: Mutex<AwaitedState<T>>,
}

struct AwaitedState<T> {
    value: Option<T>,
    is_being_made: bool,
    waiting: Vec<Arc<Bell>>,
}

/// What a caller finds.
pub(crate) enum AwaitedEntry<'a, T> {
    /// The value.
    Made(T),
    /// Nobody makes it: the caller does.
    Make(Making<'a, T>),
    /// The caller's launch was cancelled while another made the value.
    Cancelled,
}

/// The right and the duty to make a value. Dropped without one, the duty passes on.
pub(crate) struct Making<'a, T>(&'a Awaited<T>);

impl<T> Default for Awaited<T> {
    fn default() -> Self {
        let state = AwaitedState {
            value: None,
            is_being_made: false,
            waiting: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl<T: Clone> Awaited<T> {
    /// The value, or the duty to make it; waits while another caller makes it.
    pub(crate) fn enter(&self, stop: &StopSignal) -> AwaitedEntry<'_, T> {
        match self.try_enter(None) {
            Some(entry) => entry,
            None => self.wait(stop),
        }
    }

    fn wait(&self, stop: &StopSignal) -> AwaitedEntry<'_, T> {
        let bell = Arc::<Bell>::default();
        let _ringing = OnCancel::ring(stop, &bell);
        loop {
            if let Some(entry) = self.try_enter(Some(&bell)) {
                return entry;
            }
            bell.wait();
            if stop.cancelled_at().is_some() {
                self.lock()
                    .waiting
                    .retain(|waiting| !Arc::ptr_eq(waiting, &bell));
                return AwaitedEntry::Cancelled;
            }
        }
    }

    fn try_enter(&self, bell: Option<&Arc<Bell>>) -> Option<AwaitedEntry<'_, T>> {
        let mut state = self.lock();
        if let Some(value) = &state.value {
            return Some(AwaitedEntry::Made(value.clone()));
        }
        if state.is_being_made {
            // Whoever was woken for nothing stands there already.
            let stands =
                |bell: &&Arc<Bell>| state.waiting.iter().any(|other| Arc::ptr_eq(other, bell));
            let bell = bell.filter(|bell| !stands(bell)).cloned();
            state.waiting.extend(bell);
            return None;
        }
        state.is_being_made = true;
        Some(AwaitedEntry::Make(Making(self)))
    }
}

impl<T> Awaited<T> {
    fn lock(&self) -> MutexGuard<'_, AwaitedState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Making<'_, T> {
    /// The value is there.
    pub(crate) fn done(self, value: T) {
        self.0.lock().value = Some(value);
    }
}

impl<T> Drop for Making<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_being_made = false;
        for bell in state.waiting.drain(..) {
            bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_makes_and_all_get_it() {
        let (place, made) = (Awaited::<usize>::default(), AtomicUsize::new(0));
        let get = || match place.enter(&StopSignal::default()) {
            AwaitedEntry::Made(value) => value,
            AwaitedEntry::Make(making) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
                making.done(made.fetch_add(1, Ordering::SeqCst));
                0
            }
            AwaitedEntry::Cancelled => usize::MAX,
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(get)).collect();
            assert!(
                threads
                    .into_iter()
                    .all(|thread| thread.join().ok() == Some(0))
            );
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failed_maker_passes_the_duty_on_and_a_cancelled_one_stops_waiting() {
        let place = Awaited::<()>::default();
        let stop = StopSignal::default();
        let AwaitedEntry::Make(first) = place.enter(&stop) else {
            panic!("nobody makes it");
        };
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| matches!(place.enter(&stop), AwaitedEntry::Cancelled));
            stop.cancel();
            assert!(waiter.join().unwrap());
        });
        drop(first);
        assert!(matches!(place.enter(&stop), AwaitedEntry::Make(_)));
    }
}

//! Waiting for one of several things without polling: another thread's work, or the wish to stop.

use hotcell_model::stop::StopSignal;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Where one thread waits and others ring. A ring before the wait is not lost.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Ends the wait, or the next one.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits until somebody rings.
    pub(crate) fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(rung, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// As [`Bell::wait`], for so long at most; whether somebody rang.
    pub(crate) fn wait_for(&self, longest: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(rung, longest, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

/// Rings when dropped, however that comes about.
pub(crate) struct RingAtEnd(pub(crate) Arc<Bell>);

impl Drop for RingAtEnd {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Calls something when a launch is cancelled, at once if it has been, until dropped.
///
/// The call is made under a lock of the signal, which dropping this takes too: neither may hold a lock that
/// the other wants.
pub(crate) struct OnCancel<'a>(&'a StopSignal);

impl<'a> OnCancel<'a> {
    pub(crate) fn call(stop: &'a StopSignal, act: impl Fn() + Send + Sync + 'static) -> Self {
        stop.wake(Some(Arc::new(act)));
        Self(stop)
    }

    /// Rings `bell`.
    pub(crate) fn ring(stop: &'a StopSignal, bell: &Arc<Bell>) -> Self {
        let bell = Arc::clone(bell);
        Self::call(stop, move || bell.ring())
    }
}

impl Drop for OnCancel<'_> {
    fn drop(&mut self) {
        self.0.wake(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_work_does_or_when_it_was_long_enough() {
        let bell = Arc::<Bell>::default();
        assert!(!bell.wait_for(Duration::from_millis(1)));
        let at_end = RingAtEnd(Arc::clone(&bell));
        let thread = std::thread::spawn(move || {
            let _at_end = at_end;
            panic!("as a launch may");
        });
        assert!(bell.wait_for(Duration::from_secs(60)));
        assert!(thread.join().is_err());
        assert!(!bell.wait_for(Duration::ZERO));
    }

    #[test]
    fn a_cancel_ends_a_wait_from_elsewhere_or_from_before() {
        let (stop, bell) = (Arc::<StopSignal>::default(), Arc::<Bell>::default());
        let canceller = Arc::clone(&stop);
        let ringing = OnCancel::ring(&stop, &bell);
        let thread = std::thread::spawn(move || canceller.cancel());
        bell.wait();
        drop(ringing);
        assert!(thread.join().is_ok());
        let _ringing = OnCancel::ring(&stop, &bell);
        bell.wait();
        assert!(stop.cancelled_at().is_some());
    }
}

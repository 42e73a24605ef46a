//! Waiting for one of several things without polling: another thread's work, or the wish to stop.

use hotcell_model::stop::StopSignal;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

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

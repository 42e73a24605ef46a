//! The wish that a launch stop, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wakes whoever waits for a launch in another process.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Asks a launch to stop, from any thread.
pub struct StopSignal {
    base: Instant,
    /// Nanoseconds after `base`, plus one; zero while nobody has asked.
    cancelled_at: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSignal")
            .field("cancelled_at", &self.cancelled_at())
            .finish_non_exhaustive()
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            cancelled_at: AtomicU64::new(0),
            waker: Mutex::new(None),
        }
    }
}

impl StopSignal {
    /// Cancels the launch. Only the first call counts.
    pub fn cancel(&self) {
        let now = u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        let first = self
            .cancelled_at
            .compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok()
            && let Some(waker) = self.waker().clone()
        {
            waker();
        }
    }

    /// Calls `waker` when the launch is cancelled, from the cancelling thread; at once if it has been.
    /// There is one place: `None` empties it.
    pub fn wake(&self, waker: Option<Waker>) {
        self.waker().clone_from(&waker);
        if let (Some(waker), Some(_)) = (waker, self.cancelled_at()) {
            waker();
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the launch was cancelled.
    pub fn cancelled_at(&self) -> Option<Instant> {
        match self.cancelled_at.load(Ordering::SeqCst) {
            0 => None,
            at => Some(self.base + Duration::from_nanos(at - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn a_waker_is_called_once_for_a_cancel_before_or_after() {
        let (calls, signal) = (Arc::new(AtomicUsize::new(0)), StopSignal::default());
        let counter = Arc::clone(&calls);
        let waker: Waker = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        signal.wake(Some(Arc::clone(&waker)));
        signal.cancel();
        signal.cancel();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        signal.wake(None);
        signal.wake(Some(waker));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

//! The wish that a launch stop, from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Asks a launch to stop, from any thread.
#[derive(Debug)]
pub struct StopSignal {
    base: Instant,
    /// Nanoseconds after `base`, plus one; zero while nobody has asked.
    cancelled_at: AtomicU64,
}

impl Default for StopSignal {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            cancelled_at: AtomicU64::new(0),
        }
    }
}

impl StopSignal {
    /// Cancels the launch. Only the first call counts.
    pub fn cancel(&self) {
        let now = u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        let _ = self
            .cancelled_at
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// When the launch was cancelled.
    pub fn cancelled_at(&self) -> Option<Instant> {
        match self.cancelled_at.load(Ordering::Relaxed) {
            0 => None,
            at => Some(self.base + Duration::from_nanos(at - 1)),
        }
    }
}

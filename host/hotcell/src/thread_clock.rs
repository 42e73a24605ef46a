//! CPU time of threads of this process, which is charged to the launch that they work for.

use hotcell_model::time::nanoseconds;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time of the calling thread from here on.
pub(crate) struct ThreadClock(Duration);

impl ThreadClock {
    pub(crate) fn start() -> Self {
        Self(thread_cpu())
    }

    /// What it has taken since, in nanoseconds.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        nanoseconds(thread_cpu().saturating_sub(self.0))
    }
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

//! Whether a receiver looks for a frame again and again for a moment before it sleeps.
//!
//! Waking a thread whose CPU has halted takes 5 µs on bare metal and 30 to 100 µs in a virtual machine, more than a small
//! launch takes itself; supervisor and runner each wake once in every launch. Where looking has lately helped, a receiver
//! therefore looks for up to [`LOOK_FOR`] without sleeping. Each time that this was in vain costs CPU time for nothing, and
//! so it is done half as often from then on: a receiver whose frames come late, or whose peer wants the same CPU, soon
//! hardly looks at all.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a receiver looks before it sleeps. Once both sides look, a small launch takes a third of it; it is as long as
/// this so that a side that begins to look finds something while the other still has to be woken.
pub(super) const LOOK_FOR: Duration = Duration::from_micros(150);
/// The most frames that are slept for before the receiver looks again.
const MAX_SLEEPS: u32 = 255;

/// What a receiver has learnt of how soon frames come.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// Frames to sleep for before it looks again.
    left: AtomicU32,
    /// How many there are to be after the next time in vain.
    next: AtomicU32,
}

impl Looking {
    /// Calls `look` until it finds something, for a moment, if that is likely to help; then `sleep`, which waits for it.
    pub(super) fn wait<T>(&self, look: impl FnMut() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        let left = self.left.load(Relaxed);
        if left > 0 {
            self.left.store(left - 1, Relaxed);
            return sleep();
        }
        let next = self.next.load(Relaxed);
        if let Some(found) = look_for(LOOK_FOR, look) {
            self.next.store(next / 2, Relaxed);
            return found;
        }
        let sleeps = (2 * next + 1).min(MAX_SLEEPS);
        self.left.store(sleeps, Relaxed);
        self.next.store(sleeps, Relaxed);
        sleep()
    }
}

fn look_for<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if began.elapsed() >= time {
            return None;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often of so many waits it looked, where looking finds or does not.
    fn looks(looking: &Looking, waits: u32, finds: bool) -> u32 {
        let mut looked = 0;
        for _ in 0..waits {
            let mut has_looked = false;
            let look = || {
                has_looked = true;
                finds.then_some(())
            };
            looking.wait(look, || ());
            looked += u32::from(has_looked);
        }
        looked
    }

    #[test]
    fn it_looks_where_that_helps_and_hardly_where_it_does_not() {
        let looking = Looking::default();
        assert_eq!(looks(&looking, 100, true), 100);
        assert!(looks(&looking, 1000, false) < 20);
        // And always again once it helps.
        assert!(looks(&looking, 1000, true) > 700);
    }
}

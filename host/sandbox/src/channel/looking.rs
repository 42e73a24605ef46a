//! Whether a receiver looks for a frame again and again for a moment before it sleeps, and for how long.
//!
//! Waking a thread whose CPU has halted takes 5 µs on bare metal and 30 to 100 µs in a virtual machine, more than a small
//! launch takes itself; supervisor and runner each wake once in every launch. Where looking has lately helped, a receiver
//! therefore looks for a frame without sleeping, for [`LOOK_FOR`] at first. One that came soon after the receiver had gone
//! to sleep says how long it should have looked: a worker, which has nothing else to do, looks that long from then on, and half
//! as much again, up to [`PATIENT`]. A supervisor does not, whose CPU the worker's threads may want meanwhile. Each time that
//! looking would have been in vain costs CPU time for nothing, and so it is done half as often from then on: a receiver
//! whose frames come late, or whose peer wants the same CPU, soon hardly looks at all.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a receiver looks before it sleeps. Once both sides look, a small launch takes a third of it; it is as long as
/// this so that a side that begins to look finds something while the other still has to be woken.
const LOOK_FOR: Duration = Duration::from_micros(150);
/// The longest that a worker looks: what lies between two launches of a client that asks through a daemon is less.
const PATIENT: Duration = Duration::from_micros(500);
/// The most frames that are slept for before the receiver looks again.
const MAX_SLEEPS: u32 = 255;

/// What a receiver has learnt of how soon frames come.
#[derive(Debug)]
pub(super) struct Looking {
    /// The longest that it may look.
    longest: Duration,
    /// Frames to sleep for before it looks again.
    left: AtomicU32,
    /// How many there are to be after the next time in vain.
    next: AtomicU32,
    /// How many microseconds it looks beyond [`LOOK_FOR`].
    longer: AtomicU32,
}

impl Looking {
    /// For who has other things to do than to look.
    pub(super) fn brief() -> Self {
        Self::at_most(LOOK_FOR)
    }

    /// For who has nothing else to do.
    pub(super) fn patient() -> Self {
        Self::at_most(PATIENT)
    }

    fn at_most(longest: Duration) -> Self {
        Self {
            longest,
            left: AtomicU32::new(0),
            next: AtomicU32::new(0),
            longer: AtomicU32::new(0),
        }
    }

    /// Whether there is time to look before a deadline.
    pub(super) fn has_time(&self, deadline: Instant) -> bool {
        deadline > Instant::now() + self.longest
    }

    /// Calls `look` until it finds something, for a moment, if that is likely to help; then `sleep`, which waits for it.
    pub(super) fn wait<T>(&self, look: impl FnMut() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let left = self.left.load(Relaxed);
        if left == 0 {
            let longer = Duration::from_micros(self.longer.load(Relaxed).into());
            if let Some(found) = look_until(began + LOOK_FOR + longer, look) {
                self.note_found();
                return found;
            }
        }
        let found = sleep();
        self.note_slept(left, began.elapsed());
        found
    }

    fn note_found(&self) {
        self.next.store(self.next.load(Relaxed) / 2, Relaxed);
    }

    /// Learns from a frame that was slept for, and came so long after it was first waited for.
    fn note_slept(&self, left: u32, came_after: Duration) {
        if left > 0 {
            self.left.store(left - 1, Relaxed);
        } else if came_after <= self.longest {
            // A little more would have found it.
            let reach = (came_after + came_after / 2).min(self.longest);
            let longer = reach.saturating_sub(LOOK_FOR).as_micros();
            let longer = u32::try_from(longer).unwrap_or(0);
            self.longer.store(longer, Relaxed);
        } else {
            let sleeps = (2 * self.next.load(Relaxed) + 1).min(MAX_SLEEPS);
            self.left.store(sleeps, Relaxed);
            self.next.store(sleeps, Relaxed);
            self.longer.store(0, Relaxed);
        }
    }
}

fn look_until<T>(end: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often of so many waits it looked, where what is waited for comes so long after.
    fn looks(looking: &Looking, waits: u32, comes_after: Duration) -> u32 {
        let mut looked = 0;
        for _ in 0..waits {
            if looking.left.load(Relaxed) > 0 {
                looking.note_slept(looking.left.load(Relaxed), comes_after);
                continue;
            }
            looked += 1;
            let longer = Duration::from_micros(looking.longer.load(Relaxed).into());
            match comes_after <= LOOK_FOR + longer {
                true => looking.note_found(),
                false => looking.note_slept(0, comes_after),
            }
        }
        looked
    }

    #[test]
    fn it_looks_where_that_helps_and_hardly_where_it_does_not() {
        let looking = Looking::brief();
        let (soon, late) = (LOOK_FOR / 2, Duration::from_millis(2));
        assert_eq!(looks(&looking, 100, soon), 100);
        assert!(looks(&looking, 1000, late) < 20);
        // And always again once it helps.
        assert!(looks(&looking, 1000, soon) > 700);
    }

    #[test]
    fn it_learns_how_long_to_look() {
        let looking = Looking::patient();
        let soon_after = LOOK_FOR + Duration::from_micros(60);
        assert_eq!(looks(&looking, 100, soon_after), 100);
        let reach = LOOK_FOR + Duration::from_micros(looking.longer.load(Relaxed).into());
        assert!(reach > soon_after && reach < PATIENT, "{reach:?}");
        // What would take too long is not waited for longer and longer.
        looks(&looking, 10, 2 * PATIENT);
        assert_eq!(looking.longer.load(Relaxed), 0);
    }

    #[test]
    fn whoever_cannot_find_anything_while_it_looks_soon_does_not() {
        // A peer that wants the same CPU: what is waited for comes soon after the receiver sleeps, whenever that is.
        let looking = Looking::patient();
        let (soon, mut looked) = (Duration::from_micros(60), Duration::ZERO);
        for _ in 0..1000 {
            let left = looking.left.load(Relaxed);
            let longer = Duration::from_micros(looking.longer.load(Relaxed).into());
            let look = match left {
                0 => LOOK_FOR + longer,
                _ => Duration::ZERO,
            };
            looked += look;
            looking.note_slept(left, look + soon);
        }
        assert!(looked < Duration::from_millis(15), "{looked:?}");
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_slept_for() {
        let looking = Looking::brief();
        assert_eq!(looking.wait(|| Some(1), || 2), 1);
        assert_eq!(looking.wait(|| None, || 2), 2);
    }
}

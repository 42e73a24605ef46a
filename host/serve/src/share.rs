//! What one user may have of the daemon at once, over all connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most threads that one user's messages and launches have, and those of all users together.
pub const MAX_THREADS_OF_USER: usize = 256;
/// As above, of all users.
pub const MAX_THREADS: usize = 1024;

/// One user's share.
pub(crate) struct Share {
    paced: Mutex<Paced>,
    threads: AtomicUsize,
    /// The threads of all users.
    all_threads: Arc<AtomicUsize>,
}

/// A little can be done at once, and a little every second after that.
struct Paced {
    left: f64,
    since: Instant,
}

impl Paced {
    const AT_ONCE: f64 = 64.0;
    const EVERY_SECOND: f64 = 200.0;
    /// The most that is owed: nobody waits for longer than a second.
    const OWED: f64 = 200.0;

    fn refill(&mut self) {
        let now = Instant::now();
        let elapsed = now.duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = (self.left + elapsed * Self::EVERY_SECOND).min(Self::AT_ONCE);
    }
}

/// A thread of a user's, until it is dropped.
pub(crate) struct ThreadOf(Arc<Share>);

impl Share {
    fn new(all_threads: Arc<AtomicUsize>) -> Self {
        Self {
            paced: Mutex::new(Paced {
                left: Paced::AT_ONCE,
                since: Instant::now(),
            }),
            threads: AtomicUsize::new(0),
            all_threads,
        }
    }

    /// How long to wait after one more thing was asked for.
    pub(crate) fn pause(&self) -> Duration {
        let mut paced = self.paced();
        paced.refill();
        paced.left = (paced.left - 1.0).max(-Paced::OWED);
        match paced.left < 0.0 {
            true => Duration::from_secs_f64(-paced.left / Paced::EVERY_SECOND),
            false => Duration::ZERO,
        }
    }

    /// One more thread, if there may be one.
    pub(crate) fn thread(self: &Arc<Self>) -> Option<ThreadOf> {
        // Counted before it is looked at, and no longer where it is dropped here.
        let before = self.threads.fetch_add(1, Ordering::AcqRel);
        let all_before = self.all_threads.fetch_add(1, Ordering::AcqRel);
        let thread = ThreadOf(Arc::clone(self));
        (before < MAX_THREADS_OF_USER && all_before < MAX_THREADS).then_some(thread)
    }

    /// Whether it is as one that nobody has used.
    fn is_fresh(&self) -> bool {
        let mut paced = self.paced();
        paced.refill();
        paced.left >= Paced::AT_ONCE && self.threads.load(Ordering::Acquire) == 0
    }

    fn paced(&self) -> MutexGuard<'_, Paced> {
        self.paced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ThreadOf {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::AcqRel);
        self.0.all_threads.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The shares of all users.
#[derive(Default)]
pub(crate) struct Shares {
    of_users: Mutex<HashMap<u32, Arc<Share>>>,
    threads: Arc<AtomicUsize>,
}

impl Shares {
    /// A user's share.
    pub(crate) fn of(&self, uid: u32) -> Arc<Share> {
        let mut shares = self.lock();
        let share = shares
            .entry(uid)
            .or_insert_with(|| Arc::new(Share::new(Arc::clone(&self.threads))));
        Arc::clone(share)
    }

    /// Forgets those that nobody has, and that owe nothing.
    pub(crate) fn forget_fresh(&self) {
        self.lock()
            .retain(|_, share| Arc::strong_count(share) > 1 || !share.is_fresh());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<Share>>> {
        self.of_users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_a_flood_is_not_and_nobody_owes_for_ever() {
        let share = Shares::default().of(1);
        let waits: Vec<Duration> = (0..1000).map(|_| share.pause()).collect();
        assert!(waits[..60].iter().all(Duration::is_zero));
        assert!(waits[127] > Duration::from_millis(200), "{:?}", waits[127]);
        assert!(waits[999] <= Duration::from_secs(1));
    }

    #[test]
    fn threads_are_bounded_and_come_back_and_what_is_owed_is_not_forgotten() {
        let shares = Shares::default();
        let share = shares.of(1);
        let held: Vec<_> = (0..MAX_THREADS_OF_USER).map(|_| share.thread()).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(share.thread().is_none());
        assert!(shares.of(2).thread().is_some());
        drop(held);
        assert!(share.thread().is_some());
        assert_eq!(shares.threads.load(Ordering::Acquire), 0);
        for _ in 0..100 {
            share.pause();
        }
        drop(share);
        shares.forget_fresh();
        assert!(!shares.of(1).pause().is_zero());
        drop(shares.of(2));
        shares.forget_fresh();
        assert!(!shares.lock().contains_key(&2));
    }
}

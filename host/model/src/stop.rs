//! The wish that a launch stop, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// Wakes whoever waits for a launch in another process.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Says whether a launch is to stop, on the thread that waits for it.
pub type Question = Box<dyn Fn() -> bool + Send + Sync>;

/// Asks a launch to stop, from any thread.
pub struct StopSignal {
    base: Instant,
    /// Nanoseconds after `base`, plus one; zero while nobody has asked.
    cancelled_at: AtomicU64,
    waker: Mutex<Option<Waker>>,
    question: Option<(ThreadId, Question)>,
    /// Whether the question is to be asked.
    is_asked: AtomicBool,
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
            question: None,
            is_asked: AtomicBool::new(false),
        }
    }
}

impl StopSignal {
    /// A signal that this thread, which is going to wait for the launch, is asked for: `question` says whether to cancel it.
    ///
    /// For threads that alone can know: an interpreter's main thread, on which handlers of signals run.
    pub fn asking(question: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            question: Some((std::thread::current().id(), Box::new(question))),
            ..Self::default()
        }
    }

    /// Has the question asked, soon: whoever waits for the launch is woken, and asks it where it looks whether the launch was
    /// cancelled, with no lock held.
    pub fn ask(&self) {
        if self.question.is_some()
            && !self.is_asked.swap(true, Ordering::SeqCst)
            && let Some(waker) = self.waker().clone()
        {
            waker();
        }
    }

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

    /// Calls `waker` when the launch is cancelled, from the cancelling thread; at once if it has been. Also where only a question is
    /// to be asked: whoever is woken looks at [`Self::cancelled_at`]. There is one place: `None` empties it.
    pub fn wake(&self, waker: Option<Waker>) {
        self.waker().clone_from(&waker);
        let is_due =
            self.cancelled_at.load(Ordering::SeqCst) != 0 || self.is_asked.load(Ordering::SeqCst);
        if let (Some(waker), true) = (waker, is_due) {
            waker();
        }
    }

    fn answer(&self) {
        let Some((thread, question)) = &self.question else {
            return;
        };
        if *thread == std::thread::current().id()
            && self.is_asked.swap(false, Ordering::SeqCst)
            && question()
        {
            self.cancel();
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the launch was cancelled. On the thread that is to be asked, a question that is due is asked first, which runs whatever
    /// it likes: no lock may be held.
    pub fn cancelled_at(&self) -> Option<Instant> {
        if self.is_asked.load(Ordering::Relaxed) {
            self.answer();
        }
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

    #[test]
    fn a_question_is_asked_on_its_own_thread_where_it_looks() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&asked);
        let signal = Arc::new(StopSignal::asking(move || {
            counting.fetch_add(1, Ordering::Relaxed) == 1
        }));
        let woken = Arc::new(AtomicUsize::new(0));
        let waking = Arc::clone(&woken);
        signal.wake(Some(Arc::new(move || {
            waking.fetch_add(1, Ordering::Relaxed);
        })));
        let from_elsewhere = |look: bool| {
            let signal = Arc::clone(&signal);
            let other = std::thread::spawn(move || {
                signal.ask();
                look.then(|| signal.cancelled_at())
            });
            other.join().unwrap()
        };
        // Nobody else is asked, and the question stays due.
        assert_eq!(from_elsewhere(true), Some(None));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(signal.cancelled_at(), None);
        assert_eq!(signal.cancelled_at(), None);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        from_elsewhere(false);
        assert!(signal.cancelled_at().is_some());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn who_begins_to_wait_is_woken_for_a_question_that_is_due() {
        let signal = StopSignal::asking(|| false);
        signal.ask();
        let woken = Arc::new(AtomicUsize::new(0));
        let waking = Arc::clone(&woken);
        signal.wake(Some(Arc::new(move || {
            waking.fetch_add(1, Ordering::Relaxed);
        })));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }
}

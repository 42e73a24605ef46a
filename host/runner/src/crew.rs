//! The threads that run the chunks of launches, beside the one that asked for the launch.
//!
//! They outlive launches: a confined runner cannot make threads any more, and a thread costs more than a
//! small chunk. A launch asks for helpers, works itself, and then waits for those that came.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Stack of a thread: the guest's, and room for the host's calls on top.
const STACK_BYTES: usize = 2 << 20;

/// What helpers do: one part of a launch after the other, until none is left.
pub(crate) trait Work: Send + Sync {
    /// Works until nothing is left to begin.
    fn work(&self);
}

/// Threads that help.
pub(crate) struct Crew {
    shared: Arc<CrewInner>,
    most: usize,
}

#[derive(Default)]
struct CrewInner {
    state: Mutex<CrewState>,
    /// Told of a call for help, and of closing.
    called: Condvar,
    /// Told when a helper is done or ready.
    done: Condvar,
}

#[derive(Default)]
struct CrewState {
    calls: VecDeque<CrewCall>,
    next_ticket: u64,
    /// Helpers at work, by their call's ticket.
    at_work: Vec<u64>,
    threads: Vec<JoinHandle<()>>,
    /// Threads that have come up.
    ready: usize,
    /// Threads that wait for a call, or are coming up to.
    waiting: usize,
    is_closing: bool,
}

/// A wish for one helper.
struct CrewCall {
    ticket: u64,
    work: Arc<dyn Work>,
}

impl Crew {
    /// A crew of at most `most` threads, which are started when they are first needed.
    pub(crate) fn new(most: usize) -> Self {
        let shared = Arc::default();
        Self { shared, most }
    }

    /// Starts all threads, and returns when each is ready to run a guest without another system call than
    /// those of running one.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub(crate) fn start_all(&self) -> std::io::Result<()> {
        let mut state = self.shared.lock();
        while state.threads.len() < self.most {
            self.start_one(&mut state)?;
        }
        while state.ready < self.most {
            state = wait(&self.shared.done, state);
        }
        Ok(())
    }

    fn start_one(&self, state: &mut CrewState) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name("hotcell-chunk".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.serve())?;
        state.threads.push(thread);
        state.waiting += 1;
        Ok(())
    }

    /// Calls up to `helpers` threads to `work`, works along, and returns when all of them are done.
    pub(crate) fn work(&self, helpers: usize, work: &Arc<impl Work + 'static>) {
        let helpers = helpers.min(self.most);
        let help = (helpers > 0).then(|| self.call(helpers, Arc::clone(work) as Arc<dyn Work>));
        work.work();
        drop(help);
    }

    fn call(&self, helpers: usize, work: Arc<dyn Work>) -> Help<'_> {
        let mut state = self.shared.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        for _ in 0..helpers {
            let work = Arc::clone(&work);
            state.calls.push_back(CrewCall { ticket, work });
        }
        while state.waiting < state.calls.len() && state.threads.len() < self.most {
            // Without the thread there is less speed, and nothing else.
            if self.start_one(&mut state).is_err() {
                break;
            }
        }
        drop(state);
        self.shared.called.notify_all();
        Help { crew: self, ticket }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let threads = {
            let mut state = self.shared.lock();
            state.is_closing = true;
            std::mem::take(&mut state.threads)
        };
        self.shared.called.notify_all();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Help that was asked for. Dropped, it waits for the helpers that came; those that did not are not needed.
struct Help<'a> {
    crew: &'a Crew,
    ticket: u64,
}

impl Drop for Help<'_> {
    fn drop(&mut self) {
        let shared = &self.crew.shared;
        let mut state = shared.lock();
        state.calls.retain(|call| call.ticket != self.ticket);
        while state.at_work.contains(&self.ticket) {
            state = wait(&shared.done, state);
        }
    }
}

impl CrewInner {
    fn lock(&self) -> MutexGuard<'_, CrewState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life.
    fn serve(&self) {
        prepare_thread();
        let mut state = self.lock();
        state.ready += 1;
        self.done.notify_all();
        loop {
            if state.is_closing {
                return;
            }
            let Some(call) = state.calls.pop_front() else {
                state = wait(&self.called, state);
                continue;
            };
            state.waiting -= 1;
            state.at_work.push(call.ticket);
            drop(state);
            call.work.work();
            let ticket = call.ticket;
            // The launch may be given back to its caller as soon as nobody is at work on it.
            drop(call);
            state = self.lock();
            if let Some(position) = state.at_work.iter().position(|at_work| *at_work == ticket) {
                state.at_work.swap_remove(position);
            }
            state.waiting += 1;
            self.done.notify_all();
        }
    }
}

/// Makes what a thread otherwise makes at its first guest or its first hash map: afterwards the system
/// calls for it may be forbidden.
pub(crate) fn prepare_thread() {
    wasmtime::Engine::tls_eager_initialize();
    let _ = RandomState::new().hash_one(0u8);
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, CrewState>) -> MutexGuard<'a, CrewState> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    /// How long somebody else is waited for who may have no processor.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// So many parts, and who is at work at once.
    #[derive(Default)]
    struct Parts {
        /// The first part waits until so many are at work.
        awaited: AtomicUsize,
        left: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
        done: AtomicUsize,
    }

    impl Work for Parts {
        fn work(&self) {
            let take = |left: usize| left.checked_sub(1);
            while self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
            {
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                let begun = Instant::now();
                while self.most.load(Ordering::SeqCst) < self.awaited.load(Ordering::SeqCst)
                    && begun.elapsed() < PATIENCE
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(2));
                self.now.fetch_sub(1, Ordering::SeqCst);
                self.done.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn parts(count: usize) -> Arc<Parts> {
        let parts = Parts::default();
        parts.left.store(count, Ordering::SeqCst);
        Arc::new(parts)
    }

    #[test]
    fn helpers_come_up_to_their_number_and_are_waited_for() {
        for (is_eager, helpers) in [(true, 3), (false, 3), (false, 0)] {
            let crew = Crew::new(3);
            if is_eager {
                crew.start_all().unwrap();
            }
            for _ in 0..3 {
                let parts = parts(40);
                parts.awaited.store(helpers + 1, Ordering::SeqCst);
                crew.work(helpers, &parts);
                assert_eq!(parts.done.load(Ordering::SeqCst), 40);
                assert_eq!(parts.most.load(Ordering::SeqCst), helpers + 1);
                assert_eq!(
                    Arc::strong_count(&parts),
                    1,
                    "a helper still holds the launch"
                );
            }
        }
    }

    #[test]
    fn launches_beside_each_other_share_the_threads() {
        let crew = Arc::new(Crew::new(2));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let parts = parts(20);
                    crew.work(2, &parts);
                    assert_eq!(parts.done.load(Ordering::SeqCst), 20);
                });
            }
        });
        assert!(crew.shared.lock().threads.len() <= 2);
        assert_eq!(crew.shared.lock().at_work.len(), 0);
    }
}

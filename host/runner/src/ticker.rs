//! The clock behind epoch interrupts: a thread that increments an engine's epoch every millisecond
//! while launches run, and sleeps when none has run for a while.

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::Engine;

/// Time between two ticks: how late an interrupt can be, on an idle machine.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a launch before the thread sleeps: waking it costs a launch some microseconds.
const IDLE_TICKS: u32 = 100;

/// Stack of the thread; it runs no guest.
const STACK_BYTES: usize = 256 << 10;

/// Ticks an engine's epoch.
pub(crate) struct Ticker {
    shared: Arc<TickerInner>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct TickerInner {
    running: AtomicUsize,
    /// Only set under `asleep_lock`, so that a wake-up cannot fall between check and wait.
    asleep: AtomicBool,
    closing: AtomicBool,
    asleep_lock: Mutex<()>,
    wake: Condvar,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(TickerInner::default());
        let ticking = Arc::clone(&shared);
        // A thread that is still coming up makes system calls that may be forbidden soon.
        let up = Arc::new(Barrier::new(2));
        let ready = Arc::clone(&up);
        let thread = std::thread::Builder::new()
            .name("hotcell-ticker".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                ready.wait();
                ticking.tick(&engine);
            })?;
        up.wait();
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Keeps the epoch ticking until the value is dropped.
    pub(crate) fn keep_ticking(&self) -> Ticking<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.shared.wake();
        }
        Ticking(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A launch that needs ticks.
pub(crate) struct Ticking<'a>(&'a TickerInner);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sleeps until an instant, not for a while: a sleep for a while that a stop signal interrupts is taken up again by
/// a system call of its own, which a confined process is not allowed.
fn sleep(duration: Duration) {
    let clock = ClockId::Monotonic;
    let now = clock_gettime(clock);
    let until = Timespec::try_from(duration)
        .ok()
        .and_then(|more| now.checked_add(more));
    // A sleep that ends early is a tick that comes early.
    let _ = clock_nanosleep_absolute(clock, &until.unwrap_or(now));
}

impl TickerInner {
    fn wake(&self) {
        let _held = self
            .asleep_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    fn tick(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.closing.load(Ordering::SeqCst) {
            sleep(TICK);
            engine.increment_epoch();
            idle = if self.is_needed() { 0 } else { idle + 1 };
            if idle > IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
        }
    }

    fn is_needed(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0 || self.closing.load(Ordering::SeqCst)
    }

    fn sleep(&self) {
        let mut held = self
            .asleep_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(true, Ordering::SeqCst);
        while !self.is_needed() {
            held = self.wake.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

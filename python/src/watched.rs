//! What Python hears of a launch while it runs, and what it says meanwhile: signals, callbacks.

use crate::kept::Kept;
use hotcell::report::LogLine;
use hotcell::{Observer, StopSignal};
use hotcell_sandbox::process::PerProcess;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the main thread looks for signals while it waits.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// For how long the thread that asks stays where nobody waits.
const IDLE: Duration = Duration::from_secs(1);

/// Callbacks, and the first exception that one of them raised.
pub(crate) struct Ears {
    on_log: Option<Kept>,
    on_progress: Option<Kept>,
    raised: Mutex<Option<PyErr>>,
    stop: Arc<StopSignal>,
}

/// What may be asked of [`Ears`] that may not be there.
pub(crate) trait Listener {
    /// The exception that a callback raised, if one did.
    fn error(&self) -> Option<PyErr>;
}

impl Ears {
    /// Ears for those callbacks; `None` where there are none.
    pub(crate) fn new(
        on_log: Option<Py<PyAny>>,
        on_progress: Option<Py<PyAny>>,
        stop: &Arc<StopSignal>,
    ) -> Option<Arc<Self>> {
        if on_log.is_none() && on_progress.is_none() {
            return None;
        }
        Some(Arc::new(Self {
            on_log: on_log.map(Kept::new),
            on_progress: on_progress.map(Kept::new),
            raised: Mutex::new(None),
            stop: Arc::clone(stop),
        }))
    }

    /// Calls back. What a callback raises cancels the launch, and is raised where that was asked for.
    fn call(&self, callback: &Py<PyAny>, arguments: impl for<'py> pyo3::call::PyCallArgs<'py>) {
        // Where this is the main thread, a callback may launch in turn.
        let paused = Paused::begin();
        let called = Python::try_attach(|py| callback.call1(py, arguments).map(drop));
        drop(paused);
        if let Some(Err(error)) = called {
            lock(&self.raised).get_or_insert(error);
            self.stop.cancel();
        }
    }
}

impl Listener for Arc<Ears> {
    fn error(&self) -> Option<PyErr> {
        lock(&self.raised).take()
    }
}

impl Observer for Ears {
    fn log(&self, line: &LogLine) {
        if let Some(on_log) = &self.on_log {
            self.call(on_log, (line.level.name(), line.message.clone()));
        }
    }

    fn progress(&self, done: u64, total: u64) {
        if let Some(on_progress) = &self.on_progress {
            self.call(on_progress, (done, total));
        }
    }
}

/// A launch that the interpreter's main thread waits for: handlers of signals run on that thread alone, and so it is asked for
/// them every so often, with what a handler raises.
pub(crate) struct OnMain {
    stop: Arc<StopSignal>,
    raised: Arc<Mutex<Option<PyErr>>>,
}

/// What the main thread waits for, and since when.
type Waiting = (Arc<StopSignal>, Instant);

/// Has the main thread asked.
#[derive(Default)]
struct Asking {
    /// Whether there is a thread that asks.
    is_running: bool,
    waiting: Option<Waiting>,
}

static ASKING: PerProcess<Mutex<Asking>> = PerProcess::new();

/// The interpreter's main thread, as the C library knows it. Until it is said there is none.
static MAIN: AtomicUsize = AtomicUsize::new(0);

/// Says which thread is the interpreter's main one, by its `ident`.
#[pyfunction]
pub(crate) fn main_thread_is(ident: usize) {
    MAIN.store(ident, Ordering::Relaxed);
}

fn is_main() -> bool {
    // SAFETY: it says who calls.
    let own = unsafe { libc::pthread_self() };
    usize::try_from(own).is_ok_and(|own| own == MAIN.load(Ordering::Relaxed))
}

impl OnMain {
    /// Begins to wait, if this is the interpreter's main thread.
    pub(crate) fn begin() -> PyResult<Option<Self>> {
        if !is_main() {
            return Ok(None);
        }
        let raised = Arc::<Mutex<Option<PyErr>>>::default();
        let raising = Arc::clone(&raised);
        let question = move || {
            let handled = Python::try_attach(|py| py.check_signals());
            match handled {
                Some(Ok(())) => false,
                Some(Err(error)) => {
                    lock(&raising).get_or_insert(error);
                    true
                }
                // The interpreter ends.
                None => true,
            }
        };
        let stop = Arc::new(StopSignal::asking(question));
        let mut asking = lock(ASKING.get());
        if asking.waiting.is_some() {
            return Err(PyRuntimeError::new_err(
                "a signal's handler cannot launch a kernel while the main thread waits for one: \
                 note the signal, and launch when that has ended",
            ));
        }
        if !asking.is_running {
            std::thread::Builder::new()
                .name("hotcell-signals".to_owned())
                .spawn(ask)
                .map_err(|error| {
                    PyRuntimeError::new_err(format!("no thread for signals: {error}"))
                })?;
            asking.is_running = true;
        }
        asking.waiting = Some((Arc::clone(&stop), Instant::now()));
        Ok(Some(Self { stop, raised }))
    }

    /// What the launch is to be stopped by.
    pub(crate) fn stop(&self) -> &Arc<StopSignal> {
        &self.stop
    }

    /// What a handler raised, if one did.
    pub(crate) fn error(&self) -> Option<PyErr> {
        lock(&self.raised).take()
    }
}

/// The main thread, which waits for a launch, calls back: meanwhile it may wait for another.
struct Paused(Option<Waiting>);

impl Paused {
    fn begin() -> Self {
        let waiting = is_main().then(|| lock(ASKING.get()).waiting.take());
        Self(waiting.flatten())
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            lock(ASKING.get()).waiting = Some(waiting);
        }
    }
}

impl Drop for OnMain {
    fn drop(&mut self) {
        lock(ASKING.get()).waiting = None;
    }
}

/// Has the main thread asked every so often where it waits for long, until it has not for a while.
fn ask() {
    let mut idle = Duration::ZERO;
    while idle < IDLE {
        std::thread::sleep(LOOK_EVERY);
        let mut asking = lock(ASKING.get());
        match &asking.waiting {
            Some((stop, since)) => {
                idle = Duration::ZERO;
                let due = (since.elapsed() >= LOOK_EVERY).then(|| Arc::clone(stop));
                drop(asking);
                if let Some(stop) = due {
                    stop.ask();
                }
            }
            None => {
                idle += LOOK_EVERY;
                if idle >= IDLE {
                    asking.is_running = false;
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

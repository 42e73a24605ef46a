//! Cancelling the launch that runs: a thread that waits for the supervisor's word.
//!
//! The word comes on a socket of its own, so that the thread that runs launches can wait for requests and
//! answer without another thread's wake-up in between. When the supervisor is gone, the process ends here,
//! whatever a guest is doing.

use hotcell_model::frame::{self, Cancel};
use hotcell_model::stop::StopSignal;
use hotcell_runner::Runner;
use hotcell_sandbox::channel::{Channel, Received};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stack of the thread; it runs no guest.
const STACK_BYTES: usize = 256 << 10;

/// Knows which launch runs and which was cancelled.
pub(crate) struct Stopper {
    runner: Arc<Runner>,
    state: Mutex<StopperState>,
}

#[derive(Default)]
struct StopperState {
    running: Option<(u64, Arc<StopSignal>)>,
    /// The last launch that was cancelled: the word may come before the launch does.
    cancelled: Option<u64>,
}

impl Stopper {
    /// Starts the thread.
    pub(crate) fn start(control: Channel, runner: Arc<Runner>) -> io::Result<Arc<Self>> {
        let state = Mutex::default();
        let stopper = Arc::new(Self { runner, state });
        let listener = Arc::clone(&stopper);
        let ready = Arc::new(std::sync::Barrier::new(2));
        let up = Arc::clone(&ready);
        std::thread::Builder::new()
            .name("hotcell-stop".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                up.wait();
                listener.listen(&control);
            })?;
        ready.wait();
        Ok(stopper)
    }

    fn listen(&self, control: &Channel) {
        let (mut buffer, mut descriptors) = (Vec::with_capacity(64), Vec::new());
        while let Ok(Received::Frame) = control.receive(&mut buffer, &mut descriptors) {
            if let Ok(Cancel { id }) = frame::decode(&buffer) {
                self.cancel(id);
            }
        }
        hotcell_sandbox::end::end_now(0);
    }

    fn cancel(&self, id: u64) {
        let mut state = self.lock();
        state.cancelled = Some(id);
        if let Some((running, signal)) = &state.running
            && *running == id
        {
            signal.cancel();
            self.runner.interrupt();
        }
    }

    /// Notes that a launch begins; its signal.
    pub(crate) fn begin(&self, id: u64) -> Arc<StopSignal> {
        let signal = Arc::new(StopSignal::default());
        let mut state = self.lock();
        if state.cancelled == Some(id) {
            signal.cancel();
        }
        state.running = Some((id, Arc::clone(&signal)));
        signal
    }

    /// Notes that the launch has ended.
    pub(crate) fn end(&self) {
        self.lock().running = None;
    }

    fn lock(&self) -> MutexGuard<'_, StopperState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Noticing that somebody hung up while the device is waited for.
//!
//! The thread that serves a launch waits on its channel or on the device, never on both. Another one watches
//! for the end of the channel: when the runner is gone or the supervisor cancels the launch during a command, that
//! command is told to stop. Between commands the end is found by whoever reads the channel next, and
//! nothing is told to stop: a runner that has hung up in order may have left work that its launch's outputs need.

use hotcell_model::stop::StopSignal;
use hotcell_sandbox::channel::Channel;
use hotcell_sandbox::end::end_now;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Stack of the thread, which only waits.
const STACK_BYTES: usize = 128 << 10;

/// The thread that watches, and what it is told.
pub(crate) struct HangUpWatch(Arc<WatchInner>);

#[derive(Default)]
struct WatchInner {
    state: Mutex<WatchState>,
    begun: Condvar,
}

#[derive(Default)]
struct WatchState {
    /// Which launch it is, counted here: news of an earlier one is no news.
    launch: u64,
    /// The channel to watch, until the thread has taken it.
    channel: Option<Channel>,
    signal: Arc<StopSignal>,
    is_busy: bool,
    is_hung_up: bool,
}

/// A launch's channel, watched; dropping it hangs up.
pub(crate) struct Watched<'a> {
    shared: &'a WatchInner,
    channel: &'a Channel,
}

impl HangUpWatch {
    /// Starts the thread. When the supervisor hangs up, the process ends, whatever the device is doing.
    pub(crate) fn start(supervisor: &Arc<Channel>) -> io::Result<Self> {
        let shared = Arc::<WatchInner>::default();
        let (own, supervisor) = (Arc::clone(&shared), Arc::clone(supervisor));
        std::thread::Builder::new()
            .name("hotcell-watch".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || own.run(&supervisor))?;
        Ok(Self(shared))
    }

    /// Watches a launch's channel.
    pub(crate) fn begin<'a>(
        &'a self,
        channel: &'a Channel,
        signal: &Arc<StopSignal>,
    ) -> io::Result<Watched<'a>> {
        let shared = &*self.0;
        let mut state = shared.lock();
        *state = WatchState {
            launch: state.launch + 1,
            channel: Some(channel.try_clone()?),
            signal: Arc::clone(signal),
            is_busy: false,
            is_hung_up: false,
        };
        shared.begun.notify_one();
        Ok(Watched { shared, channel })
    }
}

impl Watched<'_> {
    /// Does a command, which is told to stop when somebody hangs up meanwhile; `None` if that has happened already.
    pub(crate) fn during<T>(&self, command: impl FnOnce() -> T) -> Option<T> {
        {
            let mut state = self.shared.lock();
            if state.is_hung_up {
                return None;
            }
            state.is_busy = true;
        }
        let done = command();
        self.shared.lock().is_busy = false;
        Some(done)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // It ends the thread's wait, if the peer has not done so already. It fails for no reason that is known; a
        // thread that watched on would be told of the next launch once this channel's peer is gone.
        let _ = self.channel.shutdown();
    }
}

impl WatchInner {
    fn run(&self, supervisor: &Channel) {
        loop {
            let (launch, channel) = self.next();
            match Channel::wait_for_hang_up([supervisor, &channel]) {
                Ok(1) => self.hung_up(launch),
                // The supervisor is gone, or nobody can be watched for any more.
                _ => end_now(0),
            }
        }
    }

    /// The next channel to watch.
    fn next(&self) -> (u64, Channel) {
        let mut state = self.lock();
        loop {
            if let Some(channel) = state.channel.take() {
                return (state.launch, channel);
            }
            state = self
                .begun
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hung_up(&self, launch: u64) {
        let mut state = self.lock();
        if state.launch == launch {
            state.is_hung_up = true;
            if state.is_busy {
                state.signal.cancel();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn until(mut is_so: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !is_so() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        is_so()
    }

    #[test]
    fn a_command_is_told_to_stop_and_the_next_launch_is_not() {
        let (own, _supervisor) = Channel::pair().unwrap();
        let watch = HangUpWatch::start(&Arc::new(own)).unwrap();
        for _ in 0..20 {
            let (channel, peer) = Channel::pair().unwrap();
            let signal = Arc::new(StopSignal::default());
            let watched = watch.begin(&channel, &signal).unwrap();
            assert_eq!(watched.during(|| 1), Some(1));
            assert!(signal.cancelled_at().is_none());
            let stopped = watched.during(|| {
                drop(peer);
                until(|| signal.cancelled_at().is_some())
            });
            assert_eq!(stopped, Some(true));
            assert_eq!(watched.during(|| 1), None);
        }
    }

    #[test]
    fn hanging_up_between_commands_stops_nothing() {
        let (own, _supervisor) = Channel::pair().unwrap();
        let watch = HangUpWatch::start(&Arc::new(own)).unwrap();
        let (channel, peer) = Channel::pair().unwrap();
        let signal = Arc::new(StopSignal::default());
        let watched = watch.begin(&channel, &signal).unwrap();
        drop(peer);
        assert!(until(|| watch.0.lock().is_hung_up));
        assert_eq!(watched.during(|| 1), None);
        assert!(signal.cancelled_at().is_none());
    }
}

//! Why and when a running guest is stopped.
//!
//! Stopping is in steps: the guest is asked (it can poll `should-stop`), then interrupted at the next
//! epoch check. A guest that has never polled cannot hear the question, so a cancel interrupts it at
//! once; one that polls has the grace period to return what it has. A timeout asks that long before
//! its deadline, and interrupts at the deadline whether the guest listened or not.

use hotcell_model::grant::Capability;
use hotcell_model::limit::Breach;
use hotcell_model::outcome::Outcome;
use hotcell_model::stop::StopSignal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why the host ended a guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// A limit was reached.
    #[error(transparent)]
    Limit(#[from] Breach),
    /// The launch was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The guest broke a rule of the interface.
    #[error("{0}")]
    Misuse(String),
    /// The guest called what it was not given: what its entry wants by the manifest was granted before it ran.
    #[error("the entry called `{}`, which it was not given", capability.interface())]
    Denied {
        /// What it called.
        capability: Capability,
    },
    /// Other chunks hold the memory that this one needs: it runs again when they are done.
    #[error("waiting for the memory of other chunks")]
    Contended,
    /// A chunk before this one failed, so this one's result does not matter.
    #[error("an earlier chunk failed")]
    Superseded,
    /// An input could not be read while the guest ran.
    #[error("{0}")]
    Io(String),
    /// Nobody does the launch's file work any more.
    #[error("the launch's files are gone")]
    Files,
    /// The guest ended itself, which is no way for a kernel to return.
    #[error("{}", exit_words(*.0))]
    Exit(u8),
    /// The launch's GPU session ended, and the launch with it.
    #[error("{}", .0.message)]
    Gpu(Box<Outcome>),
}

fn exit_words(code: u8) -> String {
    format!("the kernel exited with code {code} in place of returning")
}

/// When a launch is asked and interrupted.
#[derive(Debug)]
pub(crate) struct Deadline {
    pub(crate) started: Instant,
    pub(crate) timeout: Duration,
    grace: Duration,
    /// Whether any instance has polled `should-stop`.
    polls: AtomicBool,
    /// Whether any instance was told to stop.
    told: AtomicBool,
}

impl Deadline {
    pub(crate) fn new(started: Instant, timeout: Duration, grace: Duration) -> Self {
        Self {
            started,
            timeout,
            // A grace period longer than the timeout would ask before the launch begins.
            grace: grace.min(timeout / 2),
            polls: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Answers the guest's poll.
    pub(crate) fn should_stop(&self, signal: &StopSignal, now: Instant) -> bool {
        self.polls.store(true, Ordering::Relaxed);
        let asked = signal.cancelled_at().is_some()
            || now.saturating_duration_since(self.started) >= self.timeout - self.grace;
        if asked {
            self.told.store(true, Ordering::Relaxed);
        }
        asked
    }

    /// Whether the guest has been told to stop.
    pub(crate) fn was_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// The reason to interrupt a guest now, if there is one.
    pub(crate) fn interruption(&self, signal: &StopSignal, now: Instant) -> Option<Interruption> {
        if let Some(at) = signal.cancelled_at() {
            let listens = self.polls.load(Ordering::Relaxed);
            if !listens || now.saturating_duration_since(at) >= self.grace {
                return Some(Interruption::Cancelled);
            }
        }
        let elapsed = now.saturating_duration_since(self.started);
        (elapsed >= self.timeout).then_some(Interruption::TimedOut(elapsed))
    }
}

/// Why a guest is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    Cancelled,
    /// After that long.
    TimedOut(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);
    const GRACE: Duration = Duration::from_millis(20);

    fn deadline() -> (Deadline, StopSignal, Instant) {
        let now = Instant::now();
        (
            Deadline::new(now, TIMEOUT, GRACE),
            StopSignal::default(),
            now,
        )
    }

    #[test]
    fn a_timeout_asks_before_it_interrupts() {
        let (deadline, signal, start) = deadline();
        assert!(!deadline.should_stop(&signal, start + Duration::from_millis(79)));
        assert!(deadline.should_stop(&signal, start + Duration::from_millis(80)));
        assert!(deadline.was_told());
        assert_eq!(
            deadline.interruption(&signal, start + Duration::from_millis(99)),
            None
        );
        assert!(matches!(
            deadline.interruption(&signal, start + TIMEOUT),
            Some(Interruption::TimedOut(_))
        ));
    }

    #[test]
    fn a_cancel_waits_only_for_guests_that_listen() {
        let (deadline, signal, start) = deadline();
        signal.cancel();
        let at = signal.cancelled_at().unwrap();
        assert_eq!(
            deadline.interruption(&signal, at),
            Some(Interruption::Cancelled)
        );
        assert!(deadline.should_stop(&signal, start));
        assert_eq!(deadline.interruption(&signal, at), None);
        assert_eq!(
            deadline.interruption(&signal, at + GRACE),
            Some(Interruption::Cancelled)
        );
    }
}

//! What keeps the state from being used: said once, until it can be used again.
//!
//! Launches run into it, and do not wait for a log. What there is to say is kept for the thread that delivers alerts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is in the way of the state.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Whether something is, and whoever looks at the log knows or is about to.
    is_there: AtomicBool,
    is_unsaid: AtomicBool,
    unsaid: Mutex<Option<String>>,
}

impl Trouble {
    /// Something was in the way.
    pub(crate) fn happened(&self, line: impl FnOnce() -> String) {
        if !self.is_there.swap(true, Ordering::Relaxed) {
            *self.unsaid() = Some(line());
            self.is_unsaid.store(true, Ordering::Relaxed);
        }
    }

    /// Nothing was: what comes next is said again.
    pub(crate) fn is_over(&self) {
        self.is_there.store(false, Ordering::Relaxed);
    }

    /// Whether there is something to say.
    pub(crate) fn is_unsaid(&self) -> bool {
        self.is_unsaid.load(Ordering::Relaxed)
    }

    /// What there is to say, once.
    pub(crate) fn take(&self) -> Option<String> {
        let mut unsaid = self.unsaid();
        self.is_unsaid.store(false, Ordering::Relaxed);
        unsaid.take()
    }

    fn unsaid(&self) -> MutexGuard<'_, Option<String>> {
        self.unsaid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_until_it_is_over() {
        let trouble = Trouble::default();
        let happened = || trouble.happened(|| "the disk is full".to_owned());
        assert_eq!(trouble.take(), None);
        for _ in 0..2 {
            happened();
            happened();
            assert!(trouble.is_unsaid());
            assert_eq!(trouble.take().as_deref(), Some("the disk is full"));
            happened();
            assert!(!trouble.is_unsaid());
            assert_eq!(trouble.take(), None);
            trouble.is_over();
        }
    }
}

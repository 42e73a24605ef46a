//! Trouble with a log: told once in a while, and counted.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who is told of trouble with a log.
pub type OnProblem = Arc<dyn Fn(String) + Send + Sync>;

/// How long a kind of trouble is not told again.
const QUIET: Duration = Duration::from_secs(10);

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record could not be written.
    Write,
    /// The log could not be brought to the disk.
    Sync,
    /// A checkpoint, or what is beside the log, could not be written.
    Beside,
    /// An anchor was not told.
    Anchor,
    /// Another log cannot be continued.
    Other,
}

/// The trouble that a log had.
pub(crate) struct Problems {
    on_problem: Option<OnProblem>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    count: u64,
    last: Option<String>,
    told: Vec<(Kind, Instant)>,
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").finish_non_exhaustive()
    }
}

impl Problems {
    /// None yet; who is told of them.
    pub(crate) fn new(on_problem: Option<OnProblem>) -> Self {
        Self {
            on_problem,
            known: Mutex::default(),
        }
    }

    /// Tells of one.
    pub(crate) fn tell(&self, kind: Kind, message: String) {
        let is_to_be_told = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.count += 1;
            known.last = Some(message.clone());
            known.told.retain(|(_, when)| when.elapsed() < QUIET);
            let is_new = known.told.iter().all(|(told, _)| *told != kind);
            if is_new {
                known.told.push((kind, Instant::now()));
            }
            is_new
        };
        if let Some(on_problem) = self.on_problem.as_ref().filter(|_| is_to_be_told) {
            on_problem(message);
        }
    }

    /// How many there were, and the last.
    pub(crate) fn known(&self) -> (u64, Option<String>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (known.count, known.last.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn the_same_trouble_is_told_once_and_counted_each_time() {
        let told = Arc::new(AtomicU64::new(0));
        let count = told.clone();
        let problems = Problems::new(Some(Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })));
        for _ in 0..5 {
            problems.tell(Kind::Write, "full".to_owned());
        }
        problems.tell(Kind::Sync, "slow".to_owned());
        assert_eq!(told.load(Ordering::Relaxed), 2);
        assert_eq!(problems.known(), (6, Some("slow".to_owned())));
    }
}

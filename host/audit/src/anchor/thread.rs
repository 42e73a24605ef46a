//! The thread that tells anchors.

use super::{Anchor, AnchorState, Told};
use crate::checkpoint::Checkpoint;
use crate::history::History;
use crate::problem::{Kind, Problems};
use hotcell_model::text;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Tells anchors of the newest checkpoint.
pub(crate) struct Anchoring {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    anchors: Vec<Arc<dyn Anchor>>,
    history: History,
    problems: Arc<Problems>,
    newest: Mutex<Newest>,
    /// A checkpoint is new, or there will be no other.
    changed: Condvar,
    /// The thread is done.
    done: Condvar,
}

#[derive(Default)]
struct Newest {
    checkpoint: Option<(Checkpoint, String)>,
    states: Vec<AnchorState>,
    is_last: bool,
    is_done: bool,
}

/// What a round of the thread leaves for another.
#[derive(Clone, Copy, Default)]
struct Later {
    /// How soon.
    soonest: Option<Duration>,
    /// Whether an anchor was left alone that has not been told of the newest checkpoint.
    is_deferred: bool,
}

impl Later {
    fn no_later_than(&mut self, wait: Duration) {
        self.soonest = Some(self.soonest.map_or(wait, |other| other.min(wait)));
    }
}

impl Anchoring {
    /// Of that log.
    pub(crate) fn of(
        anchors: Vec<Arc<dyn Anchor>>,
        history: History,
        problems: Arc<Problems>,
    ) -> Self {
        let states = anchors.iter().map(|anchor| AnchorState {
            name: anchor.name(),
            size: None,
            told: None,
            problem: None,
        });
        let newest = Newest {
            states: states.collect(),
            ..Newest::default()
        };
        Self {
            shared: Arc::new(Shared {
                anchors,
                history,
                problems,
                newest: Mutex::new(newest),
                changed: Condvar::new(),
                done: Condvar::new(),
            }),
            thread: Mutex::new(None),
        }
    }

    /// Tells them of a checkpoint; begins the thread with the first.
    pub(crate) fn tell(&self, checkpoint: &Checkpoint, note: &str) {
        if self.shared.anchors.is_empty() {
            return;
        }
        self.shared.lock().checkpoint = Some((checkpoint.clone(), note.to_owned()));
        self.shared.changed.notify_all();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = self.shared.clone();
            let name = "audit-anchors".to_owned();
            let begun = std::thread::Builder::new()
                .name(name)
                .spawn(move || shared.run());
            match begun {
                Ok(begun) => *thread = Some(begun),
                Err(error) => self.shared.problems.tell(Kind::Anchor, error.to_string()),
            }
        }
    }

    /// What is known of each.
    pub(crate) fn states(&self) -> Vec<AnchorState> {
        self.shared.lock().states.clone()
    }

    /// Has them told of the last checkpoint, and of no other. Waits for none of them.
    pub(crate) fn end(&self) {
        self.shared.lock().is_last = true;
        self.shared.changed.notify_all();
    }

    /// Waits until they are told of the last checkpoint, for that long at most.
    pub(crate) fn wait(&self, most: Duration) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(thread) = thread else {
            return;
        };
        let is_done = self
            .shared
            .done
            .wait_timeout_while(self.shared.lock(), most, |newest| !newest.is_done)
            .is_ok_and(|(newest, _)| newest.is_done);
        // One that takes longer ends by itself, or with the process.
        if is_done {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut told: Vec<(u64, Option<Instant>)> = vec![(0, None); self.anchors.len()];
        loop {
            let newest = self.lock().checkpoint.clone();
            let mut later = Later::default();
            if let Some((checkpoint, note)) = &newest {
                let is_last = self.lock().is_last;
                for (at, anchor) in self.anchors.iter().enumerate() {
                    let (size, when) = told[at];
                    if size == checkpoint.size && when.is_some() {
                        continue;
                    }
                    let left = when.map_or(Duration::ZERO, |when| {
                        anchor.interval().saturating_sub(when.elapsed())
                    });
                    if !left.is_zero() && !is_last {
                        later.is_deferred = true;
                        later.no_later_than(left);
                        continue;
                    }
                    let is_told = self.tell(at, anchor.as_ref(), checkpoint, note);
                    // No log has so many records: one that was not told is told again.
                    let size = if is_told { checkpoint.size } else { u64::MAX };
                    told[at] = (size, Some(Instant::now()));
                    if !is_told {
                        later.no_later_than(anchor.interval());
                    }
                }
            }
            if self.rest(newest.map(|(checkpoint, _)| checkpoint.size), later) {
                break;
            }
        }
        self.lock().is_done = true;
        self.done.notify_all();
    }

    fn tell(&self, at: usize, anchor: &dyn Anchor, checkpoint: &Checkpoint, note: &str) -> bool {
        let history = &self.history;
        let result = anchor.tell(&Told {
            note,
            checkpoint,
            history,
        });
        let problem = result.err().map(|error| text::chain(&error));
        if let Some(problem) = &problem {
            self.problems
                .tell(Kind::Anchor, format!("{}: {problem}", anchor.name()));
        }
        let mut newest = self.lock();
        let state = &mut newest.states[at];
        let is_told = problem.is_none();
        state.problem = problem;
        if is_told {
            state.size = Some(checkpoint.size);
            state.told = Some(SystemTime::now().into());
        }
        is_told
    }

    /// Waits for a newer checkpoint, or for what is to be done later. Whether there will be none.
    fn rest(&self, size: Option<u64>, later: Later) -> bool {
        let soonest = later.soonest;
        let mut newest = self.lock();
        loop {
            let now = newest
                .checkpoint
                .as_ref()
                .map(|(checkpoint, _)| checkpoint.size);
            if newest.is_last {
                // Once more where the last is new, or was put off; one that could not be told was tried.
                return now == size && !later.is_deferred;
            }
            if now != size && soonest.is_none() {
                return false;
            }
            newest = match soonest {
                None => self
                    .changed
                    .wait(newest)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(soonest) => {
                    let waited = self
                        .changed
                        .wait_timeout_while(newest, soonest, |newest| !newest.is_last);
                    let (newest, _) = waited.unwrap_or_else(PoisonError::into_inner);
                    if !newest.is_last {
                        return false;
                    }
                    newest
                }
            };
        }
    }
}

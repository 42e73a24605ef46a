//! How a log is kept: where, how soon it is on the disk, how much of it, and who else is told of its checkpoints.

pub use crate::problem::OnProblem;

use crate::anchor::Anchor;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// When what is in the log is on the disk. A process that is killed loses no record that had begun in either case; a machine
/// that loses power loses what was not on the disk yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At most that much later. Ends of launches are written that much later too, so that a process that is killed may leave
    /// records without an end.
    Batched(Duration),
    /// Before whoever asked for something goes on.
    EachRecord,
}

impl Default for Durability {
    /// 100 ms later.
    fn default() -> Self {
        Self::Batched(Duration::from_millis(100))
    }
}

/// How a log is kept.
#[derive(Clone)]
pub struct Settings {
    /// The directory of all logs of a host, such as `audit` in its state directory.
    pub directory: PathBuf,
    /// When what is in the log is on the disk.
    pub durability: Durability,
    /// Whether nothing is done that could not be recorded. Else it is done, `on_problem` is told, and a later record says how
    /// many are missing.
    pub is_required: bool,
    /// The size at which a file of the log is followed by another.
    pub segment_bytes: u64,
    /// The most that all logs in the directory may have together: beyond that, the oldest files are removed.
    pub max_bytes: u64,
    /// For how long records are kept; as long as `max_bytes` lets, where there is no such time.
    pub keep: Option<Duration>,
    /// Who is told of checkpoints.
    pub anchors: Vec<Arc<dyn Anchor>>,
    /// Who is told of trouble with the log, each kind of it at most once in ten seconds, on the thread that had it. Records nothing
    /// itself.
    pub on_problem: Option<OnProblem>,
}

impl Settings {
    /// Files of 16 MiB, 1 GiB in all, on the disk within 100 ms, required, and no anchors.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::default(),
            is_required: true,
            segment_bytes: 16 << 20,
            max_bytes: 1 << 30,
            keep: None,
            anchors: Vec::new(),
            on_problem: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("directory", &self.directory)
            .field("durability", &self.durability)
            .field("is_required", &self.is_required)
            .finish_non_exhaustive()
    }
}

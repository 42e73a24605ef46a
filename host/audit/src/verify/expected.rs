//! What a log is expected to be: the roots that were signed, with where each stands.

use super::{Problem, ProblemKind};
use crate::checkpoint::Checkpoint;
use crate::merkle::Hash;
use crate::note::{MOST_BYTES, VerifierKey};
use crate::own;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Roots by the size of the tree.
pub(super) type Roots = BTreeMap<u64, Vec<Signed>>;

/// A root that was signed.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) root: Hash,
    pub(super) file: Arc<Path>,
    pub(super) offset: u64,
    pub(super) is_anchored: bool,
}

/// The roots that a log is expected to have.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) roots: Roots,
    pub(super) problems: Vec<Problem>,
}

impl Expected {
    /// Of the copy of the newest checkpoint, and of what anchors have.
    pub(super) fn of(kept: &Path, anchored: Roots, key: &VerifierKey) -> Self {
        let mut expected = Self {
            roots: anchored,
            problems: Vec::new(),
        };
        match own::read_signed(kept, MOST_BYTES) {
            // A power failure may leave an empty one.
            Ok(Some(note)) if !note.is_empty() => {
                let note = String::from_utf8_lossy(&note);
                expected.add(&note, key, &kept.into(), 0);
            }
            Ok(_) => {}
            Err(error) => {
                let problem = Problem::of(ProblemKind::Unreadable, error.to_string(), Some(kept));
                expected.problems.push(problem);
            }
        }
        expected
    }

    /// Adds one of the host's own checkpoints; one that cannot be believed is a problem. Says of which size it is.
    pub(super) fn add(
        &mut self,
        note: &str,
        key: &VerifierKey,
        file: &Arc<Path>,
        offset: u64,
    ) -> Option<u64> {
        match Checkpoint::open_own(note, key) {
            Ok(checkpoint) => {
                self.roots.entry(checkpoint.size).or_default().push(Signed {
                    root: checkpoint.root,
                    file: file.clone(),
                    offset,
                    is_anchored: false,
                });
                Some(checkpoint.size)
            }
            Err(error) => {
                let message = format!("a checkpoint is {error}");
                self.problems.push(Problem {
                    offset: Some(offset),
                    ..Problem::of(ProblemKind::Checkpoint, message, Some(file))
                });
                None
            }
        }
    }
}

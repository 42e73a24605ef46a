//! What a log is expected to be: the roots that were signed, with where each stands.

use super::{Problem, ProblemKind};
use crate::checkpoint::{self, Checkpoint};
use crate::merkle::Hash;
use crate::note::{MOST_BYTES, VerifierKey};
use crate::own;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The most that is read of an anchor's file.
const ANCHOR_BYTES: u64 = 1 << 30;

/// A checkpoint that an anchor has, as it stands there.
#[derive(Clone, Debug)]
pub(super) struct Anchored {
    note: String,
    file: PathBuf,
    offset: u64,
}

/// A root that was signed.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) root: Hash,
    pub(super) file: PathBuf,
    pub(super) offset: u64,
    pub(super) is_anchored: bool,
}

/// The roots that a log is expected to have, by size.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) roots: BTreeMap<u64, Vec<Signed>>,
    pub(super) problems: Vec<Problem>,
}

/// The checkpoints of anchors' files, by origin.
pub(super) fn of_files(
    files: &[PathBuf],
    problems: &mut Vec<Problem>,
) -> HashMap<String, Vec<Anchored>> {
    let mut found: HashMap<String, Vec<Anchored>> = HashMap::new();
    for file in files {
        let text = match read(file) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("an anchor's file cannot be read: {error}");
                problems.push(Problem::of(ProblemKind::Unreadable, message, Some(file)));
                continue;
            }
        };
        for (at, note) in checkpoint::notes(&text) {
            match note.split_once('\n') {
                Some((origin, _)) => found.entry(origin.to_owned()).or_default().push(Anchored {
                    note: note.to_owned(),
                    file: file.clone(),
                    offset: at as u64,
                }),
                None => {
                    let message = "an anchor's file does not end in a checkpoint";
                    problems.push(Problem::of(ProblemKind::Checkpoint, message, Some(file)));
                }
            }
        }
    }
    found
}

/// An anchor's file need not be the caller's own.
fn read(file: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)?
        .take(ANCHOR_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl Expected {
    /// Of the copy of the newest checkpoint, and of what anchors have.
    pub(super) fn of(kept: &Path, anchored: &[Anchored], key: &VerifierKey) -> Self {
        let mut expected = Self::default();
        match own::read_signed(kept, MOST_BYTES) {
            // A power failure may leave an empty one.
            Ok(Some(note)) if !note.is_empty() => {
                let note = String::from_utf8_lossy(&note);
                expected.add(&note, key, kept, 0, false);
            }
            Ok(_) => {}
            Err(error) => {
                let problem = Problem::of(ProblemKind::Unreadable, error.to_string(), Some(kept));
                expected.problems.push(problem);
            }
        }
        for one in anchored {
            expected.add(&one.note, key, &one.file, one.offset, true);
        }
        expected
    }

    /// Adds a checkpoint; one that cannot be believed is a problem. Says of which size it is.
    pub(super) fn add(
        &mut self,
        note: &str,
        key: &VerifierKey,
        file: &Path,
        offset: u64,
        is_anchored: bool,
    ) -> Option<u64> {
        let opened = match is_anchored {
            // Others may have signed it too.
            true => Checkpoint::open(note, &[key]),
            false => Checkpoint::open_own(note, key),
        };
        match opened {
            Ok(checkpoint) => {
                self.roots.entry(checkpoint.size).or_default().push(Signed {
                    root: checkpoint.root,
                    file: file.to_owned(),
                    offset,
                    is_anchored,
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

//! What was written to a log, read again for proofs about it.

use crate::lines::Lines;
use crate::merkle::{Frontier, Hash, Nodes};
use crate::note::VerifierKey;
use crate::segment::Segment;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A log, for proofs about it.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    key: VerifierKey,
    /// Where the last proof ended: the next is about what follows.
    mark: Mutex<Option<Mark>>,
}

#[derive(Clone, Debug)]
struct Mark {
    segment: Segment,
    offset: u64,
    tree: Frontier,
}

impl History {
    pub(crate) fn of(directory: &Path, key: VerifierKey) -> Self {
        Self {
            directory: directory.to_owned(),
            key,
            mark: Mutex::new(None),
        }
    }

    /// The proof that the tree of one size continues that of another; `None` if too little of the log is kept, or it cannot be
    /// read.
    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        if old == 0 || old == size {
            return Some(Vec::new());
        }
        let nodes = self.nodes(old, size)?;
        nodes.consistency(old, size)
    }

    /// The tree of that size, as far as it follows that of another.
    pub(crate) fn nodes(&self, from: u64, size: u64) -> Option<Nodes> {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reading = match mark.take().filter(|mark| mark.tree.size() <= from) {
            Some(mark) => mark,
            None => self.start(from)?,
        };
        let mut nodes = None;
        loop {
            if reading.tree.size() == from && nodes.is_none() {
                nodes = Some(Nodes::after(reading.tree.clone()));
            }
            if reading.tree.size() == size {
                break;
            }
            let mut lines = Lines::from(&reading.segment.records(), reading.offset).ok()?;
            while reading.tree.size() < size {
                let Some(line) = lines.next().ok()?.filter(|line| line.is_whole) else {
                    break;
                };
                let leaf = Hash::of_leaf(line.record);
                if let Some(nodes) = &mut nodes {
                    nodes.push(leaf);
                }
                reading.tree.push(leaf);
                if reading.tree.size() == from {
                    nodes = Some(Nodes::after(reading.tree.clone()));
                }
            }
            let before = (reading.segment.first, reading.offset);
            reading.offset = lines.at();
            if reading.tree.size() < size {
                reading.segment = reading.segment.followed_by(reading.tree.size());
                reading.offset = 0;
            }
            if before == (reading.segment.first, reading.offset) {
                return None;
            }
        }
        *mark = Some(reading);
        nodes
    }

    /// The last segment that begins no later than that, and says what it is continued from.
    fn start(&self, from: u64) -> Option<Mark> {
        let segments = Segment::all(&self.directory).ok()?.into_iter().rev();
        let mut begun = segments.filter(|segment| segment.first <= from);
        begun.find_map(|segment| {
            let tree = segment.read_start(&self.key).ok()?.ok()?;
            Some(Mark {
                segment,
                offset: 0,
                tree,
            })
        })
    }
}

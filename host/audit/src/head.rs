//! Where a writer left a log, so that the next need not read all of it.
//!
//! It is believed only where a checkpoint of that very tree was signed; else the segment is read from its start.

use crate::error::AuditError;
use crate::merkle::{Frontier, Hash};
use crate::own;
use crate::record::Began;
use crate::segment::Segment;
use hotcell_model::digest::RunId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

const FILE: &str = "head";

/// The most that is read of the file.
const BYTES: u64 = 16 << 20;

/// Where a writer left a log.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The first record of the segment.
    pub(crate) segment: u64,
    /// The end of the last record, in bytes from the segment's beginning.
    pub(crate) offset: u64,
    /// The tree up to there.
    pub(crate) tree: Frontier,
    /// What had begun and not ended.
    pub(crate) open: HashMap<RunId, Began>,
    /// Whether the writer was done with the log.
    pub(crate) is_closed: bool,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
struct Written {
    segment: u64,
    offset: u64,
    size: u64,
    frontier: Vec<String>,
    open: Vec<(RunId, Began)>,
    closed: bool,
}

impl Head {
    /// Writes it to the log in that directory.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), AuditError> {
        let path = directory.join(FILE);
        let open = self.open.iter();
        let written = Written {
            segment: self.segment,
            offset: self.offset,
            size: self.tree.size(),
            frontier: self.tree.hashes().iter().map(Hash::to_string).collect(),
            open: open.map(|(id, began)| (*id, began.clone())).collect(),
            closed: self.is_closed,
        };
        let json =
            serde_json::to_vec(&written).map_err(|error| AuditError::io(&path)(error.into()))?;
        own::replace(&path, &json)
    }

    /// Whether nothing follows it in the log in that directory.
    pub(crate) fn ends_the_log(&self, directory: &Path) -> bool {
        let segments = Segment::all(directory).unwrap_or_default();
        let is_last = |segment: &Segment| {
            let found = std::fs::symlink_metadata(segment.records());
            segment.first == self.segment && found.is_ok_and(|found| found.len() == self.offset)
        };
        segments.last().is_some_and(is_last)
    }

    /// Reads that of the log in that directory; `None` if there is none that makes sense.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, AuditError> {
        let bytes = own::read(&directory.join(FILE), BYTES)?.unwrap_or_default();
        let Ok(written) = serde_json::from_slice::<Written>(&bytes) else {
            return Ok(None);
        };
        let hashes: Result<Vec<Hash>, _> =
            written.frontier.iter().map(|hash| hash.parse()).collect();
        let tree = hashes
            .ok()
            .and_then(|hashes| Frontier::of(written.size, hashes));
        Ok(tree.map(|tree| Self {
            segment: written.segment,
            offset: written.offset,
            tree,
            open: written.open.into_iter().collect(),
            is_closed: written.closed,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_nonsense_is_none() {
        let base = tempfile::tempdir().unwrap();
        assert!(Head::read(base.path()).unwrap().is_none());
        let mut tree = Frontier::default();
        (0..5).for_each(|_| tree.push(Hash::of_nothing()));
        let head = Head {
            segment: 3,
            offset: 77,
            tree,
            open: HashMap::new(),
            is_closed: true,
        };
        head.write(base.path()).unwrap();
        let read = Head::read(base.path()).unwrap().unwrap();
        assert_eq!(
            (read.tree, read.offset, read.is_closed),
            (head.tree, 77, true)
        );
        std::fs::write(base.path().join(FILE), "{}").unwrap();
        assert!(Head::read(base.path()).unwrap().is_none());
    }
}

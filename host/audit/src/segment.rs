//! The files of one log: segments that are named by the first record in them.
//!
//! | file | has |
//! |---|---|
//! | `00000000000000000000.jsonl` | records, one a line |
//! | `00000000000000000000.start` | the frontier of the tree before the first of them, and a checkpoint of that size |
//! | `00000000000000000000.checkpoints` | the checkpoints that were signed while it was written |
//!
//! With `.start` a log whose beginning was removed can still be verified. Of a log from its first record on it has nothing that
//! is not known, and need not be there.

use crate::checkpoint::Checkpoint;
use crate::entry::Glance;
use crate::error::AuditError;
use crate::lines::Lines;
use crate::merkle::{Frontier, Hash};
use crate::note::{NoteSigner, VerifierKey};
use crate::own;
use hotcell_model::time::Timestamp;
use std::io;
use std::path::{Path, PathBuf};

/// The most that a file with a frontier has: 64 hashes and a checkpoint.
const START_BYTES: u64 = 8 << 10;

/// The most checkpoints' bytes that are read of one segment.
const CHECKPOINTS_BYTES: u64 = 256 << 20;

/// Why what a segment is continued from is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoStart {
    /// There is none: a power failure may also leave an empty file.
    #[error("it is missing")]
    Missing,
    /// It is not as it was signed.
    #[error("{0}")]
    Wrong(String),
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// The index of its first record.
    pub(crate) first: u64,
    directory: PathBuf,
}

impl Segment {
    /// That of the log in that directory.
    pub(crate) fn of(directory: &Path, first: u64) -> Self {
        Self {
            first,
            directory: directory.to_owned(),
        }
    }

    /// That which follows it in its log.
    pub(crate) fn followed_by(&self, first: u64) -> Self {
        Self::of(&self.directory, first)
    }

    /// All of a log, the oldest first.
    pub(crate) fn all(directory: &Path) -> Result<Vec<Self>, AuditError> {
        let io = AuditError::io(directory);
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(&io)? {
            let name = entry.map_err(&io)?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            let is_index = |digits: &&str| {
                digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
            };
            let first = digits.filter(is_index).map(str::parse);
            if let Some(Ok(first)) = first {
                segments.push(Self::of(directory, first));
            }
        }
        segments.sort();
        Ok(segments)
    }

    /// The file of the records.
    pub(crate) fn records(&self) -> PathBuf {
        self.file("jsonl")
    }

    /// The file of the checkpoints.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// The file with what the segment is continued from.
    pub(crate) fn start(&self) -> PathBuf {
        self.file("start")
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.directory.join(format!("{:020}.{suffix}", self.first))
    }

    /// Writes what the segment is continued from: on the disk when this returns, as it alone says so once older ones are removed.
    pub(crate) fn write_start(
        &self,
        tree: &Frontier,
        signer: &NoteSigner,
    ) -> Result<(), AuditError> {
        let mut text = String::new();
        for hash in tree.hashes() {
            text += &format!("{hash}\n");
        }
        let checkpoint = Checkpoint::of(signer.verifier().name(), tree);
        text += &format!("\n{}", checkpoint.sign(signer));
        own::replace_synced(&self.start(), text.as_bytes())
    }

    /// What the segment is continued from, if it is there and was signed.
    pub(crate) fn read_start(
        &self,
        key: &VerifierKey,
    ) -> Result<Result<Frontier, NoStart>, AuditError> {
        let bytes = own::read_signed(&self.start(), START_BYTES)?.unwrap_or_default();
        Ok(match (bytes.is_empty(), self.first) {
            (true, 0) => Ok(Frontier::default()),
            (true, _) => Err(NoStart::Missing),
            (false, _) => self.parse_start(&bytes, key).map_err(NoStart::Wrong),
        })
    }

    fn parse_start(&self, bytes: &[u8], key: &VerifierKey) -> Result<Frontier, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        let (hashes, note) = match text.strip_prefix('\n') {
            Some(note) => ("", note),
            None => text.split_once("\n\n").ok_or("it has no checkpoint")?,
        };
        let hashes: Result<Vec<Hash>, _> = hashes.lines().map(str::parse).collect();
        let hashes = hashes.map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::open_own(note, key).map_err(|error| error.to_string())?;
        let tree = Frontier::of(self.first, hashes).ok_or("it has another number of hashes")?;
        match (checkpoint.size, checkpoint.root) == (tree.size(), tree.root()) {
            true => Ok(tree),
            false => Err("its hashes are not those that were signed".to_owned()),
        }
    }

    /// The checkpoints' file as text; empty if there is none.
    pub(crate) fn read_checkpoints(&self) -> Result<String, AuditError> {
        let path = self.checkpoints();
        let bytes = own::read_signed(&path, CHECKPOINTS_BYTES)?.unwrap_or_default();
        // What is no text is no checkpoint, and is told from those that are.
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The bytes of all its files.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = |path: PathBuf| std::fs::symlink_metadata(path).map_or(0, |found| found.len());
        bytes(self.records()) + bytes(self.checkpoints()) + bytes(self.start())
    }

    /// The time of its first record, which is some time after those of the segment before; `None` if there is none.
    pub(crate) fn begun(&self) -> Option<Timestamp> {
        let mut lines = Lines::from(&self.records(), 0).ok()?;
        let line = lines.next().ok()?.filter(|line| line.is_whole)?;
        let glance: Glance = serde_json::from_slice(line.record).ok()?;
        Some(Timestamp::from_seconds(glance.time / 1000))
    }

    /// Whether it can be proven without those before it: that it says what it is continued from.
    pub(crate) fn can_be_first(&self) -> bool {
        std::fs::symlink_metadata(self.start()).is_ok_and(|found| found.len() != 0)
    }

    /// Removes its files, the records last: where this is cut short, what is left is still seen.
    pub(crate) fn remove(&self) -> Result<(), AuditError> {
        for path in [self.checkpoints(), self.start(), self.records()] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(AuditError::io(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    #[test]
    fn what_a_segment_is_continued_from_is_read_as_it_was_written_and_no_other_way() {
        let base = tempfile::tempdir().unwrap();
        let signer = NoteSigner::new("hotcell/log", SigningKey::from_bytes(&[7; 32])).unwrap();
        let mut tree = Frontier::default();
        for size in [0, 1, 6, 7] {
            while tree.size() < size {
                tree.push(Hash::of_leaf(b"x"));
            }
            let segment = Segment::of(base.path(), size);
            segment.write_start(&tree, &signer).unwrap();
            let read = |segment: &Segment| segment.read_start(signer.verifier()).unwrap();
            assert_eq!(read(&segment), Ok(tree.clone()));
            let written = std::fs::read(segment.start()).unwrap();
            for at in 0..written.len() {
                let mut changed = written.clone();
                changed[at] ^= 1;
                assert!(
                    segment.parse_start(&changed, signer.verifier()).is_err(),
                    "{at}"
                );
            }
        }
        let missing = Segment::of(base.path(), 9).read_start(signer.verifier());
        assert_eq!(missing.unwrap(), Err(NoStart::Missing));
        let none = Segment::of(&base.path().join("none"), 0).read_start(signer.verifier());
        assert_eq!(none.unwrap(), Ok(Frontier::default()));
    }

    #[test]
    fn segments_are_found_in_order_and_removed_whole() {
        let base = tempfile::tempdir().unwrap();
        for name in [
            "x.jsonl",
            "+0000000000000000007.jsonl",
            "00000000000000000012.jsonl",
            "00000000000000000003.jsonl",
        ] {
            std::fs::write(base.path().join(name), "").unwrap();
        }
        let found = Segment::all(base.path()).unwrap();
        assert_eq!(
            found.iter().map(|one| one.first).collect::<Vec<_>>(),
            [3, 12]
        );
        found[0].remove().unwrap();
        assert_eq!(Segment::all(base.path()).unwrap().len(), 1);
    }
}

//! That one record is in a log, for somebody who sees no other record and has the log's public key alone.

use crate::checkpoint::{self, Checkpoint};
use crate::claim;
use crate::entry::Glance;
use crate::error::AuditError;
use crate::history::History;
use crate::key::HostKey;
use crate::lines::Lines;
use crate::merkle::{Hash, check_inclusion};
use crate::note::VerifierKey;
use crate::segment::Segment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hotcell_model::digest::RunId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the form of a proof is called.
const FORMAT: &str = "hotcell-audit-proof-1";

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordId {
    /// The last record of a launch: its end, or its beginning if it has no end.
    Run(RunId),
    /// By its place: `log-0001:17`.
    Place {
        /// The log's name.
        log: String,
        /// The index.
        index: u64,
    },
}

/// A text that is no record's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record is named by the id of its launch, as reports have it, or by its place, as `log-0001:17`"
)]
pub struct NotARecordId;

impl FromStr for RecordId {
    type Err = NotARecordId;

    fn from_str(text: &str) -> Result<Self, NotARecordId> {
        if let Ok(run_id) = text.parse() {
            return Ok(Self::Run(run_id));
        }
        let (log, index) = text.split_once(':').ok_or(NotARecordId)?;
        let index = index.parse().map_err(|_| NotARecordId)?;
        Ok(Self::Place {
            log: log.to_owned(),
            index,
        })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run_id) => run_id.fmt(f),
            Self::Place { log, index } => write!(f, "{log}:{index}"),
        }
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The log cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// There is no such record.
    #[error("no record {0} is kept; `hotcell audit query` lists those that are")]
    NotFound(RecordId),
    /// It is not signed for.
    #[error(
        "record {0} is not signed for yet, or the log does not fit what was signed: see `hotcell audit verify`"
    )]
    Unsigned(RecordId),
}

/// The proof that a record is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    format: String,
    /// What the log is called in its checkpoints.
    pub log: String,
    /// The record's index.
    pub index: u64,
    /// The record as it stands in the log, without its newline.
    pub record: String,
    /// The hashes beside the path from the record to the root, the lowest first, in base64.
    pub path: Vec<String>,
    /// A checkpoint of a tree that has the record.
    pub checkpoint: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is of another form.
    #[error("it is no proof of the form `{FORMAT}`")]
    Malformed,
    /// The key cannot be that of the log.
    #[error("the log `{0}` is none of the host whose key this is")]
    AnotherLog(String),
    /// The checkpoint is not by the key.
    #[error("its checkpoint is {0}")]
    Checkpoint(#[from] crate::note::NoteError),
    /// The record is not in the tree.
    #[error("the record is not in the tree of the checkpoint at that place")]
    NotIncluded,
}

impl Proof {
    /// Whether it proves that its record is in the log of the host whose key that is. Says what was signed.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, key: &HostKey) -> Result<Checkpoint, ProofError> {
        if self.format != FORMAT {
            return Err(ProofError::Malformed);
        }
        let name = self.log.rsplit('/').next().unwrap_or_default();
        let verifier = key
            .verifier(name)
            .filter(|verifier| verifier.name() == self.log);
        let verifier = verifier.ok_or_else(|| ProofError::AnotherLog(self.log.clone()))?;
        let checkpoint = Checkpoint::open_own(&self.checkpoint, &verifier)?;
        let path: Result<Vec<Hash>, _> = self.path.iter().map(|hash| hash.parse()).collect();
        let path = path.map_err(|_| ProofError::Malformed)?;
        let (leaf, size) = (Hash::of_leaf(self.record.as_bytes()), checkpoint.size);
        match check_inclusion(leaf, self.index, size, &path, &checkpoint.root) {
            true => Ok(checkpoint),
            false => Err(ProofError::NotIncluded),
        }
    }

    /// The same in the form of C2SP's *tlog-proof* (c2sp.org/tlog-proof), with the record as its extra data.
    pub fn to_tlog_proof(&self) -> String {
        let record = STANDARD.encode(&self.record);
        let path: String = self.path.iter().map(|hash| format!("{hash}\n")).collect();
        let (index, checkpoint) = (self.index, &self.checkpoint);
        format!("c2sp.org/tlog-proof@v1\nextra {record}\nindex {index}\n{path}\n{checkpoint}")
    }
}

/// The proof for a record.
///
/// # Errors
/// There is no such record, it is not signed for, or the log cannot be read.
pub fn prove(directory: &Path, key: &HostKey, id: &RecordId) -> Result<Proof, ProveError> {
    let found = match id {
        RecordId::Run(run_id) => find_run(directory, *run_id)?,
        RecordId::Place { log, index } => {
            let logs = claim::logs(directory)?.into_iter();
            let log = logs.into_iter().find(|path| path.ends_with(log));
            log.map(|log| (log, *index))
        }
    };
    let (log, index) = found.ok_or_else(|| ProveError::NotFound(id.clone()))?;
    let name = log
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let unsigned = || ProveError::Unsigned(id.clone());
    let verifier = key.verifier(&name).ok_or_else(unsigned)?;
    let (segment, record) = record(&log, index)?.ok_or_else(|| ProveError::NotFound(id.clone()))?;
    let (checkpoint, note) = newest(&log, &verifier)?.ok_or_else(unsigned)?;
    let history = History::of(&log, verifier.clone());
    let nodes = history.nodes(segment.first, checkpoint.size);
    let path = nodes.and_then(|nodes| nodes.inclusion(index, checkpoint.size));
    let path = path.ok_or_else(unsigned)?;
    let proof = Proof {
        format: FORMAT.to_owned(),
        log: verifier.name().to_owned(),
        index,
        record,
        path: path.iter().map(Hash::to_string).collect(),
        checkpoint: note,
    };
    proof.check(key).map_err(|_| unsigned())?;
    Ok(proof)
}

/// The last record of a launch.
fn find_run(directory: &Path, run_id: RunId) -> Result<Option<(PathBuf, u64)>, AuditError> {
    let digits = run_id.to_string();
    let mut found = None;
    for log in claim::logs(directory)? {
        for segment in Segment::all(&log)? {
            let mut lines = Lines::from(&segment.records(), 0)?;
            let mut index = segment.first;
            while let Some(line) = lines.next()?.filter(|line| line.is_whole) {
                let has = line
                    .record
                    .windows(digits.len())
                    .any(|part| part == digits.as_bytes());
                let is_its = || {
                    let glance = serde_json::from_slice::<Glance>(line.record);
                    glance.is_ok_and(|glance| glance.unmapped.hotcell.run_id == Some(run_id))
                };
                if has && is_its() {
                    found = Some((log.clone(), index));
                }
                index += 1;
            }
        }
    }
    Ok(found)
}

/// A record, with the segment that it is in.
fn record(log: &Path, index: u64) -> Result<Option<(Segment, String)>, AuditError> {
    let segments = Segment::all(log)?;
    let Some(segment) = segments.into_iter().rev().find(|one| one.first <= index) else {
        return Ok(None);
    };
    let mut lines = Lines::from(&segment.records(), 0)?;
    let mut at = segment.first;
    while let Some(line) = lines.next()?.filter(|line| line.is_whole) {
        if at == index {
            let record = String::from_utf8(line.record.to_vec()).ok();
            return Ok(record.map(|record| (segment, record)));
        }
        at += 1;
    }
    Ok(None)
}

/// The newest checkpoint that is beside the log.
fn newest(log: &Path, key: &VerifierKey) -> Result<Option<(Checkpoint, String)>, AuditError> {
    for segment in Segment::all(log)?.iter().rev() {
        let text = segment.read_checkpoints()?;
        let notes: Vec<_> = checkpoint::notes(&text).collect();
        for (_, note) in notes.iter().rev() {
            if let Ok(checkpoint) = Checkpoint::open_own(note, key) {
                return Ok(Some((checkpoint, (*note).to_owned())));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_by_launch_or_place() {
        let run = "000102030405060708090a0b0c0d0e0f";
        assert!(matches!(run.parse(), Ok(RecordId::Run(_))));
        let place: RecordId = "log-0001:17".parse().unwrap();
        assert_eq!(place.to_string(), "log-0001:17");
        for text in ["", "17", "log-0001:", "log-0001:x"] {
            assert_eq!(text.parse::<RecordId>(), Err(NotARecordId), "{text}");
        }
    }
}

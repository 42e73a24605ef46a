//! Whether logs are what was signed of them, and where they are not.
//!
//! 1. Each log's records are put into the tree again, and held against every checkpoint: those beside the log, the copy of the
//!    newest elsewhere, and what anchors have.
//! 2. A record stands where it says. The first that does not is where something was removed, added or moved.
//! 3. Where the tree is another than was signed, what was changed is between that checkpoint and the one before.
//! 4. A log that ends before a checkpoint was cut. One that no anchor knows all of may have been: its tail is unproven.
//!
//! What is beside the log proves nothing to those who do not trust whoever has the key. An anchor does.

mod anchored;
mod expected;
mod walk;

use crate::anchor::WitnessAnchor;
use crate::claim;
use crate::error::AuditError;
use crate::key::HostKey;
use crate::retain;
use anchored::Anchored;
use expected::Roots;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use walk::Subject;

/// What a log is held against, besides what is in its directory.
#[derive(Debug, Default)]
pub struct Against {
    /// The key of the host; that in the directory, where there is none here. Whoever can change the logs can put another there.
    pub key: Option<HostKey>,
    /// Files of anchors: checkpoints of any logs.
    pub files: Vec<PathBuf>,
    /// Witnesses, which are asked.
    pub witnesses: Vec<WitnessAnchor>,
}

/// How far logs can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// An anchor knows every record, and all are as they were.
    Proven,
    /// All is as it was signed, and no anchor knows the last records, or that there were no others.
    TailUnproven,
    /// Something is not as it was.
    Broken,
}

/// What was found out about all logs of a directory.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// How far they can be believed: as far as the worst.
    pub standing: Standing,
    /// Each.
    pub logs: Vec<LogVerification>,
    /// What is wrong with no log in particular: one is gone, or a file cannot be read.
    pub problems: Vec<Problem>,
    /// What is to be known, and is nothing wrong.
    pub notes: Vec<String>,
}

/// What was found out about a log.
#[derive(Clone, Debug, Serialize)]
pub struct LogVerification {
    /// The log's name.
    pub log: String,
    /// What it is called in its checkpoints.
    pub origin: String,
    /// How far it can be believed.
    pub standing: Standing,
    /// The first record that is there: from there on it proves.
    pub first: u64,
    /// How many records there are, removed ones included.
    pub size: u64,
    /// How many are signed for.
    pub signed: u64,
    /// How many the anchors know of.
    pub anchored: u64,
    /// Where the records of a writer are that ends no more, or of one that runs now: begun, and without an end.
    pub unfinished: u64,
    /// Records that were closed as unknown.
    pub unknown: u64,
    /// Records that say that others could not be written.
    pub gaps: u64,
    /// Whether somebody writes to it now.
    pub is_written: bool,
    /// What is wrong, the first first.
    pub problems: Vec<Problem>,
    /// What is to be known, and is nothing wrong.
    pub notes: Vec<String>,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// What it is, in words.
    pub message: String,
    /// The first record that it may be about.
    pub record: Option<u64>,
    /// The file.
    pub file: Option<PathBuf>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// The time of the last record before it.
    pub after: Option<String>,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// A record is not as it was signed.
    Changed,
    /// A record is not where it was: one was removed, added or moved before it.
    Misplaced,
    /// Records are missing at the end.
    Cut,
    /// Records are missing elsewhere.
    Missing,
    /// A checkpoint, or what a segment begins with, is not as it was signed.
    Checkpoint,
    /// Something cannot be read.
    Unreadable,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        let mut places = Vec::new();
        if let Some(record) = self.record {
            places.push(format!("record {record}"));
        }
        if let Some(file) = &self.file {
            places.push(file.display().to_string());
        }
        if let Some(offset) = self.offset {
            places.push(format!("byte {offset}"));
        }
        if let Some(after) = &self.after {
            places.push(format!("after {after}"));
        }
        match places.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", places.join(", ")),
        }
    }
}

impl Problem {
    /// One that is about a file, or about no place at all.
    fn of(kind: ProblemKind, message: impl Into<String>, file: Option<&Path>) -> Self {
        Self {
            kind,
            message: message.into(),
            record: None,
            file: file.map(Path::to_owned),
            offset: None,
            after: None,
        }
    }
}

/// Holds all logs in a directory against what was signed of them.
///
/// # Errors
/// The directory cannot be read, or there is no key.
pub fn verify(directory: &Path, against: &Against) -> Result<Verification, AuditError> {
    let key = match &against.key {
        Some(key) => key.clone(),
        None => HostKey::of(directory)?.ok_or_else(|| AuditError::NotAKey {
            path: directory.join("key"),
        })?,
    };
    let mut anchored = Anchored::of(&against.files, &key);
    let mut problems = std::mem::take(&mut anchored.problems);
    let mut logs = Vec::new();
    let directories = claim::logs(directory)?;
    let mut names: BTreeSet<String> = retain::kept(directory).into_iter().collect();
    let mut missing = claim::missing(&directories);
    missing.retain(|name| !names.contains(name));
    for log in &directories {
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        names.remove(name.as_ref());
        let Some(verifier) = key.verifier(&name) else {
            continue;
        };
        let subject = Subject {
            log,
            name: &name,
            key: &verifier,
            kept: &retain::kept_elsewhere(directory, &name),
            witnesses: &against.witnesses,
        };
        let of_anchors = anchored.logs.remove(verifier.name()).unwrap_or_default();
        logs.push(verify_log(&subject, of_anchors, || {
            let mut anchored = Anchored::of(&against.files, &key);
            anchored.logs.remove(verifier.name()).unwrap_or_default()
        }));
    }
    for name in names {
        let message = format!("the log {name} is gone, of which there is a checkpoint");
        let kept = retain::kept_elsewhere(directory, &name);
        problems.push(Problem::of(ProblemKind::Missing, message, Some(&kept)));
    }
    for name in missing {
        let message = format!("the log {name} is gone: one with a higher number is there");
        problems.push(Problem::of(ProblemKind::Missing, message, Some(directory)));
    }
    for origin in anchored.logs.keys() {
        let message = format!("the log {origin} is gone, of which an anchor has a checkpoint");
        problems.push(Problem::of(ProblemKind::Missing, message, None));
    }
    let mut notes = anchored.notes;
    if against.key.is_none() && !anchored.others.is_empty() {
        notes.push(of_other_keys(&anchored.others));
        for log in &mut logs {
            log.standing = log.standing.max(Standing::TailUnproven);
        }
    }
    let worst = logs.iter().map(|log: &LogVerification| log.standing).max();
    let standing = match (problems.is_empty(), worst) {
        (false, _) => Standing::Broken,
        (true, Some(worst)) => worst,
        // That there never was a log nobody says.
        (true, None) => Standing::TailUnproven,
    };
    Ok(Verification {
        standing,
        logs,
        problems,
        notes,
    })
}

/// How often a log is read that somebody writes to, or of which a writer was removing old records.
const READINGS: usize = 3;

/// Holds one log against what was signed of it; `again` reads what anchors have of it once more.
///
/// Where something is not as it was that a writer may have done meanwhile, the log is read again: from the first record that is
/// to be kept on, where a record says so. That that record is signed is then seen as well.
fn verify_log(
    subject: &Subject<'_>,
    of_anchors: Roots,
    again: impl Fn() -> Roots,
) -> LogVerification {
    let (found, mut from) = walk::walk(subject, of_anchors, 0);
    let mut read = 1;
    while read < READINGS && found.standing == Standing::Broken {
        if !found.is_written && from <= found.first {
            break;
        }
        let (other, removed) = walk::walk(subject, again(), from);
        if other.standing != Standing::Broken {
            return other;
        }
        from = from.max(removed);
        read += 1;
    }
    found
}

/// Says that anchors know other keys than that beside the logs, which may have been put in the place of one of them.
fn of_other_keys(others: &BTreeSet<String>) -> String {
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    format!(
        "anchors have checkpoints of other keys than the one beside the logs, which proves nothing so: {}; give the key that is \
         to be believed with --key",
        others.join(", ")
    )
}

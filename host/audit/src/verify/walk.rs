//! One log, from its first record to its last.

use super::expected::{Expected, Roots};
use super::{LogVerification, Problem, ProblemKind, Standing};
use crate::anchor::{WitnessAnchor, WitnessError};
use crate::checkpoint::{self, Checkpoint};
use crate::claim;
use crate::entry::Glance;
use crate::error::AuditError;
use crate::lines::{Line, Lines};
use crate::merkle::{Frontier, Hash};
use crate::note::{MOST_BYTES, VerifierKey};
use crate::own;
use crate::record::Phase;
use crate::segment::{NoStart, Segment};
use hotcell_model::digest::RunId;
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// The most problems that are listed of a log.
const LISTED: usize = 100;

/// A log, and what else is asked about it.
pub(super) struct Subject<'a> {
    /// Its directory.
    pub(super) log: &'a Path,
    /// Its name.
    pub(super) name: &'a str,
    /// Its key.
    pub(super) key: &'a VerifierKey,
    /// Where the newest checkpoint is kept besides.
    pub(super) kept: &'a Path,
    /// Who is asked.
    pub(super) witnesses: &'a [WitnessAnchor],
}

/// Reads a log from the segment on that begins with that record, and holds it against what anchors have of it and what is beside
/// it. Says as well before which record a record says that others were removed, whether or not that is signed.
pub(super) fn walk(subject: &Subject<'_>, of_anchors: Roots, from: u64) -> (LogVerification, u64) {
    let Subject { log, key, .. } = *subject;
    let mut walk = Walk {
        key,
        expected: Expected::of(subject.kept, of_anchors, key),
        tree: Frontier::default(),
        proven_until: 0,
        is_other: false,
        anchored: 0,
        signed: 0,
        open: HashSet::new(),
        time: None,
        removed: Vec::new(),
        newest: None,
        found: LogVerification {
            log: subject.name.to_owned(),
            origin: key.name().to_owned(),
            standing: Standing::Broken,
            first: 0,
            size: 0,
            signed: 0,
            anchored: 0,
            unfinished: 0,
            unknown: 0,
            gaps: 0,
            is_written: claim::is_written(log),
            problems: Vec::new(),
            notes: Vec::new(),
        },
    };
    if let Err(error) = walk.segments(log, from) {
        let message = text::chain(&error);
        walk.problem(Problem::of(ProblemKind::Unreadable, message, Some(log)));
    }
    let before = walk.removed.iter().map(|(_, before)| *before).max();
    (walk.end(subject), before.unwrap_or(0))
}

struct Walk<'a> {
    key: &'a VerifierKey,
    expected: Expected,
    tree: Frontier,
    /// The size of the last tree that was as it was signed.
    proven_until: u64,
    /// Whether a tree was not: no later one can be.
    is_other: bool,
    anchored: u64,
    signed: u64,
    open: HashSet<RunId>,
    /// Of the last record.
    time: Option<u64>,
    /// Records that say that others were removed: the index of each, and before which record.
    removed: Vec<(u64, u64)>,
    /// The newest checkpoint's note beside the log.
    newest: Option<(Checkpoint, String)>,
    found: LogVerification,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct At<'a> {
    file: &'a Path,
    offset: u64,
}

impl Walk<'_> {
    fn problem(&mut self, problem: Problem) {
        if self.found.problems.len() < LISTED {
            self.found.problems.push(problem);
        }
    }

    /// A problem at a record.
    fn problem_at(&mut self, kind: ProblemKind, record: u64, at: At<'_>, message: String) {
        let after = self
            .time
            .map(|time| Timestamp::from_seconds(time / 1000).to_string());
        self.problem(Problem {
            kind,
            message,
            record: Some(record),
            file: Some(at.file.to_owned()),
            offset: Some(at.offset),
            after,
        });
    }

    fn segments(&mut self, log: &Path, from: u64) -> Result<(), AuditError> {
        let mut segments = Segment::all(log)?;
        let at = segments.iter().position(|segment| segment.first == from);
        // What is left of older ones is skipped only where one begins there.
        if segments.drain(..at.unwrap_or(0)).next().is_some() {
            let note = format!("files of records before {from} are left, which were removed");
            self.found.notes.push(note);
        }
        for (at, segment) in segments.iter().enumerate() {
            self.begin(segment, at == 0)?;
            self.checkpoints(segment)?;
            self.records(segment, at + 1 == segments.len())?;
        }
        Ok(())
    }

    /// What a segment is continued from.
    fn begin(&mut self, segment: &Segment, is_first: bool) -> Result<(), AuditError> {
        let start = segment.read_start(self.key)?;
        let (path, records) = (segment.start(), segment.records());
        let at = At {
            file: &records,
            offset: 0,
        };
        if is_first {
            self.found.first = segment.first;
            self.proven_until = segment.first;
        } else if segment.first != self.tree.size() {
            let size = self.tree.size();
            let message = format!("records {size} to {} are not there", segment.first);
            self.problem_at(ProblemKind::Missing, size, at, message);
            self.is_other = true;
        }
        match start {
            Ok(tree) => {
                if !is_first && segment.first == self.tree.size() && tree != self.tree {
                    let message = format!("{} is of another tree", path.display());
                    let first = self.proven_until;
                    self.problem_at(ProblemKind::Changed, first, at, message);
                    self.is_other = true;
                }
                if is_first || segment.first != self.tree.size() {
                    self.tree = tree;
                }
            }
            // The tree up to here is known. A writer that was killed leaves none, and the segment may be a moment old.
            Err(NoStart::Missing) if !is_first && segment.first == self.tree.size() => {
                if !self.found.is_written {
                    let path = path.display();
                    self.found.notes.push(format!("{path} is missing"));
                }
            }
            Err(why) => {
                let message =
                    format!("what the segment is continued from is not as it was signed: {why}");
                self.problem(Problem::of(ProblemKind::Checkpoint, message, Some(&path)));
                if self.tree.size() != segment.first {
                    self.is_other = true;
                    // Nothing of it can be proven; that its records are where they say can be looked at.
                    let hashes = vec![Hash::of_nothing(); segment.first.count_ones() as usize];
                    self.tree = Frontier::of(segment.first, hashes).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn checkpoints(&mut self, segment: &Segment) -> Result<(), AuditError> {
        let text = segment.read_checkpoints()?;
        let path: Arc<Path> = segment.checkpoints().into();
        let mut last = 0;
        for (at, note) in checkpoint::notes(&text) {
            let is_torn = at + note.len() == text.len() && !note.ends_with("=\n");
            if is_torn && self.found.is_written {
                continue;
            }
            let Some(size) = self.expected.add(note, self.key, &path, at as u64) else {
                continue;
            };
            if size < last {
                let message = "a checkpoint is of a smaller tree than the one before it".to_owned();
                self.problem(Problem {
                    offset: Some(at as u64),
                    ..Problem::of(ProblemKind::Checkpoint, message, Some(&path))
                });
            }
            last = size;
            self.newest = Checkpoint::glance(note).map(|said| (said, note.to_owned()));
        }
        self.compare(At {
            file: &path,
            offset: 0,
        });
        Ok(())
    }

    fn records(&mut self, segment: &Segment, is_last: bool) -> Result<(), AuditError> {
        let path = segment.records();
        let mut lines = Lines::from(&path, 0)?;
        let mut misplaced = false;
        while let Some(line) = lines.next()? {
            let at = At {
                file: &path,
                offset: line.offset,
            };
            if !line.is_whole {
                self.torn(line, at, is_last);
                break;
            }
            let index = self.tree.size();
            self.tree.push(Hash::of_leaf(line.record));
            match serde_json::from_slice::<Glance>(line.record) {
                Ok(glance) => {
                    let said = glance.metadata.sequence;
                    // All that follow it are elsewhere too.
                    if said != index && !misplaced {
                        misplaced = true;
                        let message = format!("here is record {said}, where {index} is to be");
                        self.problem_at(ProblemKind::Misplaced, index, at, message);
                    }
                    self.note(glance);
                }
                Err(error) => {
                    let message = format!("here is no record: {error}");
                    self.problem_at(ProblemKind::Changed, index, at, message);
                }
            }
            self.compare(at);
        }
        Ok(())
    }

    fn torn(&mut self, line: Line<'_>, at: At<'_>, is_last: bool) {
        let (index, bytes) = (self.tree.size(), line.record.len());
        let message = format!("here are {bytes} bytes without an end");
        match is_last {
            // Whether it was signed for is seen by the checkpoints.
            true => self.found.notes.push(format!(
                "the log ends in {bytes} bytes of half a record, which a crash leaves ({}, byte {})",
                at.file.display(),
                at.offset
            )),
            false => self.problem_at(ProblemKind::Changed, index, at, message),
        }
    }

    fn note(&mut self, glance: Glance) {
        self.time = Some(glance.time);
        let said = glance.unmapped.hotcell;
        match (said.phase, said.run_id) {
            (Phase::Begin, Some(run_id)) => {
                self.open.insert(run_id);
            }
            (Phase::Finish, Some(run_id)) => {
                self.open.remove(&run_id);
            }
            (Phase::Unknown, Some(run_id)) => {
                self.open.remove(&run_id);
                self.found.unknown += 1;
            }
            (Phase::Gap, run_id) => {
                self.found.gaps += 1;
                // What was refused has no other end.
                run_id.map(|run_id| self.open.remove(&run_id));
            }
            (Phase::Removed, _) => {
                let before = said.before.unwrap_or(0);
                self.removed.push((glance.metadata.sequence, before));
            }
            _ => {}
        }
    }

    /// Holds the tree against all that was signed of its size.
    fn compare(&mut self, at: At<'_>) {
        let size = self.tree.size();
        let Some(signed) = self.expected.roots.remove(&size) else {
            return;
        };
        let root = self.tree.root();
        for one in signed {
            if self.is_other {
                continue;
            }
            if one.root == root {
                self.proven_until = size;
                self.signed = self.signed.max(size);
                if one.is_anchored {
                    self.anchored = self.anchored.max(size);
                }
                continue;
            }
            self.is_other = true;
            let first = self.proven_until;
            let (file, offset) = (one.file.display().to_string(), one.offset);
            let message = match size {
                0 => format!("{file} at byte {offset} has another root of no records at all"),
                size => format!(
                    "records {first} to {} are not those that were signed ({file}, byte {offset})",
                    size - 1
                ),
            };
            self.problem_at(ProblemKind::Changed, first, at, message);
        }
    }

    fn end(mut self, subject: &Subject<'_>) -> LogVerification {
        let (log, size) = (subject.log, self.tree.size());
        let problems = std::mem::take(&mut self.expected.problems);
        problems
            .into_iter()
            .for_each(|problem| self.problem(problem));
        self.left(log);
        // Nobody removes anything before the record that says so is signed for.
        let is_signed = |at: u64| self.is_other || at < self.signed;
        let signed = self.removed.iter().filter(|(at, _)| is_signed(*at));
        let before = signed.map(|(_, before)| *before).max().unwrap_or(0);
        if before < self.found.first {
            let first = self.found.first;
            let message =
                format!("records {before} to {first} were removed, and no record says so");
            self.problem(Problem::of(ProblemKind::Missing, message, Some(log)));
        }
        self.ask(subject);
        self.found.size = size;
        self.found.signed = self.signed;
        self.found.anchored = self.anchored;
        self.found.unfinished = self.open.len() as u64;
        if self.found.first != 0 {
            let first = self.found.first;
            self.found.notes.push(format!(
                "proves from record {first} on: older ones were removed"
            ));
        }
        if self.signed < size && !self.is_other {
            let signed = self.signed;
            self.found
                .notes
                .push(format!("records {signed} to {size} are not signed for yet"));
        }
        let is_proven = self.anchored == size && size != 0;
        self.found.standing = match self.found.problems.is_empty() {
            false => Standing::Broken,
            true if is_proven => Standing::Proven,
            true => Standing::TailUnproven,
        };
        self.found
    }

    /// What was signed of trees that the log never was: larger ones, if not of records that are removed.
    fn left(&mut self, log: &Path) {
        let size = self.tree.size();
        let larger: Vec<_> = self.expected.roots.split_off(&size).into_iter().collect();
        // While it is written, a checkpoint may be newer than what was read of the records.
        if let Some((signed, places)) = larger.last() {
            let place = &places[0];
            let message = format!(
                "the log ends after {size} records, and {signed} were signed for ({}, byte {})",
                place.file.display(),
                place.offset
            );
            let at = At {
                file: log,
                offset: 0,
            };
            self.problem_at(ProblemKind::Cut, size, at, message);
        }
        let first = self.found.first;
        let between: Vec<u64> = self
            .expected
            .roots
            .keys()
            .copied()
            .filter(|size| *size > first)
            .collect();
        if let Some(other) = between.first().filter(|_| !self.is_other) {
            let message = format!("a checkpoint is of {other} records, in another segment");
            self.problem(Problem::of(ProblemKind::Checkpoint, message, Some(log)));
        }
    }

    /// Asks witnesses whether they have seen more.
    fn ask(&mut self, subject: &Subject<'_>) {
        let Some((checkpoint, note)) = self.newest.take().filter(|_| !self.is_other) else {
            return;
        };
        for witness in subject.witnesses {
            match witness.confirm(&checkpoint, &note) {
                Ok(()) => self.anchored = self.anchored.max(checkpoint.size),
                Err(WitnessError::TooOld { url, seen }) => {
                    let note = format!("the witness at {url} has seen {seen} records so far");
                    self.found.notes.push(note);
                }
                Err(WitnessError::SeenMore { url, seen, .. })
                    if self.found.is_written && subject.signed_meanwhile() >= seen =>
                {
                    let note = format!(
                        "the witness at {url} has seen {seen} records, some of which were written while these were read"
                    );
                    self.found.notes.push(note);
                }
                Err(error @ WitnessError::SeenMore { .. }) => {
                    let message = error.to_string();
                    self.problem(Problem::of(ProblemKind::Cut, message, None));
                }
                Err(error @ WitnessError::Refused { status: 409, .. }) => {
                    let message = error.to_string();
                    self.problem(Problem::of(ProblemKind::Changed, message, None));
                }
                Err(error) => self.found.notes.push(text::chain(&error)),
            }
        }
    }
}

impl Subject<'_> {
    /// How many records are signed for now, by the copy of the newest checkpoint: it is written before anybody is told.
    fn signed_meanwhile(&self) -> u64 {
        let note = own::read_signed(self.kept, MOST_BYTES);
        let note = note.ok().flatten().unwrap_or_default();
        let checkpoint = std::str::from_utf8(&note)
            .ok()
            .and_then(|note| Checkpoint::open_own(note, self.key).ok());
        checkpoint.map_or(0, |checkpoint| checkpoint.size)
    }
}

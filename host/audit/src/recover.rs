//! What a log is when somebody begins to write to it, whatever became of whoever did before.
//!
//! 1. What was signed of the log is gathered: the checkpoints beside it, and the copy of the newest elsewhere.
//! 2. Records are read from where the last writer said it was, if that was signed; else from the start of a segment.
//! 3. The tree over them is held against what was signed. A log that contradicts it is not continued: nobody signs what
//!    somebody else made of it.
//! 4. Half a record at the end, which a crash leaves, is moved away.
//! 5. What had begun and has no end is told, to be closed.

use crate::checkpoint::{self, Checkpoint};
use crate::claim::Claim;
use crate::entry::Glance;
use crate::error::AuditError;
use crate::head::Head;
use crate::lines::Lines;
use crate::merkle::{Frontier, Hash};
use crate::note::{NoteSigner, VerifierKey};
use crate::own;
use crate::record::{Began, Phase};
use crate::segment::Segment;
use hotcell_model::caller::Caller;
use hotcell_model::digest::RunId;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// A log that can be continued.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The newest segment.
    pub(crate) segment: Segment,
    /// Its records.
    pub(crate) file: Arc<File>,
    /// How long that is.
    pub(crate) bytes: u64,
    /// The tree over all records.
    pub(crate) tree: Frontier,
    /// How much of the tree was signed.
    pub(crate) signed: u64,
    /// What had begun and not ended.
    pub(crate) open: HashMap<RunId, Began>,
    /// How many bytes of half a record were moved away.
    pub(crate) torn: u64,
}

/// Reads what is to be read of a log. `kept` is the newest checkpoint that is kept elsewhere.
pub(crate) fn recover(
    claim: &Claim,
    signer: &NoteSigner,
    kept: Option<Checkpoint>,
) -> Result<Recovered, AuditError> {
    let mut reading = Reading {
        claim,
        key: signer.verifier(),
        signed: BTreeMap::new(),
        newest: 0,
        tree: Frontier::default(),
        open: HashMap::new(),
    };
    if let Some(kept) = kept {
        reading.expect(kept.size, kept.root);
    }
    let segments = Segment::all(&claim.directory)?;
    let Some((last, earlier)) = segments.split_last() else {
        return reading.begin(signer);
    };
    let (from, offset) = reading.find_start(&segments)?;
    for segment in earlier.iter().filter(|segment| segment.first >= from) {
        let offset = if segment.first == from { offset } else { 0 };
        let (_, torn) = reading.read(segment, offset, signer)?;
        if torn != 0 {
            return Err(reading.contradiction("a record is cut off before the end"));
        }
    }
    let offset = if last.first == from { offset } else { 0 };
    let (bytes, torn) = reading.read(last, offset, signer)?;
    reading.finish(last, bytes, torn)
}

struct Reading<'a> {
    claim: &'a Claim,
    key: &'a VerifierKey,
    /// Roots that were signed, by the size of the tree, as far as they are not compared yet.
    signed: BTreeMap<u64, Hash>,
    /// The largest size that was signed.
    newest: u64,
    tree: Frontier,
    open: HashMap<RunId, Began>,
}

impl Reading<'_> {
    fn contradiction(&self, why: impl Into<String>) -> AuditError {
        AuditError::Contradiction {
            log: self.claim.directory.clone(),
            why: why.into(),
        }
    }

    fn expect(&mut self, size: u64, root: Hash) {
        self.newest = self.newest.max(size);
        self.signed.insert(size, root);
    }

    /// A log without records.
    fn begin(self, signer: &NoteSigner) -> Result<Recovered, AuditError> {
        if self.newest != 0 {
            return Err(self.contradiction("its records are gone"));
        }
        let segment = Segment::of(&self.claim.directory, 0);
        segment.write_start(&self.tree, signer)?;
        let file = open_records(&segment)?;
        Ok(Recovered {
            segment,
            file: Arc::new(file),
            bytes: 0,
            tree: self.tree,
            signed: 0,
            open: self.open,
            torn: 0,
        })
    }

    /// The segment and the byte to read from, with the tree up to there.
    fn find_start(&mut self, segments: &[Segment]) -> Result<(u64, u64), AuditError> {
        let head = Head::read(&self.claim.directory)?;
        let of_head = head.and_then(|head| {
            let segment = segments.iter().find(|one| one.first == head.segment)?;
            Some((segment, head))
        });
        if let Some((segment, head)) = of_head
            && self.is_signed(segment, &head)?
        {
            (self.tree, self.open) = (head.tree, head.open);
            return Ok((segment.first, head.offset));
        }
        let mut why = "it has no segment".to_owned();
        for segment in segments.iter().rev() {
            match segment.read_start(self.key)? {
                Ok(tree) => {
                    self.tree = tree;
                    return Ok((segment.first, 0));
                }
                Err(error) => why = format!("{}: {error}", segment.start().display()),
            }
        }
        Err(self.contradiction(why))
    }

    /// Whether a checkpoint was signed of that tree, and the file has as much.
    fn is_signed(&self, segment: &Segment, head: &Head) -> Result<bool, AuditError> {
        let path = segment.records();
        let found = std::fs::symlink_metadata(&path).map_err(AuditError::io(&path))?;
        let (size, root) = (head.tree.size(), head.tree.root());
        let checkpoints = segment.read_checkpoints()?;
        let is_that = |note: &str| {
            let said = Checkpoint::glance(note);
            said.is_some_and(|said| (said.size, said.root) == (size, root))
                && Checkpoint::open_own(note, self.key).is_ok()
        };
        let notes: Vec<_> = checkpoint::notes(&checkpoints).collect();
        let is_start = head.offset == 0 && size == segment.first;
        let is_signed = is_start
            && segment
                .read_start(self.key)?
                .is_ok_and(|tree| tree == head.tree)
            || notes.iter().rev().any(|(_, note)| is_that(note));
        Ok(is_signed && found.len() >= head.offset)
    }

    /// Reads a segment from that byte on. Says where it ends, and how many bytes of half a record follow.
    fn read(
        &mut self,
        segment: &Segment,
        offset: u64,
        signer: &NoteSigner,
    ) -> Result<(u64, u64), AuditError> {
        if offset == 0 {
            if segment.first != self.tree.size() {
                return Err(self.contradiction(format!(
                    "records {} to {} are gone",
                    self.tree.size(),
                    segment.first
                )));
            }
            if segment.read_start(self.key)?.as_ref() != Ok(&self.tree) {
                // A writer that was killed between two files left none.
                segment.write_start(&self.tree, signer)?;
            }
        }
        self.read_checkpoints(segment)?;
        let mut lines = Lines::from(&segment.records(), offset)?;
        let mut torn = None;
        while let Some(line) = lines.next()? {
            if !line.is_whole {
                torn = Some(line.offset);
                break;
            }
            self.tree.push(Hash::of_leaf(line.record));
            let glance = serde_json::from_slice(line.record);
            let index = self.tree.size() - 1;
            let glance =
                glance.map_err(|_| self.contradiction(format!("record {index} is none")))?;
            self.note(index, glance);
            self.compare()?;
        }
        let (end, path) = (lines.at(), segment.records());
        let length = std::fs::symlink_metadata(&path)
            .map_err(AuditError::io(&path))?
            .len();
        Ok(torn.map_or((end, 0), |at| (at, length.saturating_sub(at))))
    }

    fn read_checkpoints(&mut self, segment: &Segment) -> Result<(), AuditError> {
        let text = segment.read_checkpoints()?;
        let mut torn = None;
        for (at, note) in checkpoint::notes(&text) {
            // What is before the tree at hand was compared when it was signed.
            if Checkpoint::glance(note).is_some_and(|said| said.size < self.tree.size()) {
                continue;
            }
            match Checkpoint::open_own(note, self.key) {
                Ok(checkpoint) => {
                    self.expect(checkpoint.size, checkpoint.root);
                }
                // The last may be cut off: whoever wrote it was killed.
                Err(_) if at + note.len() == text.len() => torn = Some(at),
                Err(error) => {
                    let path = segment.checkpoints();
                    let why = format!("{} at byte {at} is {error}", path.display());
                    return Err(self.contradiction(why));
                }
            }
        }
        self.signed = self.signed.split_off(&self.tree.size());
        let Some(torn) = torn else {
            return self.compare();
        };
        let path = segment.checkpoints();
        let file = own::open(&path, OpenOptions::new().write(true))?;
        file.set_len(torn as u64).map_err(AuditError::io(&path))?;
        self.compare()
    }

    /// Holds the tree against what was signed of that size.
    fn compare(&mut self) -> Result<(), AuditError> {
        let size = self.tree.size();
        match self.signed.remove(&size) {
            Some(root) if root != self.tree.root() => {
                Err(self.contradiction(format!("the first {size} records are others")))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, index: u64, glance: Glance) {
        let said = glance.unmapped.hotcell;
        let Some(run_id) = said.run_id else {
            return;
        };
        let begun = (said.phase, said.verb, said.tenant, said.started);
        if let (Phase::Begin, Some(verb), Some(tenant), Some(started)) = begun {
            let began = Began {
                index,
                verb,
                tenant,
                caller: said.caller.unwrap_or(Caller::Unauthenticated),
                component: said.component,
                started,
            };
            self.open.insert(run_id, began);
        } else {
            self.open.remove(&run_id);
        }
    }

    fn finish(self, last: &Segment, bytes: u64, torn: u64) -> Result<Recovered, AuditError> {
        if self.newest > self.tree.size() {
            let (newest, size) = (self.newest, self.tree.size());
            let why = format!("{newest} records were signed, and {size} are there");
            return Err(self.contradiction(why));
        }
        let mut file = open_records(last)?;
        if torn != 0 {
            self.move_torn(last, &mut file, bytes)?;
        }
        Ok(Recovered {
            segment: last.clone(),
            file: Arc::new(file),
            bytes,
            tree: self.tree,
            signed: self.newest,
            open: self.open,
            torn,
        })
    }

    /// Moves half a record to the file `torn`, which has such halves one after the other, for whoever wants to see them.
    fn move_torn(&self, last: &Segment, file: &mut File, bytes: u64) -> Result<(), AuditError> {
        const KEPT_BYTES: u64 = 1 << 20;
        let (from, path) = (last.records(), self.claim.directory.join("torn"));
        let mut torn = own::open(&path, OpenOptions::new().create(true).append(true))?;
        let mut half = Vec::new();
        let read = file
            .seek(SeekFrom::Start(bytes))
            .and_then(|_| file.take(KEPT_BYTES).read_to_end(&mut half));
        read.map_err(AuditError::io(&from))?;
        half.push(b'\n');
        torn.write_all(&half).map_err(AuditError::io(&path))?;
        file.set_len(bytes).map_err(AuditError::io(&from))
    }
}

/// Opens the records of a segment to write to them.
pub(crate) fn open_records(segment: &Segment) -> Result<File, AuditError> {
    own::open(
        &segment.records(),
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true),
    )
}

//! The end of a log, which all threads that record something share: lines on their way into the file.
//!
//! The order of lines is that of the leaves. That something began is in the kernel's hands before it is done, with whatever
//! waits before it; that something ended waits for the next beginning or for the next time the log is brought to the disk.

use crate::error::AuditError;
use crate::record::{Began, Ending, Gap, Unknown, Unplaced};
use crate::recover::{Recovered, open_records};
use crate::segment::Segment;
use hotcell_model::digest::RunId;
use hotcell_model::time::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

/// How much waits for the kernel at most; beyond that, what ended is lost.
const PENDING_BYTES: usize = 16 << 20;

/// How much waits for the kernel before whoever adds to it hands it over.
const WRITE_BYTES: usize = 256 << 10;

/// What is missing in the log.
#[derive(Debug)]
struct Missing {
    lost: u64,
    refused: u64,
    since: Timestamp,
    why: String,
}

/// The end of a log.
#[derive(Debug)]
pub(crate) struct Appender {
    ending: Ending,
    segment: Segment,
    file: Arc<File>,
    /// How long the file is, but for what a failed write left.
    bytes: u64,
    /// Whether a failed write left something.
    needs_cut: bool,
    /// The index of the next record.
    next: u64,
    /// How many records are in the kernel's hands.
    written: u64,
    pending: Vec<u8>,
    /// What is in the kernel's hands and not in the tree yet.
    unhashed: Vec<u8>,
    open: HashMap<RunId, Began>,
    /// What has ended lately, with the index of the record that says so: it may not be in the log yet.
    ended: Vec<(u64, RunId, Began)>,
    /// What has ended without a record that says so, until one says that.
    endless: Vec<(RunId, Began)>,
    missing: Option<Missing>,
    /// Why the log could not be brought to the disk the last time.
    unsynced: Option<String>,
    /// How many records are missing, over all gaps.
    lost: u64,
    /// Whether nothing more is recorded.
    is_closed: bool,
}

/// What is taken to be put into the tree.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The file that the lines are in.
    pub(crate) file: Arc<File>,
    /// How many records there are with them.
    pub(crate) size: u64,
    /// Where the file ends.
    pub(crate) bytes: u64,
    /// The segment that follows from here on, where one does.
    pub(crate) next: Option<Segment>,
    /// Why none does, where one was to.
    pub(crate) problem: Option<AuditError>,
}

impl Appender {
    /// The end of a log that was recovered, and whose lines end like that.
    pub(crate) fn of(recovered: &Recovered, ending: Ending) -> Self {
        let size = recovered.tree.size();
        Self {
            ending,
            segment: recovered.segment.clone(),
            file: recovered.file.clone(),
            bytes: recovered.bytes,
            needs_cut: false,
            next: size,
            written: size,
            pending: Vec::new(),
            unhashed: Vec::new(),
            open: HashMap::new(),
            ended: Vec::new(),
            endless: Vec::new(),
            missing: None,
            unsynced: None,
            lost: 0,
            is_closed: false,
        }
    }

    /// Has nothing more recorded.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether nothing more is recorded.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Records that something began: in the kernel's hands when this returns.
    pub(crate) fn begin(
        &mut self,
        record: &Unplaced,
        run_id: RunId,
        began: Began,
    ) -> io::Result<()> {
        let (length, next) = (self.pending.len(), self.next);
        self.fill_gap();
        let index = self.push(record);
        match self.hand_over() {
            Ok(()) => {
                self.gap_is_filled();
                self.open.insert(run_id, Began { index, ..began });
                Ok(())
            }
            Err(error) => {
                self.pending.truncate(length);
                self.next = next;
                Err(error)
            }
        }
    }

    /// Records that something ended.
    pub(crate) fn finish(&mut self, record: &Unplaced, run_id: &RunId) -> io::Result<()> {
        if self.is_closed {
            return Err(io::Error::other("the audit log is closed"));
        }
        if self.pending.len() > PENDING_BYTES {
            let why = self.missing.as_ref().map(|missing| missing.why.clone());
            let why = why.unwrap_or_else(|| "too much waits for the disk".to_owned());
            self.lose_end(run_id, &why);
            return Ok(());
        }
        let index = self.push(record);
        let began = self.open.remove(run_id);
        self.ended
            .extend(began.map(|began| (index, *run_id, began)));
        match self.pending.len() < WRITE_BYTES {
            true => Ok(()),
            false => self.hand_over(),
        }
    }

    /// Counts the record of an end that is not in the log.
    pub(crate) fn lose_end(&mut self, run_id: &RunId, why: &str) {
        self.miss(true, why);
        self.endless.extend(self.open.remove_entry(run_id));
    }

    /// Records that something was refused whose beginning is in the log.
    pub(crate) fn refuse(&mut self, run_id: RunId, why: &str) {
        let now = SystemTime::now().into();
        match Unplaced::note(&Gap::of_refused(run_id, now, why)) {
            Ok(record) => {
                self.lost += 1;
                let index = self.push(&record);
                let began = self.open.remove(&run_id);
                self.ended.extend(began.map(|began| (index, run_id, began)));
            }
            Err(_) => self.miss(false, why),
        }
    }

    /// Records something that is about the log itself; its index.
    pub(crate) fn note(&mut self, record: &Unplaced) -> u64 {
        self.push(record)
    }

    /// Counts a record that is not in the log: lost, or refused with what it would have recorded.
    pub(crate) fn miss(&mut self, is_lost: bool, why: &str) {
        let missing = self.missing.get_or_insert_with(|| Missing {
            lost: 0,
            refused: 0,
            since: SystemTime::now().into(),
            why: why.to_owned(),
        });
        match is_lost {
            true => missing.lost += 1,
            false => missing.refused += 1,
        }
        self.lost += 1;
    }

    /// Puts a record of what is missing where it is missing.
    fn fill_gap(&mut self) {
        if let Some(missing) = &self.missing {
            let gap = Gap::of(missing.lost, missing.refused, missing.since, &missing.why);
            let endless = self.endless.iter().cloned();
            let unknown = endless.map(|(id, began)| Unplaced::note(&Unknown::of(id, began)));
            let records: Vec<_> = [Unplaced::note(&gap)].into_iter().chain(unknown).collect();
            for record in records.into_iter().flatten() {
                self.push(&record);
            }
        }
    }

    fn gap_is_filled(&mut self) {
        self.missing = None;
        self.endless.clear();
    }

    fn push(&mut self, record: &Unplaced) -> u64 {
        let index = self.next;
        self.ending.place(record, index, &mut self.pending);
        self.next += 1;
        index
    }

    /// Gives what waits to the kernel, in one write.
    fn hand_over(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.needs_cut {
            self.file.set_len(self.bytes)?;
            self.needs_cut = false;
        }
        if let Err(error) = self.file.write_all_at(&self.pending, self.bytes) {
            self.needs_cut = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += self.pending.len() as u64;
        self.written = self.next;
        match self.unhashed.is_empty() {
            true => std::mem::swap(&mut self.unhashed, &mut self.pending),
            false => self.unhashed.append(&mut self.pending),
        }
        self.pending.clear();
        Ok(())
    }

    /// Gives what waits to the kernel, with a record of what is missing before it where something is.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let is_missing = self.missing.is_some();
        let (length, next) = (self.pending.len(), self.next);
        self.fill_gap();
        let flushed = self.hand_over();
        match flushed {
            Ok(()) if is_missing => self.gap_is_filled(),
            Ok(()) => {}
            Err(_) => {
                self.pending.truncate(length);
                self.next = next;
            }
        }
        flushed
    }

    /// Takes what is to be put into the tree, in exchange for an empty buffer. Where the file is to be followed by another, it is
    /// from here on.
    pub(crate) fn take(&mut self, lines: &mut Vec<u8>, is_full: impl FnOnce(u64) -> bool) -> Taken {
        let (file, bytes) = (self.file.clone(), self.bytes);
        // Not while something waits that has its place already.
        let (mut next, mut problem) = (None, None);
        if self.pending.is_empty() && bytes != 0 && is_full(bytes) {
            let segment = self.segment.followed_by(self.next);
            match open_records(&segment) {
                Ok(file) => {
                    self.file = Arc::new(file);
                    (self.segment, self.bytes) = (segment.clone(), 0);
                    next = Some(segment);
                }
                Err(error) => problem = Some(error),
            }
        }
        lines.clear();
        std::mem::swap(lines, &mut self.unhashed);
        Taken {
            file,
            size: self.written,
            bytes,
            next,
            problem,
        }
    }

    /// What has begun and not ended.
    pub(crate) fn open(&self) -> &HashMap<RunId, Began> {
        &self.open
    }

    /// Whether all that has begun has its end in the log.
    pub(crate) fn has_all_ends(&self) -> bool {
        self.open.is_empty() && self.endless.is_empty()
    }

    /// What has begun before that record and ends, if it does, with it or later. Not asked again of an earlier record.
    pub(crate) fn open_before(&mut self, index: u64) -> HashMap<RunId, Began> {
        self.ended.retain(|(ended, _, _)| *ended >= index);
        let ended = self.ended.iter().map(|(_, id, began)| (id, began));
        let endless = self.endless.iter().map(|(id, began)| (id, began));
        let open = self.open.iter().chain(ended).chain(endless);
        let before = open.filter(|(_, began)| began.index < index);
        before.map(|(id, began)| (*id, began.clone())).collect()
    }

    /// Whether there is anything to be done.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.pending.is_empty() || !self.unhashed.is_empty() || self.unsynced.is_some()
    }

    /// How much waits to be put into the tree.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.unhashed.len()
    }

    /// How many records there are, those included that are not in the file yet.
    pub(crate) fn size(&self) -> u64 {
        self.next
    }

    /// Why nothing could be written, or brought to the disk, the last time that it was tried.
    pub(crate) fn trouble(&self) -> Option<String> {
        let unwritten = self.missing.as_ref().map(|missing| missing.why.clone());
        unwritten.or_else(|| self.unsynced.clone())
    }

    /// How many records are missing.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Says whether the log could be brought to the disk.
    pub(crate) fn set_unsynced(&mut self, why: Option<String>) {
        self.unsynced = why;
    }

    /// Why it could not be brought to the disk the last time.
    pub(crate) fn unsynced(&self) -> Option<&str> {
        self.unsynced.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Glance;
    use crate::merkle::Frontier;
    use crate::record::Phase;
    use hotcell_model::audit::Verb;
    use hotcell_model::caller::Caller;

    fn appender(directory: &std::path::Path) -> Appender {
        let segment = Segment::of(directory, 0);
        let recovered = Recovered {
            file: Arc::new(open_records(&segment).unwrap()),
            segment,
            bytes: 0,
            tree: Frontier::default(),
            signed: 0,
            open: HashMap::new(),
            torn: 0,
        };
        Appender::of(&recovered, Ending::of("hotcell/log"))
    }

    fn begin(appender: &mut Appender, id: RunId) {
        let began = Began {
            index: 0,
            verb: Verb::Launch,
            tenant: "team".parse().unwrap(),
            caller: Caller::Unauthenticated,
            component: None,
            started: Timestamp::default(),
        };
        let record = Unplaced::note(&Gap::of(0, 0, Timestamp::default(), "stands for any"));
        appender.begin(&record.unwrap(), id, began).unwrap();
    }

    /// What each record of the log says, and of which launch.
    fn said(directory: &std::path::Path) -> Vec<(Phase, Option<RunId>)> {
        let text = std::fs::read_to_string(Segment::of(directory, 0).records()).unwrap();
        let glances = text
            .lines()
            .map(|line| serde_json::from_str::<Glance>(line).unwrap());
        let said = glances.map(|glance| glance.unmapped.hotcell);
        said.map(|said| (said.phase, said.run_id)).collect()
    }

    #[test]
    fn what_is_refused_after_it_was_written_is_open_no_more_and_the_log_says_so() {
        let base = tempfile::tempdir().unwrap();
        let (mut appender, id) = (appender(base.path()), RunId::from_bytes([1; 16]));
        begin(&mut appender, id);
        appender.refuse(id, "no disk");
        assert!(appender.has_all_ends());
        appender.flush().unwrap();
        assert_eq!(said(base.path())[1..], [(Phase::Gap, Some(id))]);
    }

    #[test]
    fn what_ended_without_a_record_is_open_no_more_and_is_closed_with_the_gap() {
        let base = tempfile::tempdir().unwrap();
        let (mut appender, id) = (appender(base.path()), RunId::from_bytes([1; 16]));
        begin(&mut appender, id);
        appender.lose_end(&id, "too much");
        assert!(appender.open().is_empty() && !appender.has_all_ends());
        assert_eq!(appender.open_before(1).len(), 1);
        appender.flush().unwrap();
        assert!(appender.has_all_ends());
        let closed = [(Phase::Gap, None), (Phase::Unknown, Some(id))];
        assert_eq!(said(base.path())[1..], closed);
    }
}

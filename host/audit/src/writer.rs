//! One log and what is done to it: lines are taken from its end, put into the tree, brought to the disk, and signed for.
//!
//! Whoever records something holds the lock on the end of the log for a copy or a write, and never while anything is hashed,
//! brought to the disk or signed.

use crate::anchor::{AnchorState, Anchoring};
use crate::append::{Appender, Taken};
use crate::appended::Appended;
use crate::checkpoint::Checkpoint;
use crate::claim::Claim;
use crate::error::AuditError;
use crate::head::Head;
use crate::history::History;
use crate::key;
use crate::merkle::{Frontier, Hash};
use crate::note::{MOST_BYTES, NoteSigner};
use crate::own;
use crate::problem::{Kind, Problems};
use crate::record::{Ending, Removed, Torn, Unknown, Unplaced};
use crate::recover::{Recovered, recover};
use crate::retain::{Doomed, Retention, kept_elsewhere};
use crate::segment::Segment;
use crate::settings::Settings;
use ed25519_dalek::SigningKey;
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// After how many bytes is written again where the log was left.
const HEAD_BYTES: u64 = 4 << 20;

/// A log with its writer.
pub(crate) struct Writer {
    claim: Claim,
    signer: NoteSigner,
    retention: Retention,
    problems: Arc<Problems>,
    anchoring: Anchoring,
    /// Where the newest checkpoint is kept besides.
    kept: PathBuf,
    appender: Mutex<Appender>,
    synced: Mutex<Synced>,
    shown: Mutex<Shown>,
}

/// What of the log is in the tree, and on the disk.
struct Synced {
    tree: Frontier,
    segment: Segment,
    checkpoints: Appended,
    /// Files that have what may not be on the disk yet.
    unsynced: Vec<Arc<File>>,
    /// Where the records in the tree end, in the segment that they end in.
    bytes: u64,
    /// The segment that follows the one at hand, with the tree before it.
    rotation: Option<(Segment, Frontier)>,
    /// A buffer for what is put into the tree.
    lines: Vec<u8>,
    /// How much was put into it since it was last written where the log was left.
    since_head: u64,
    /// What is signed for, and when that was.
    signed: Option<Checkpoint>,
    at: Option<Timestamp>,
    /// Segments that go once the record that says so is signed for.
    doomed: Option<(u64, Vec<Segment>)>,
    /// Since when the segment at hand is written.
    begun: SystemTime,
}

/// What is signed for, and when that was.
#[derive(Clone, Default)]
struct Shown {
    signed: Option<Checkpoint>,
    at: Option<Timestamp>,
}

impl Shown {
    fn of(synced: &Synced) -> Self {
        Self {
            signed: synced.signed.clone(),
            at: synced.at,
        }
    }
}

/// What a page or a metric shows of a log.
#[derive(Clone, Debug)]
pub struct LogState {
    /// The log's name: its directory.
    pub log: String,
    /// What it is called in its checkpoints.
    pub origin: String,
    /// How many records there are, those included that wait for the disk.
    pub size: u64,
    /// What was last signed; `None` if nothing was by this writer.
    pub checkpoint: Option<Checkpoint>,
    /// When it was last brought to the disk and signed for.
    pub synced: Option<Timestamp>,
    /// How many records were begun and have not ended.
    pub open: u64,
    /// How large the log is on the disk.
    pub bytes: u64,
    /// How many records could not be written.
    pub missing: u64,
    /// Why nothing can be written or brought to the disk now; absent if it can.
    pub trouble: Option<String>,
    /// How often there was trouble.
    pub problems: u64,
    /// The last trouble.
    pub last_problem: Option<String>,
    /// What is known of the anchors.
    pub anchors: Vec<AnchorState>,
}

impl Writer {
    /// Continues the log that was claimed, and closes what its last writer left open.
    pub(crate) fn open(
        claim: Claim,
        key: &SigningKey,
        settings: &Settings,
        problems: Arc<Problems>,
    ) -> Result<Self, Unopened> {
        let opened = recovered(&claim, key, settings);
        let (signer, recovered, checkpoints) = match opened {
            Ok(opened) => opened,
            Err(error) => return Err(Unopened { claim, error }),
        };
        let appender = Appender::of(&recovered, Ending::of(signer.verifier().name()));
        let history = History::of(&claim.directory, signer.verifier().clone());
        let is_signed = recovered.signed == recovered.tree.size() && recovered.signed != 0;
        let signed = Checkpoint::of(signer.verifier().name(), &recovered.tree);
        let started = std::fs::symlink_metadata(recovered.segment.start());
        let begun = started.and_then(|found| found.modified());
        let writer = Self {
            kept: kept_elsewhere(&settings.directory, &claim.name),
            retention: Retention::of(settings),
            anchoring: Anchoring::of(settings.anchors.clone(), history, problems.clone()),
            appender: Mutex::new(appender),
            synced: Mutex::new(Synced {
                unsynced: vec![recovered.file.clone()],
                tree: recovered.tree.clone(),
                segment: recovered.segment.clone(),
                checkpoints,
                bytes: recovered.bytes,
                rotation: None,
                lines: Vec::new(),
                since_head: 0,
                signed: Some(signed).filter(|_| is_signed),
                at: None,
                doomed: None,
                begun: begun.unwrap_or_else(|_| SystemTime::now()),
            }),
            shown: Mutex::default(),
            claim,
            signer,
            problems,
        };
        *writer.shown() = Shown::of(&writer.synced());
        writer.close_unfinished(recovered);
        Ok(writer)
    }

    /// Records what its last writer left: half a record, beginnings without an end, and what nobody signed for.
    fn close_unfinished(&self, recovered: Recovered) {
        let is_signed = recovered.signed == recovered.tree.size();
        if recovered.torn == 0 && recovered.open.is_empty() && is_signed {
            return;
        }
        let mut unfinished: Vec<_> = recovered.open.into_iter().collect();
        unfinished.sort_by_key(|(_, began)| began.index);
        let unknown = unfinished
            .into_iter()
            .map(|(id, began)| Unplaced::note(&Unknown::of(id, began)));
        let torn = (recovered.torn != 0).then(|| Unplaced::note(&Torn::of(recovered.torn)));
        {
            let mut appender = self.appender();
            for record in torn.into_iter().chain(unknown).flatten() {
                appender.note(&record);
            }
        }
        // What goes wrong is told, and tried again with what comes next.
        let _ = self.sync();
    }

    /// What is on the disk.
    fn synced(&self) -> MutexGuard<'_, Synced> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is shown of that, by whom nobody waits for a disk.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the log.
    pub(crate) fn appender(&self) -> MutexGuard<'_, Appender> {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name and directory, for as long as it is this writer's.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Brings to the disk what was recorded, and signs for it.
    pub(crate) fn sync(&self) -> Result<(), AuditError> {
        let mut synced = self.synced();
        let flushed = self.take(&mut synced);
        let done = self.settle(&mut synced);
        let unsynced = done.as_ref().err().map(|error| text::chain(error));
        if let Some(why) = &unsynced {
            self.problems.tell(Kind::Sync, why.clone());
        }
        self.appender().set_unsynced(unsynced);
        flushed.and(done)
    }

    /// Puts into the tree what is in the kernel's hands.
    fn take(&self, synced: &mut Synced) -> Result<(), AuditError> {
        let (taken, flushed) = {
            let mut appender = self.appender();
            let flushed = appender.flush();
            let can_follow = synced.rotation.is_none();
            let is_full = |bytes| can_follow && self.retention.is_full(bytes, synced.begun);
            (appender.take(&mut synced.lines, is_full), flushed)
        };
        if let Some(error) = &taken.problem {
            self.problems.tell(Kind::Beside, text::chain(error));
        }
        synced.put(taken);
        let path = synced.segment.records();
        flushed.map_err(|error| {
            let error = AuditError::io(&path)(error);
            self.problems.tell(Kind::Write, text::chain(&error));
            error
        })
    }

    /// Brings the tree to the disk and signs for it; then does what follows from that.
    fn settle(&self, synced: &mut Synced) -> Result<(), AuditError> {
        let size = synced.tree.size();
        let is_signed = synced
            .signed
            .as_ref()
            .is_some_and(|signed| signed.size == size);
        if is_signed && synced.rotation.is_none() {
            return Ok(());
        }
        for file in &synced.unsynced {
            file.sync_data()
                .map_err(AuditError::io(&synced.segment.records()))?;
        }
        synced.unsynced.clear();
        if let Some((next, tree)) = synced.rotation.take() {
            self.sign(synced, &tree);
            self.follow(synced, next, &tree);
        }
        let tree = synced.tree.clone();
        self.sign(synced, &tree);
        self.remove_doomed(synced);
        if synced.since_head > HEAD_BYTES {
            self.write_head(synced, false);
        }
        Ok(())
    }

    /// Signs for a tree, and tells everybody of it. What cannot be written beside the log is told, and no reason to stop.
    fn sign(&self, synced: &mut Synced, tree: &Frontier) {
        let checkpoint = Checkpoint::of(self.signer.verifier().name(), tree);
        if synced.signed.as_ref() == Some(&checkpoint) {
            return;
        }
        let note = checkpoint.sign(&self.signer);
        let path = synced.segment.checkpoints();
        let written = synced.checkpoints.append(note.as_bytes());
        let kept = own::replace(&self.kept, note.as_bytes());
        for error in [written.map_err(AuditError::io(&path)), kept]
            .into_iter()
            .filter_map(Result::err)
        {
            self.problems.tell(Kind::Beside, text::chain(&error));
        }
        self.anchoring.tell(&checkpoint, &note);
        synced.signed = Some(checkpoint);
        synced.at = Some(SystemTime::now().into());
        *self.shown() = Shown::of(synced);
    }

    /// Goes on with the next segment, whose records may be in it already.
    fn follow(&self, synced: &mut Synced, next: Segment, tree: &Frontier) {
        let begun = next
            .write_start(tree, &self.signer)
            .and_then(|()| Appended::open(&next.checkpoints()));
        match begun {
            Ok(checkpoints) => synced.checkpoints = checkpoints,
            // Its checkpoints stand in the file of the segment before it until the log is opened again.
            Err(error) => self.problems.tell(Kind::Beside, text::chain(&error)),
        }
        synced.segment = next;
        synced.begun = SystemTime::now();
        self.write_head(synced, false);
        self.doom(synced);
    }

    /// Removes of the log what is not to be kept.
    pub(crate) fn trim(&self) {
        self.doom(&mut self.synced());
    }

    /// Records that old segments go, if some are to.
    fn doom(&self, synced: &mut Synced) {
        let total = || self.retention.total();
        if let Some((why, doomed)) = self.retention.choose(&self.claim.directory, total) {
            let before = doomed.last().map_or(0, |last: &Doomed| last.end);
            if let Ok(record) = Unplaced::note(&Removed::before(before, why)) {
                let index = self.appender().note(&record);
                let segments = doomed.into_iter().map(|one| one.segment);
                synced.doomed = Some((index, segments.collect()));
            }
        }
    }

    /// Removes what is to go, once the record that says so is signed for.
    fn remove_doomed(&self, synced: &mut Synced) {
        let signed = synced.signed.as_ref().map_or(0, |signed| signed.size);
        let Some((_, segments)) = synced.doomed.take_if(|(index, _)| *index < signed) else {
            return;
        };
        for segment in segments {
            if let Err(error) = segment.remove() {
                self.problems.tell(Kind::Beside, text::chain(&error));
            }
        }
    }

    /// Writes down where the log is left.
    fn write_head(&self, synced: &mut Synced, is_closed: bool) {
        synced.since_head = 0;
        let open = self.appender().open_before(synced.tree.size());
        let head = Head {
            segment: synced.segment.first,
            offset: synced.bytes,
            tree: synced.tree.clone(),
            open,
            is_closed,
        };
        if let Err(error) = head.write(&self.claim.directory) {
            self.problems.tell(Kind::Beside, text::chain(&error));
        }
    }

    /// Brings everything to the disk, signs for it, and has the anchors told, for which it does not wait.
    pub(crate) fn close(&self) -> Result<(), AuditError> {
        // A record of what goes is written while the log is brought to the disk, and signed for the second time.
        let done = self.sync().and_then(|()| self.sync());
        let mut synced = self.synced();
        let is_closed = self.appender().has_all_ends();
        self.write_head(&mut synced, is_closed);
        self.anchoring.end();
        done
    }

    /// Its anchors, some of which may not have been told of all of it.
    pub(crate) fn anchoring(&self) -> &Anchoring {
        &self.anchoring
    }

    /// Leaves the log to whoever comes next. Its anchors may not have been told of all of it.
    pub(crate) fn leave(self) -> Anchoring {
        self.anchoring
    }

    /// What is shown of it.
    pub(crate) fn state(&self) -> LogState {
        let Shown { signed, at } = self.shown().clone();
        let (size, missing, open, trouble) = {
            let appender = self.appender();
            let open = appender.open().len() as u64;
            (appender.size(), appender.lost(), open, appender.trouble())
        };
        // What cannot be looked at now has no size.
        let segments = Segment::all(&self.claim.directory).unwrap_or_default();
        let (problems, last_problem) = self.problems.known();
        LogState {
            log: self.claim.name.clone(),
            origin: self.signer.verifier().name().to_owned(),
            size,
            checkpoint: signed,
            synced: at,
            open,
            bytes: segments.iter().map(Segment::bytes).sum(),
            missing,
            trouble,
            problems,
            last_problem,
            anchors: self.anchoring.states(),
        }
    }
}

impl Synced {
    /// Puts what was taken into the tree.
    fn put(&mut self, taken: Taken) {
        if self.lines.is_empty() && taken.next.is_none() {
            return;
        }
        for line in self.lines.split_inclusive(|byte| *byte == b'\n') {
            let record = line.strip_suffix(b"\n").unwrap_or(line);
            self.tree.push(Hash::of_leaf(record));
        }
        debug_assert_eq!(
            self.tree.size(),
            taken.size,
            "what is written is in the tree"
        );
        self.since_head += self.lines.len() as u64;
        if !self
            .unsynced
            .iter()
            .any(|file| Arc::ptr_eq(file, &taken.file))
        {
            self.unsynced.push(taken.file);
        }
        self.bytes = taken.bytes;
        if let Some(next) = taken.next {
            self.bytes = 0;
            self.rotation = Some((next, self.tree.clone()));
        }
    }
}

/// A log that could not be opened.
pub(crate) struct Unopened {
    pub(crate) claim: Claim,
    pub(crate) error: AuditError,
}

fn recovered(
    claim: &Claim,
    key: &SigningKey,
    settings: &Settings,
) -> Result<(NoteSigner, Recovered, Appended), AuditError> {
    let signer = key::signer(key, &claim.name)?;
    let kept = kept_elsewhere(&settings.directory, &claim.name);
    let newest = own::read_signed(&kept, MOST_BYTES)?.unwrap_or_default();
    // One that cannot be read says nothing here; `verify` tells of it.
    let newest = std::str::from_utf8(&newest).ok();
    let newest = newest.and_then(|note| Checkpoint::open_own(note, signer.verifier()).ok());
    let recovered = recover(claim, &signer, newest)?;
    let checkpoints = Appended::open(&recovered.segment.checkpoints())?;
    Ok((signer, recovered, checkpoints))
}

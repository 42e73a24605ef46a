//! The audit log that a host records to.

use crate::anchor::Anchoring;
use crate::claim::{self, Claim};
use crate::error::AuditError;
use crate::head::Head;
use crate::key;
use crate::own;
use crate::problem::{Kind, Problems};
use crate::record::{Began, Unplaced};
use crate::retain::{self, Retention};
use crate::settings::{Durability, Settings};
use crate::writer::{LogState, Unopened, Writer};
use ed25519_dalek::SigningKey;
use hotcell_model::audit::{Audit, AuditRecord};
use hotcell_model::report::Report;
use hotcell_model::text;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many times the thread looks for something to do before it sleeps until it is woken: to wake it costs whoever does.
const LOOKS: u32 = 10;

/// How much may wait to be put into the tree before whoever adds to it helps.
const WAITING_BYTES: usize = 8 << 20;

/// The most logs of writers that ended that are closed when a log is opened.
const TENDED: usize = 8;

/// How long the end of a log waits for its anchors to be told of it.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// The audit log that a host records to. It is closed when it is dropped.
pub struct AuditLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Anchors of other logs, which were closed when this was opened.
    tended: Vec<Anchoring>,
}

struct Shared {
    writer: Writer,
    durability: Durability,
    is_required: bool,
    problems: Arc<Problems>,
    rest: Mutex<Rest>,
    woken: Condvar,
}

/// What the thread does that brings the log to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// It looks whether there is something to be done, every so often.
    Looks,
    /// It sleeps until somebody wakes it.
    Sleeps,
    /// It is to end.
    Ends,
}

thread_local! {
    /// What a thread makes its records in.
    static RECORD: RefCell<Unplaced> = RefCell::default();
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = self.shared.writer.claim();
        f.debug_tuple("AuditLog").field(&claim.directory).finish()
    }
}

impl AuditLog {
    /// Opens the first log in the directory that has no other writer, or begins one. What its last writer left unfinished is
    /// closed, and so are the logs of writers that ended without.
    ///
    /// A log that contradicts what was signed of it is told to `on_problem`, is not written to again, and is left as it is for
    /// `verify`.
    ///
    /// # Errors
    /// The directory or the key cannot be used.
    pub fn open(settings: Settings) -> Result<Self, AuditError> {
        own::directory(&settings.directory)?;
        retain::make_place(&settings.directory)?;
        let key = key::own(&settings.directory)?;
        let problems = Arc::new(Problems::new(settings.on_problem.clone()));
        let writer = first(&settings, &key, &problems)?;
        let tended = tend(&settings, &key, &problems, &writer.claim().directory);
        let shared = Arc::new(Shared {
            writer,
            durability: settings.durability,
            is_required: settings.is_required,
            problems,
            rest: Mutex::new(Rest::Looks),
            woken: Condvar::new(),
        });
        let thread = match settings.durability {
            Durability::EachRecord => None,
            Durability::Batched(interval) => Some(Shared::begin(&shared, interval)?),
        };
        Ok(Self {
            shared,
            thread: Mutex::new(thread),
            tended,
        })
    }

    /// Brings to the disk what was recorded so far, and signs for it.
    ///
    /// # Errors
    /// It cannot be written or brought to the disk.
    pub fn flush(&self) -> Result<(), AuditError> {
        self.shared.writer.sync()
    }

    /// Brings everything to the disk, signs for it, and tells the anchors, for which it waits a few seconds. What is recorded
    /// afterwards is lost.
    ///
    /// # Errors
    /// It cannot be written or brought to the disk.
    pub fn close(&self) -> Result<(), AuditError> {
        {
            let mut rest = self.shared.rest();
            if *rest == Rest::Ends {
                return Ok(());
            }
            *rest = Rest::Ends;
        }
        self.shared.woken.notify_all();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        self.shared.writer.appender().close();
        let closed = self.shared.writer.close();
        let begun = Instant::now();
        let of_own = [self.shared.writer.anchoring()];
        for anchoring in of_own.into_iter().chain(&self.tended) {
            anchoring.wait(LAST_WAIT.saturating_sub(begun.elapsed()));
        }
        closed
    }

    /// What is shown of it. Waits for no disk but to look how large the log is.
    pub fn state(&self) -> LogState {
        self.shared.writer.state()
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// The names of the logs in a directory.
///
/// # Errors
/// The directory cannot be read.
pub fn names(directory: &Path) -> Result<Vec<String>, AuditError> {
    let logs = claim::logs(directory)?.into_iter();
    let names = logs.filter_map(|log| log.file_name()?.to_str().map(str::to_owned));
    Ok(names.collect())
}

/// The first log that can be continued.
fn first(
    settings: &Settings,
    key: &SigningKey,
    problems: &Arc<Problems>,
) -> Result<Writer, AuditError> {
    let mut from = 1;
    loop {
        let (number, claim) = Claim::first(&settings.directory, from)?;
        match Writer::open(claim, key, settings, problems.clone()) {
            Ok(writer) => {
                writer.trim();
                return Ok(writer);
            }
            Err(Unopened { claim, error }) if matches!(error, AuditError::Contradiction { .. }) => {
                let why = text::chain(&error);
                problems.tell(Kind::Other, why.clone());
                claim.set_aside(&why)?;
                from = number + 1;
            }
            Err(Unopened { error, .. }) => return Err(error),
        }
    }
}

/// Closes what other writers left that ended without. What goes wrong there is told, and no reason not to record. Their anchors
/// are told meanwhile.
fn tend(
    settings: &Settings,
    key: &SigningKey,
    problems: &Arc<Problems>,
    own: &Path,
) -> Vec<Anchoring> {
    let logs = claim::logs(&settings.directory).unwrap_or_default();
    let retention = Retention::of(settings);
    let total = OnceCell::new();
    let total = || *total.get_or_init(|| retention.total());
    let is_left = |log: &Path| is_left(log) || retention.choose(log, total).is_some();
    let left = logs
        .iter()
        .filter(|log| log.as_path() != own && is_left(log));
    let claims = left.filter_map(|log| match Claim::of(log) {
        Ok(claim) => claim,
        Err(error) => {
            problems.tell(Kind::Other, text::chain(&error));
            None
        }
    });
    let mut tended = Vec::new();
    for claim in claims.take(TENDED) {
        let settled = match Writer::open(claim, key, settings, problems.clone()) {
            Ok(writer) => {
                writer.trim();
                let closed = writer.close();
                tended.push(writer.leave());
                closed
            }
            Err(Unopened { claim, error }) => match error {
                AuditError::Contradiction { .. } => {
                    let why = text::chain(&error);
                    claim.set_aside(&why).and(Err(error))
                }
                error => Err(error),
            },
        };
        if let Err(error) = settled {
            problems.tell(Kind::Other, text::chain(&error));
        }
    }
    tended
}

/// Whether a log was left by a writer that did not close it.
fn is_left(log: &Path) -> bool {
    let head = Head::read(log).ok().flatten();
    !head.is_some_and(|head| head.is_closed && head.ends_the_log(log))
}

impl Shared {
    /// Begins the thread that brings the log to the disk.
    fn begin(shared: &Arc<Self>, interval: Duration) -> Result<JoinHandle<()>, AuditError> {
        let this = shared.clone();
        let name = "audit-sync".to_owned();
        let begun = std::thread::Builder::new().name(name);
        let begun = begun.spawn(move || this.run(interval));
        begun.map_err(AuditError::io(&shared.writer.claim().directory))
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, interval: Duration) {
        let mut looks = 0;
        while self.wait(interval, looks >= LOOKS) {
            if self.writer.appender().is_dirty() {
                looks = 0;
                // What goes wrong is told, and tried again.
                let _ = self.writer.sync();
            } else {
                looks += 1;
            }
        }
    }

    /// Waits for the next look, and before that for something to happen if nothing did for long. Whether to go on.
    fn wait(&self, interval: Duration, sleeps: bool) -> bool {
        let mut rest = self.rest();
        if sleeps && *rest != Rest::Ends {
            *rest = Rest::Sleeps;
            // Looked at after it is said: whoever records something looks after that is recorded.
            if self.writer.appender().is_dirty() {
                *rest = Rest::Looks;
            }
            let slept = self.woken.wait_while(rest, |rest| *rest == Rest::Sleeps);
            rest = slept.unwrap_or_else(PoisonError::into_inner);
        }
        let waited = self
            .woken
            .wait_timeout_while(rest, interval, |rest| *rest != Rest::Ends);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != Rest::Ends
    }

    /// Sees to it that what was recorded comes to the disk.
    fn recorded(&self, waiting_bytes: usize) -> Result<(), AuditError> {
        if self.durability == Durability::EachRecord || waiting_bytes > WAITING_BYTES {
            return self.writer.sync();
        }
        let mut rest = self.rest();
        if *rest == Rest::Sleeps {
            *rest = Rest::Looks;
            drop(rest);
            self.woken.notify_all();
        }
        Ok(())
    }

    fn begin_record(&self, unplaced: &mut Unplaced, record: &AuditRecord) -> io::Result<()> {
        if let Err(error) = unplaced.begin(record) {
            let why = error.to_string();
            self.writer.appender().miss(!self.is_required, &why);
            return self.unwritten(error.into());
        }
        if self.durability == Durability::EachRecord && self.writer.appender().unsynced().is_some()
        {
            // No thread tries again.
            let _ = self.writer.sync();
        }
        let waiting = {
            let mut appender = self.writer.appender();
            if appender.is_closed() {
                return Err(AuditError::Closed.into());
            }
            if let Some(why) = appender.unsynced().filter(|_| self.is_required) {
                let why = why.to_owned();
                appender.miss(false, &why);
                return Err(io::Error::other(why));
            }
            let began = Began::of(record, 0);
            if let Err(error) = appender.begin(unplaced, record.run_id, began) {
                appender.miss(!self.is_required, &error.to_string());
                drop(appender);
                return self.unwritten(error);
            }
            appender.waiting_bytes()
        };
        match self.recorded(waiting) {
            Err(error) if self.is_required => {
                let why = text::chain(&error);
                self.writer.appender().refuse(record.run_id, &why);
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// A record could not be written: nothing is done without, or it is told.
    fn unwritten(&self, error: io::Error) -> io::Result<()> {
        let directory = &self.writer.claim().directory;
        let error = AuditError::io(directory)(error);
        self.problems.tell(Kind::Write, text::chain(&error));
        match self.is_required {
            true => Err(error.into()),
            false => Ok(()),
        }
    }

    fn finish_record(&self, unplaced: &mut Unplaced, record: &AuditRecord, report: &Report) {
        let waiting = match unplaced.finish(record, report) {
            Ok(()) => {
                let mut appender = self.writer.appender();
                let finished = appender.finish(unplaced, &record.run_id);
                let waiting = appender.waiting_bytes();
                drop(appender);
                if let Err(error) = finished {
                    let error = AuditError::io(&self.writer.claim().directory)(error);
                    self.problems.tell(Kind::Write, text::chain(&error));
                }
                waiting
            }
            Err(error) => {
                let why = error.to_string();
                self.writer.appender().lose_end(&record.run_id, &why);
                0
            }
        };
        // What goes wrong is told where it does.
        let _ = self.recorded(waiting);
    }
}

impl Audit for AuditLog {
    fn begin(&self, record: &AuditRecord) -> io::Result<()> {
        RECORD.with_borrow_mut(|unplaced| self.shared.begin_record(unplaced, record))
    }

    fn finish(&self, record: &AuditRecord, report: &Report) {
        RECORD.with_borrow_mut(|unplaced| self.shared.finish_record(unplaced, record, report));
    }
}

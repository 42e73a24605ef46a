//! One guarded process: Python behind walls, one call at a time, watched from outside.

mod log;
mod parcel;
mod watch;

pub(crate) use watch::{Called, JitSeen, Order, Stopped, Value};

pub(crate) use super::fault::Fault;
use super::process::{Arrived, Process};
use super::reading::{Greeting, read_ready, read_walled};
use super::tier::check_tier;
use crate::bell::OnCancel;
use hotcell_model::frame::{BeginRequest, ToGuarded};
use hotcell_model::layer::{Layer, LayerReport, Tier, WorkerKind};
use hotcell_model::limit::Limits;
use hotcell_model::manifest::Weight;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::cgroup::Cgroup;
use hotcell_sandbox::channel::Wake;
use hotcell_sandbox::lockdown::Refusals;
use hotcell_sandbox::log_pipe::LogPipe;
use hotcell_sandbox::process::{Status, WorkerCommand};
use log::Log;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// How long the walls may take.
const WALLS_WITHIN: Duration = Duration::from_secs(10);
/// How long imports may take, unless a call's deadline is nearer.
const IMPORTS_WITHIN: Duration = Duration::from_secs(120);

const KIND: WorkerKind = WorkerKind::Guarded;

/// A guarded process that is ready. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct GuardedWorker {
    process: Process,
    layers: Arc<[LayerReport]>,
    wake: Arc<Wake>,
    /// What it writes; nothing where that goes to the caller's own.
    pipe: Option<LogPipe>,
    refusals: Refusals,
    /// How many refusals there were so far.
    refused: u32,
    /// What it had when it was ready.
    base: Status,
    /// Its private writable memory when it was last looked at.
    rest_bytes: u64,
    /// Its CPU time when it last had nothing to do.
    rested_at: Option<Duration>,
    /// What it had moved to and from disks by then.
    disk_at: Option<(u64, u64)>,
    /// Counts calls: their ids.
    calls: u64,
    /// What it may write to where it has no mounts of its own.
    _folder: Option<Folder>,
}

/// A folder that is removed at the end, with what was put there.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// What the names of such folders begin with; the process's number follows.
const FOLDERS: &str = "hotcell-guard-";

impl Folder {
    /// One that nobody else reaches.
    pub(crate) fn new() -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        static SWEPT: Once = Once::new();
        let place = std::env::temp_dir();
        SWEPT.call_once(|| sweep(&place));
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = place.join(format!("{FOLDERS}{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                // Somebody else's, or of an earlier process of that number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Removes what processes have left that were killed.
fn sweep(place: &Path) {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDERS)?.split('-').next());
        if let Some(owner) = owner
            && owner.parse::<u32>().is_ok()
            && !Path::new("/proc").join(owner).exists()
        {
            // Another user's is theirs to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the machine's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the process's standard descriptors go.
pub(crate) enum Standard {
    /// Nothing to read, and what is written is the log.
    Log,
    /// The caller's own.
    Own([OwnedFd; 3]),
}

/// What a guarded process is started with.
pub(crate) struct StartOrder<'a> {
    pub(crate) command: &'a WorkerCommand,
    pub(crate) begin: BeginRequest,
    pub(crate) folder: Folder,
    pub(crate) standard: Standard,
    pub(crate) required: Tier,
    pub(crate) cgroup: &'a dyn Fn(u32) -> Result<Cgroup, LayerReport>,
    /// The latest moment for it to be ready.
    pub(crate) deadline: Option<Instant>,
    pub(crate) stop: &'a StopSignal,
}

/// Why there is no guarded process.
pub(crate) enum NotStarted {
    /// The walls are too low.
    Tier(Outcome),
    /// What was to be imported cannot be.
    Imports(String),
    /// It was cancelled.
    Cancelled,
    /// The deadline passed.
    TimedOut,
    /// It failed.
    Fault(Fault),
}

impl From<Fault> for NotStarted {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl NotStarted {
    /// The same, with what the process wrote last.
    fn with_words(self, words: String) -> Self {
        match self {
            Self::Fault(Fault::Died(kind, exit)) if !words.is_empty() => {
                let why = format!("{}; it wrote: {words}", super::fault::death(exit));
                Self::Fault(Fault::Failed(kind, why))
            }
            other => other,
        }
    }

    /// The end of a call that has no process; of one that was late the caller knows the numbers.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Tier(outcome) => outcome,
            Self::Imports(why) => {
                let message = format!("the guarded process is not ready: {why}");
                Outcome::failed(OutcomeKind::Usage, Blame::Request, message)
            }
            Self::Cancelled => crate::isolation::cancelled("the guarded process was started"),
            Self::TimedOut => Outcome::failed(
                OutcomeKind::Timeout,
                Blame::Request,
                "the guarded process was not ready in time: its imports take longer",
            ),
            Self::Fault(fault) => fault.outcome(),
        }
    }
}

impl GuardedWorker {
    /// Starts one, and waits until it has imported what it is to import, behind its walls.
    pub(crate) fn start(order: StartOrder<'_>) -> Result<Self, NotStarted> {
        let here = |error| NotStarted::Fault(Fault::Here(error));
        let worker = order.command.spawn();
        let worker = worker.map_err(|error| Fault::Start(KIND, error))?;
        let cgroup = (order.cgroup)(worker.pid());
        let mut process = Process::greet(worker, KIND, cgroup)?;
        let refusals = Refusals::create().map_err(here)?;
        let (pipe, standard) = match order.standard {
            Standard::Log => {
                let (pipe, write) = LogPipe::new().map_err(here)?;
                let null = OpenOptions::new()
                    .read(true)
                    .open("/dev/null")
                    .map_err(here)?;
                let again = write.try_clone().map_err(here)?;
                (Some(pipe), [OwnedFd::from(null), write, again])
            }
            Standard::Own(own) => (None, own),
        };
        let mut beside: Vec<BorrowedFd<'_>> = vec![refusals.as_memory().as_fd()];
        beside.extend(standard.iter().map(AsFd::as_fd));
        process.send(&ToGuarded::Begin(Box::new(order.begin)), &beside)?;
        drop(standard);
        let wake = Arc::new(Wake::new().map_err(here)?);
        let waker = Arc::clone(&wake);
        let waking = OnCancel::call(order.stop, move || waker.wake());
        let walls_by = Instant::now() + WALLS_WITHIN;
        wait(&mut process, &wake, order.stop, walls_by, None)?;
        let (frame, descriptors) = process.frame();
        match read_walled(frame, descriptors)
            .map_err(|violation| Fault::Hostile(KIND, violation))?
        {
            Greeting::Layers(layers) => process.add_layers(layers),
            Greeting::Failed(why) => return Err(Fault::Setup(KIND, why).into()),
            Greeting::OtherBuild => return Err(Fault::Build(KIND).into()),
        }
        check_tier(process.layers(), None, order.required, KIND).map_err(NotStarted::Tier)?;
        // With mounts of its own it has one in memory.
        let mut layers = process.layers().iter();
        let is_mounted = layers.any(|one| one.layer == Layer::Namespaces && one.is_enforced());
        let folder = (!is_mounted).then_some(order.folder);
        let latest = Instant::now() + IMPORTS_WITHIN;
        let deadline = order
            .deadline
            .map_or(latest, |deadline| deadline.min(latest));
        let mut log = Log::within(&Limits::defaults(Weight::Light));
        loop {
            let read = pipe.as_ref().map(|pipe| (pipe, &mut log));
            let waited = wait(&mut process, &wake, order.stop, deadline, read);
            waited.map_err(|error| error.with_words(log.last_words(pipe.as_ref())))?;
            let (frame, descriptors) = process.frame();
            let ready = read_ready(frame, descriptors);
            match ready.map_err(|violation| Fault::Hostile(KIND, violation))? {
                None => {}
                Some(Ok(())) => break,
                Some(Err(why)) => return Err(NotStarted::Imports(why)),
            }
        }
        drop(waking);
        wake.clear();
        let gone = || Fault::Here(io::Error::other("the guarded process cannot be looked at"));
        let base = process.worker().status().ok_or_else(gone)?;
        // What was refused while it imported is no call's.
        let (refused, _) = refusals.since(0).map_err(here)?;
        Ok(Self {
            layers: process.layers().into(),
            wake,
            pipe,
            refusals,
            refused,
            rest_bytes: base.private_bytes,
            base,
            rested_at: process.worker().cpu_time(),
            disk_at: process.worker().disk_bytes(),
            process,
            calls: 0,
            _folder: folder,
        })
    }

    /// Its layers, in order.
    pub(crate) fn layers(&self) -> &Arc<[LayerReport]> {
        &self.layers
    }

    /// What it keeps of private writable memory of earlier calls.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.rest_bytes.saturating_sub(self.base.private_bytes)
    }

    /// Whether it waits, alive, and has said nothing unasked.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.process.is_quiet()
    }
}

/// Waits for a frame.
fn wait(
    process: &mut Process,
    wake: &Wake,
    stop: &StopSignal,
    deadline: Instant,
    mut pipe: Option<(&LogPipe, &mut Log)>,
) -> Result<(), NotStarted> {
    loop {
        let readable = pipe.as_ref().map(|(pipe, _)| pipe.as_fd());
        match process.receive_beside(deadline, wake, readable)? {
            Some(Arrived::Frame) => return Ok(()),
            Some(Arrived::TimedOut) => return Err(NotStarted::TimedOut),
            Some(Arrived::Woken) if stop.cancelled_at().is_some() => {
                return Err(NotStarted::Cancelled);
            }
            Some(Arrived::Woken) => wake.clear(),
            None => {
                if let Some((read, log)) = &mut pipe
                    && log.drain(read)
                {
                    // It has closed its end, and writes nothing any more.
                    pipe = None;
                }
            }
        }
    }
}

/// The caller's own standard descriptors.
pub(crate) fn own_standard() -> io::Result<Standard> {
    let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
    Ok(Standard::Own([
        own(io::stdin().as_fd())?,
        own(io::stdout().as_fd())?,
        own(io::stderr().as_fd())?,
    ]))
}

/// A failure of this process's own.
pub(crate) fn fault(error: io::Error) -> Fault {
    Fault::Here(error)
}

//! One worker process from its greeting to its burial, and the words for the ways in which it can fail.

use super::reading::{Greeting, Violation, read_hello};
use hotcell_model::cause::Cause;
use hotcell_model::frame::{self};
use hotcell_model::layer::{Layer, LayerReport, LayerState, Tier, WorkerKind};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::cgroup::Cgroup;
use hotcell_sandbox::channel::{Received, Wake};
use hotcell_sandbox::process::{Exit, ExitKind, Signal, Worker, inherited_limits};
use serde::Serialize;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// What the operating system keeps for a process, besides a part of what the process has: page tables, buffers.
const CGROUP_SLACK_BYTES: u64 = 128 << 20;
/// How long a worker may take to lock itself and say hello.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// How long a worker that has closed its socket may take to be gone: to die takes the processor too, which others may
/// have.
const DYING_WITHIN: Duration = Duration::from_secs(2);
/// Exit code of a worker that could not put on its walls.
const EXIT_SETUP: i32 = 70;
/// Exit code of a worker that panicked.
const EXIT_PANIC: i32 = 101;

/// A worker that has said hello. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    worker: Worker,
    kind: WorkerKind,
    layers: Vec<LayerReport>,
    buffer: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// Removed after the worker is reaped: fields are dropped in order.
    cgroup: Option<Cgroup>,
    /// The bound on the memory of the cgroup; 0 while there is none.
    cgroup_bytes: u64,
}

/// How a worker failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It could not be started or given its limits.
    Start(WorkerKind, io::Error),
    /// It is of another build than this program.
    Build(WorkerKind),
    /// It could not make itself ready, which is before it sees anything of anybody's.
    Setup(WorkerKind, String),
    /// It died.
    Died(WorkerKind, ExitKind),
    /// It says that it failed.
    Failed(WorkerKind, String),
    /// It did what no honest worker does.
    Hostile(WorkerKind, Violation),
    /// It did not answer, and was killed.
    Silent(WorkerKind, Duration),
    /// It does not read what it is sent.
    Deaf(WorkerKind),
    /// The supervisor lacks something itself.
    Here(io::Error),
}

/// What came from a worker.
pub(crate) enum Arrived {
    /// A frame, to be read with [`Process::frame`].
    Frame,
    /// The deadline.
    TimedOut,
    /// A wake.
    Woken,
}

impl Process {
    /// Waits for a started worker's greeting.
    pub(crate) fn greet(
        worker: Worker,
        kind: WorkerKind,
        cgroup: Result<Cgroup, LayerReport>,
    ) -> Result<Self, Fault> {
        let (cgroup, report) = match cgroup {
            Ok(cgroup) => {
                let report = cgroup.report().clone();
                (Some(cgroup), report)
            }
            Err(absent) => (None, absent),
        };
        let mut process = Self {
            worker,
            kind,
            layers: Vec::new(),
            buffer: Vec::new(),
            descriptors: Vec::new(),
            cgroup,
            cgroup_bytes: 0,
        };
        let deadline = Instant::now() + GREETING_WITHIN;
        match process.receive(deadline, None)? {
            Arrived::Frame => {}
            Arrived::TimedOut | Arrived::Woken => {
                return Err(Fault::Silent(kind, GREETING_WITHIN));
            }
        }
        let (frame, descriptors) = process.frame();
        let greeting = read_hello(frame, descriptors, BUILD_ID, kind);
        match greeting.map_err(|violation| Fault::Hostile(kind, violation))? {
            Greeting::Layers(layers) => process.layers = layers,
            Greeting::OtherBuild => return Err(Fault::Build(kind)),
            Greeting::Failed(why) => return Err(Fault::Setup(kind, why)),
        }
        // A worker cannot see its cgroup; whatever it says of one, the supervisor knows.
        process.layers.retain(|layer| layer.layer != Layer::Cgroup);
        process.layers.push(report);
        process.layers.sort_by_key(|report| report.layer);
        Ok(process)
    }

    /// The process itself, to be measured and limited.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Bounds all memory that is charged to the process, shared memory that it writes first included: its own, with
    /// room for what the operating system keeps for it. A last line, where a cgroup is delegated.
    pub(crate) fn limit_cgroup(&mut self, bytes: u64) -> Result<(), Fault> {
        let bytes = bytes.saturating_add(CGROUP_SLACK_BYTES + bytes / 16);
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| bytes != self.cgroup_bytes) {
            let limited = cgroup.limit_memory(bytes);
            limited.map_err(|error| Fault::Start(self.kind, error))?;
            self.cgroup_bytes = bytes;
        }
        Ok(())
    }

    /// What it is.
    pub(crate) fn kind(&self) -> WorkerKind {
        self.kind
    }

    /// Its layers so far, in order.
    pub(crate) fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// Adds layers that came later.
    pub(crate) fn add_layers(&mut self, later: Vec<LayerReport>) {
        for report in later {
            self.layers.retain(|known| known.layer != report.layer);
            self.layers.push(report);
        }
        self.layers.sort_by_key(|report| report.layer);
    }

    /// Sends a value. It never waits: an honest worker reads before it is sent more than a little.
    pub(crate) fn send<T: Serialize>(
        &mut self,
        value: &T,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), Fault> {
        let encoded = frame::encode(value, &mut self.buffer);
        encoded.map_err(|error| Fault::Here(io::Error::other(error)))?;
        self.send_encoded(descriptors)
    }

    /// As [`Process::send`], for a frame that stands in [`Process::outgoing`] already.
    pub(crate) fn send_encoded(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Fault> {
        self.check_own()?;
        match self.worker.channel.try_send(&self.buffer, descriptors) {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Err(self.died()),
                io::ErrorKind::WouldBlock => Err(Fault::Deaf(self.kind)),
                _ => Err(Fault::Here(error)),
            },
        }
    }

    /// Where a frame to be sent is written.
    pub(crate) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Waits for a frame, the deadline or a wake, whichever is first.
    pub(crate) fn receive(
        &mut self,
        deadline: Instant,
        wake: Option<&Wake>,
    ) -> Result<Arrived, Fault> {
        self.check_own()?;
        let received = self.worker.channel.receive_until(
            &mut self.buffer,
            &mut self.descriptors,
            Some(deadline),
            wake,
        );
        match received {
            Ok(Received::Frame) => Ok(Arrived::Frame),
            Ok(Received::TimedOut) => Ok(Arrived::TimedOut),
            Ok(Received::Woken) => Ok(Arrived::Woken),
            Ok(Received::Closed) => Err(self.died()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let violation = Violation::Message(error.to_string());
                Err(Fault::Hostile(self.kind, violation))
            }
            Err(error) => Err(Fault::Here(error)),
        }
    }

    /// After a fork, two processes would speak to one worker.
    fn check_own(&self) -> Result<(), Fault> {
        match self.worker.is_own() {
            true => Ok(()),
            false => Err(Fault::Here(io::Error::other(
                "this process was forked from the one that started the worker: let each have a cell of its own",
            ))),
        }
    }

    /// The frame that arrived last, and how many descriptors were beside it.
    pub(crate) fn frame(&self) -> (&[u8], usize) {
        (&self.buffer, self.descriptors.len())
    }

    /// Whether it waits, alive, and has said nothing unasked.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let now = Instant::now();
        matches!(self.receive(now, None), Ok(Arrived::TimedOut))
    }

    /// Kills it, and says how it ended and what it used.
    pub(crate) fn bury(self) -> Option<Exit> {
        self.worker.kill();
        self.worker.wait().ok()
    }

    /// How it died, now that it has closed its socket.
    fn died(&mut self) -> Fault {
        let deadline = Instant::now() + DYING_WITHIN;
        match self.worker.wait_deadline(deadline) {
            Ok(Some(exit)) => Fault::Died(self.kind, exit.status),
            // It closed the socket and lives: nothing that an honest worker does.
            _ => Fault::Hostile(
                self.kind,
                Violation::OutOfOrder("a closed socket of a living process"),
            ),
        }
    }

    /// How it ended, if it has been seen to.
    pub(crate) fn exit(&mut self) -> Option<Exit> {
        self.worker.try_wait().ok().flatten()
    }
}

impl Fault {
    /// The end of the launch or compilation that the worker served.
    pub(crate) fn outcome(&self) -> Outcome {
        let blame = match self {
            Self::Died(kind, ExitKind::Code(EXIT_SETUP)) => {
                let worker = name(*kind).to_owned();
                return Outcome::because(vec![Cause::WallsFailed { worker }]);
            }
            Self::Build(_) | Self::Setup(..) => Blame::Operator,
            Self::Here(error) if is_file_size(error) => {
                let failed = Outcome::failed(OutcomeKind::Io, Blame::Operator, error.to_string());
                return Outcome {
                    reproducible: false,
                    ..failed
                };
            }
            Self::Start(_, error) if is_no_task(error) => Blame::Operator,
            Self::Start(..) | Self::Here(_) => Blame::Host,
            Self::Died(..)
            | Self::Failed(..)
            | Self::Hostile(..)
            | Self::Silent(..)
            | Self::Deaf(_) => Blame::Unknown,
        };
        Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::HostFault, blame, self.words())
        }
    }

    /// What an operator should look at, if anything.
    pub(crate) fn alert(&self) -> Option<Alert> {
        let kind = match self {
            Self::Hostile(..) => AlertKind::HostileWorker,
            Self::Died(..) | Self::Failed(..) => AlertKind::WorkerDied,
            Self::Silent(..) | Self::Deaf(_) => AlertKind::WorkerKilled,
            Self::Start(..) | Self::Build(_) | Self::Setup(..) | Self::Here(_) => return None,
        };
        let message = self.words();
        Some(Alert { kind, message })
    }

    fn words(&self) -> String {
        match self {
            Self::Start(kind, error) => format!(
                "{} could not be started: {error}{}",
                name(*kind),
                limits_behind(is_no_task(error))
            ),
            Self::Setup(kind, why) => format!(
                "{} could not make itself ready: {why}{}",
                name(*kind),
                limits_behind(true)
            ),
            Self::Build(kind) => format!(
                "{} is of another build than this program: install both together, or build it again with \
                 `cargo xtask workers`",
                name(*kind)
            ),
            Self::Died(kind, exit) => format!("{} {}", name(*kind), death(*exit)),
            Self::Failed(kind, why) => format!("{} failed: {why}", name(*kind)),
            Self::Hostile(kind, violation) => {
                format!("{} broke the protocol: {violation}", name(*kind))
            }
            Self::Silent(kind, after) => format!(
                "{} did not answer within {} ms and was killed",
                name(*kind),
                after.as_millis()
            ),
            Self::Deaf(kind) => format!("{} did not read its request and was killed", name(*kind)),
            Self::Here(error) => format!("the supervisor cannot go on: {error}"),
        }
    }
}

/// Whether it is the limit on the sizes of files.
fn is_file_size(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// Whether there is no process or thread to be had.
fn is_no_task(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// The limits of this process that may be behind a worker's failure.
fn limits_behind(may_be: bool) -> String {
    let limits = inherited_limits();
    match may_be && !limits.is_empty() {
        true => format!("; {}", limits.join("; ")),
        false => String::new(),
    }
}

/// What a kind of worker is called in messages.
pub(crate) fn name(kind: WorkerKind) -> &'static str {
    match kind {
        WorkerKind::Compiler => "the compile process",
        WorkerKind::Runner => "the runner",
        WorkerKind::Gpu => "the GPU worker",
    }
}

/// How a process died, in words.
pub(crate) fn death(exit: ExitKind) -> String {
    match exit {
        exit if exit.is_refused_call() => {
            "died by SIGSYS: it made a system call that its filter refuses".to_owned()
        }
        ExitKind::Signal(number) if number == Signal::KILL.as_raw() => {
            "died by SIGKILL: something outside killed it, perhaps because memory ran out"
                .to_owned()
        }
        ExitKind::Signal(_) => format!("died by {exit}"),
        ExitKind::Code(EXIT_SETUP) => "could not put on its walls".to_owned(),
        ExitKind::Code(EXIT_PANIC) => "panicked; please report it, with the component".to_owned(),
        ExitKind::Code(code) => format!("ended by itself, with exit code {code}"),
    }
}

/// Holds a worker's layers against the tier that is required. A runner that has not loaded yet lacks its last
/// layer still: `to_come` names what is not asked for.
pub(crate) fn check_tier(
    layers: &[LayerReport],
    to_come: Option<Layer>,
    required: Tier,
    kind: WorkerKind,
) -> Result<(), Outcome> {
    let mut expected = layers.to_vec();
    expected.extend(to_come.map(|layer| LayerReport::enforced(layer, "to come")));
    let tier = Tier::of_worker(kind, &expected);
    if tier >= required {
        return Ok(());
    }
    let missing: Vec<String> = Layer::ALL
        .into_iter()
        .filter(|layer| Some(*layer) != to_come)
        .filter_map(|layer| missing(layer, layers))
        .collect();
    Err(Outcome::because(vec![Cause::TierTooLow {
        worker: name(kind).to_owned(),
        tier,
        required,
        missing,
    }]))
}

/// What is said of a layer that is absent, if it is, and if the tier depends on it.
fn missing(layer: Layer, layers: &[LayerReport]) -> Option<String> {
    let report = layers.iter().find(|report| report.layer == layer);
    match report.map(|report| &report.state) {
        Some(LayerState::Enforced(_)) => None,
        Some(LayerState::Absent { .. }) | None if layer == Layer::Cgroup => None,
        Some(LayerState::Absent { why, remedy }) => {
            Some(format!("{layer} is absent: {why} (remedy: {remedy})"))
        }
        None => Some(format!(
            "{layer} is absent: the worker does not speak of it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(absent: &[Layer]) -> Vec<LayerReport> {
        let report = |layer: Layer| match absent.contains(&layer) {
            true => LayerReport::absent(layer, "not in this kernel", "a newer one"),
            false => LayerReport::enforced(layer, ""),
        };
        Layer::ALL.into_iter().map(report).collect()
    }

    #[test]
    fn a_tier_below_the_required_one_says_what_is_missing_and_what_accepts_it() {
        let check = |absent: &[Layer], required| {
            check_tier(&layers(absent), None, required, WorkerKind::Runner)
        };
        assert_eq!(check(&[Layer::Cgroup], Tier::Full), Ok(()));
        assert_eq!(check(&[Layer::Landlock], Tier::Unprivileged), Ok(()));
        let refused = check(&[Layer::Landlock, Layer::Cgroup], Tier::Full).unwrap_err();
        assert_eq!(refused.kind, OutcomeKind::Isolation);
        assert_eq!(refused.blame, Some(Blame::Operator));
        let says = "landlock is absent: not in this kernel (remedy: a newer one)";
        assert!(refused.message.contains(says), "{}", refused.message);
        assert!(!refused.message.contains("cgroup"));
        let tier = match &refused.causes[..] {
            [Cause::TierTooLow { tier, .. }] => Some(*tier),
            _ => None,
        };
        assert_eq!(tier, Some(Tier::Unprivileged));
    }

    #[test]
    fn a_layer_that_is_to_come_is_not_asked_for_yet() {
        let mut early = layers(&[]);
        early.retain(|report| report.layer != Layer::Filter);
        let check = |to_come| check_tier(&early, to_come, Tier::Full, WorkerKind::Runner);
        assert_eq!(check(Some(Layer::Filter)), Ok(()));
        assert!(
            check(None)
                .unwrap_err()
                .message
                .contains("filter is absent")
        );
    }

    #[test]
    fn deaths_have_words_and_nobody_is_blamed_without_a_reason() {
        let sigsys = ExitKind::Signal(Signal::SYS.as_raw());
        let fault = Fault::Died(WorkerKind::Compiler, sigsys);
        let outcome = fault.outcome();
        assert_eq!(
            outcome.message,
            "the compile process died by SIGSYS: it made a system call that its filter refuses"
        );
        assert_eq!(outcome.blame, Some(Blame::Unknown));
        assert_eq!(fault.alert().unwrap().kind, AlertKind::WorkerDied);
        assert!(death(ExitKind::Signal(Signal::KILL.as_raw())).contains("memory"));
        assert!(death(ExitKind::Signal(Signal::SEGV.as_raw())).contains("SIGSEGV"));
        assert!(death(ExitKind::Code(3)).contains("exit code 3"));
        let setup = Fault::Died(WorkerKind::Runner, ExitKind::Code(EXIT_SETUP)).outcome();
        assert_eq!(setup.blame, Some(Blame::Operator));
    }
}

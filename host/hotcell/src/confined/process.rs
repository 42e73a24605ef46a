//! One worker process, from its greeting to its burial.

use super::fault::Fault;
use super::reading::{Greeting, Violation, read_hello};
use hotcell_model::frame;
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::cgroup::Cgroup;
use hotcell_sandbox::channel::{Received, Wake};
use hotcell_sandbox::process::{Exit, Worker};
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
        self.arrived(received)
    }

    fn arrived(&mut self, received: io::Result<Received>) -> Result<Arrived, Fault> {
        match received {
            Ok(Received::Frame) => Ok(Arrived::Frame),
            // Only where something else was waited for.
            Ok(Received::Elsewhere) => Ok(Arrived::Woken),
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

    /// As [`Process::receive`], and until there is something to read from a pipe of the process's: `None`.
    pub(crate) fn receive_beside(
        &mut self,
        deadline: Instant,
        wake: &Wake,
        pipe: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Arrived>, Fault> {
        self.check_own()?;
        let received = self.worker.channel.receive_beside(
            &mut self.buffer,
            &mut self.descriptors,
            Some(deadline),
            Some(wake),
            pipe,
        );
        match received {
            Ok(Received::Elsewhere) => Ok(None),
            received => self.arrived(received).map(Some),
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

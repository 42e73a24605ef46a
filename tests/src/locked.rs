//! A real worker, locked as in service, without a supervisor: what it survives can be tried call by call.

use crate::{Guest, workers};
use hotcell::Metering;
use hotcell::grant::Grants;
use hotcell::limit::Limits;
use hotcell_model::frame::{
    self, CompileRequest, FromCompiler, FromGpu, FromRunner, Hello, LoadRequest, ToCompiler, ToGpu,
    ToRunner,
};
use hotcell_model::layer::{LayerReport, WorkerKind};
use hotcell_model::probe::{Attempt, Attempted};
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use hotcell_sandbox::process::{ExitKind, Worker, WorkerCommand};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

/// The settings that a supervisor could have chosen.
const RUNNER: &str = "--metering strict --slots 2 --threads 2 --keep-resident-bytes 1048576 \
    --map-from-bytes 65536 --data-bytes 1073741824";
/// The device of a GPU worker: one that every machine has.
const GPU: &str = "--device nothing --data-bytes 1073741824";
/// The memory for what a compiler makes.
const ANSWER_BYTES: u64 = 16 << 20;

/// A locked worker that waits for what it shall try.
pub struct Locked {
    worker: Worker,
    kind: WorkerKind,
    /// Every layer that it reported.
    pub layers: Vec<LayerReport>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The worker lives, and says that.
    Lived(Attempted),
    /// It ended.
    Ended(ExitKind),
}

impl Locked {
    /// A worker of that kind, locked; a runner has an artifact loaded.
    ///
    /// # Panics
    /// It did not get there.
    pub fn start(kind: WorkerKind) -> Self {
        let mut locked = Self::greeted(kind);
        match kind {
            WorkerKind::Compiler => {}
            WorkerKind::Runner => locked.load(),
            WorkerKind::Gpu => locked.open(),
            WorkerKind::Guarded => panic!("guarded processes are Python's: `python/tests`"),
        }
        locked
    }

    /// A worker of that kind that waits for its first request: a runner is not locked yet, but for what is on while
    /// it loads.
    ///
    /// # Panics
    /// It did not get there.
    pub fn greeted(kind: WorkerKind) -> Self {
        let mut greeted = Self::spawn(kind);
        let hello: Hello = greeted.receive().expect("a worker says hello");
        assert_eq!((hello.build, hello.kind), (hotcell_sandbox::BUILD_ID, kind));
        greeted.layers = hello.layers;
        greeted
    }

    fn spawn(kind: WorkerKind) -> Self {
        let program = workers().join(kind.program());
        let settings = match kind {
            WorkerKind::Compiler | WorkerKind::Guarded => "",
            WorkerKind::Runner => RUNNER,
            WorkerKind::Gpu => GPU,
        };
        let arguments = settings.split_whitespace().map(Into::into).collect();
        let worker = WorkerCommand { program, arguments }
            .spawn()
            .expect("a worker starts");
        Self {
            worker,
            kind,
            layers: Vec::new(),
        }
    }

    fn open(&mut self) {
        match self.receive() {
            Ok(FromGpu::Ready { layers, .. }) => self.layers.extend(layers),
            other => panic!("the GPU worker is not ready: {other:?}"),
        }
    }

    fn load(&mut self) {
        let artifact = artifact();
        let request = LoadRequest {
            artifact_bytes: artifact.len(),
            grants: Grants::built_in(),
        };
        self.send(&ToRunner::Load(request), &[artifact.as_fd()]);
        match self.receive() {
            Ok(FromRunner::Ready(layers)) => self.layers.extend(layers),
            other => panic!("the runner is not ready: {other:?}"),
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// Closes one of its channels, as the end of a supervisor closes both; how it ends.
    ///
    /// # Panics
    /// It does not end.
    pub fn hang_up(mut self, channel: impl FnOnce(&mut Worker) -> &mut Channel) -> ExitKind {
        // What takes its place is connected to nobody.
        *channel(&mut self.worker) = Channel::pair().expect("a channel").0;
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let exit = self.worker.wait_deadline(patience);
        exit.expect("it is this process's")
            .expect("a worker without a supervisor ends")
            .status
    }

    /// Has it try something.
    ///
    /// # Panics
    /// It answers something else.
    pub fn attempt(&mut self, attempt: Attempt) -> Tried {
        let answer = match self.kind {
            WorkerKind::Compiler => {
                self.send(&ToCompiler::Attempt(attempt), &[]);
                self.receive().map(|answer| match answer {
                    FromCompiler::Attempted(attempted) => attempted,
                    other => panic!("{attempt:?}: {other:?}"),
                })
            }
            WorkerKind::Guarded => panic!("it makes its attempts by itself"),
            WorkerKind::Gpu => {
                self.send(&ToGpu::Attempt(attempt), &[]);
                self.receive().map(|answer| match answer {
                    FromGpu::Attempted(attempted) => attempted,
                    other => panic!("{attempt:?}: {other:?}"),
                })
            }
            WorkerKind::Runner => {
                self.send(&ToRunner::Attempt(attempt), &[]);
                self.receive().map(|answer| match answer {
                    FromRunner::Attempted(attempted) => attempted,
                    other => panic!("{attempt:?}: {other:?}"),
                })
            }
        };
        answer.map_or_else(Tried::Ended, Tried::Lived)
    }

    fn send<T: serde::Serialize>(&self, value: &T, descriptors: &[BorrowedFd<'_>]) {
        let mut buffer = Vec::new();
        frame::encode(value, &mut buffer).expect("a request fits a frame");
        self.worker
            .channel
            .send(&buffer, descriptors)
            .expect("a worker that waits takes a frame");
    }

    /// The next frame, or how the worker ended in place of one.
    fn receive<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, ExitKind> {
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let channel = &self.worker.channel;
        match channel.receive_until(&mut buffer, &mut descriptors, Some(patience), None) {
            Ok(Received::Frame) => Ok(frame::decode(&buffer).expect("an honest worker's frame")),
            Ok(Received::Closed) => {
                let exit = self
                    .worker
                    .wait_deadline(patience)
                    .expect("it is this process's");
                Err(exit.expect("a worker that closed its channel ends").status)
            }
            other => panic!("{:?} says nothing: {other:?}", self.kind),
        }
    }
}

/// The artifact of the honest guest, made by a real compiler, once.
fn artifact() -> &'static SealedMemory {
    static ARTIFACT: OnceLock<SealedMemory> = OnceLock::new();
    ARTIFACT.get_or_init(|| {
        let bytes = made(&Guest::named("honest"), ToCompiler::Compile);
        SealedMemory::copy_of(&bytes).expect("memory for a copy")
    })
}

/// A guest's description as it crosses, made by a real compiler.
pub fn description(guest: &Guest) -> Vec<u8> {
    made(guest, ToCompiler::Describe)
}

/// What a real compiler makes of a guest.
fn made(guest: &Guest, request: impl FnOnce(CompileRequest) -> ToCompiler) -> Vec<u8> {
    let component = SealedMemory::copy_of(&guest.bytes()).expect("memory for a component");
    let output = OutputMemory::create(ANSWER_BYTES).expect("memory for an answer");
    let mut compiler = Locked::start(WorkerKind::Compiler);
    let request = request(CompileRequest {
        metering: Metering::Strict,
        limits: Limits::defaults(Default::default()),
        component_bytes: component.len(),
        output_bytes: output.len(),
    });
    compiler.send(&request, &[component.as_fd(), output.as_fd()]);
    let bytes = match compiler.receive() {
        Ok(FromCompiler::Compiled(said) | FromCompiler::Described(said)) => said.bytes,
        other => panic!("no answer: {other:?}"),
    };
    let output = output
        .seal()
        .expect("an honest compiler unmaps")
        .map()
        .expect("it maps");
    output[..usize::try_from(bytes).expect("an answer fits memory")].to_vec()
}

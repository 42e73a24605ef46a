//! The supervisor's side of a GPU worker, and the runner's.

use hotcell_model::frame::{self, FromGpu, GpuRequest, Hello, ToGpu};
use hotcell_model::gpu::{
    GpuAnswer, GpuBinding, GpuCommand, GpuEnd, GpuId, GpuShader, GpuUsage, LEDGER_BYTES,
};
use hotcell_model::layer::{LayerReport, WorkerKind};
use hotcell_model::limit::Limits;
use hotcell_model::probe::{Attempt, Attempted};
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::memory::OutputMemory;
use hotcell_sandbox::process::{Exit, Worker, WorkerCommand};
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a healthy worker may take for anything but a launch.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says that something could not be tested here, and why.
pub(crate) fn skip(reason: &str) {
    let is_required =
        std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some_and(|value| value == "1");
    assert!(!is_required, "a skip is a failure here: {reason}");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    eprintln!("SKIPPED ({count}): {reason}");
}

/// A worker that is ready.
pub(crate) struct Gpu {
    pub(crate) worker: Worker,
    pub(crate) driver: String,
    /// Those of its first frame, and those of the final lock.
    pub(crate) layers: Vec<LayerReport>,
    launches: u64,
}

/// The command for a worker on that device.
pub(crate) fn command(device: &str) -> WorkerCommand {
    let arguments = ["--device", device, "--data-bytes", "8589934592"];
    WorkerCommand {
        program: env!("CARGO_BIN_EXE_hotcell-gpu").into(),
        arguments: arguments.map(Into::into).to_vec(),
    }
}

impl Gpu {
    /// Starts a worker; `None`, and a visible skip, where the machine has no such device.
    pub(crate) fn start(device: &str) -> Option<Self> {
        let worker = command(device).spawn().unwrap();
        let hello: Hello = receive(&worker.channel).expect("a first frame");
        assert_eq!((hello.build, hello.kind), (BUILD_ID, WorkerKind::Gpu));
        match receive(&worker.channel).expect("a second frame") {
            FromGpu::Ready { driver, layers, .. } => Some(Self {
                worker,
                driver,
                layers: [hello.layers, layers].concat(),
                launches: 0,
            }),
            FromGpu::Unavailable(why) => {
                skip(&format!("no device `{device}`: {why}"));
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// Has the worker serve a launch whose arrays have those sizes.
    pub(crate) fn begin(
        &mut self,
        limits: &Limits,
        inputs: &[u64],
        outputs: &[u64],
        arrays: &[BorrowedFd<'_>],
    ) -> Launch {
        let (runner, gpu) = Channel::pair().unwrap();
        self.launches += 1;
        let request = ToGpu::Begin(Box::new(GpuRequest {
            id: self.launches,
            limits: limits.clone(),
            time_ns: 10_000_000_000,
            has_profile: false,
            has_text: true,
            shaders: Vec::new(),
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs: outputs.iter().copied().map(Some).collect(),
        }));
        let ledger = OutputMemory::create(LEDGER_BYTES as u64).unwrap();
        let descriptors = [&[gpu.as_fd(), ledger.as_fd()], arrays].concat();
        send(&self.worker.channel, &request, &descriptors);
        Launch { runner, ledger }
    }

    /// What the worker says of the launch that has ended.
    pub(crate) fn ended(&self) -> (GpuUsage, Option<GpuEnd>) {
        match receive(&self.worker.channel).expect("an end") {
            FromGpu::Ended { id, usage, end } => {
                assert_eq!(id, self.launches);
                (*usage, end)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Asks for an attempt: what came of it, or how the worker ended.
    pub(crate) fn attempt(self, attempt: Attempt) -> Result<(Attempted, Self), Exit> {
        send(&self.worker.channel, &ToGpu::Attempt(attempt), &[]);
        match receive(&self.worker.channel) {
            Some(FromGpu::Attempted(attempted)) => Ok((attempted, self)),
            Some(other) => panic!("{other:?}"),
            None => Err(self.worker.wait().unwrap()),
        }
    }

    /// How the worker ended, by itself.
    pub(crate) fn end(mut self) -> Exit {
        let exit = self.worker.wait_deadline(Instant::now() + PATIENCE);
        exit.unwrap().expect("a worker that ends")
    }
}

/// The runner's end of a launch. Dropping it ends the launch.
pub(crate) struct Launch {
    pub(crate) runner: Channel,
    ledger: OutputMemory,
}

impl Launch {
    /// What was used so far, whether the worker lives or not.
    pub(crate) fn used(&self) -> Option<GpuUsage> {
        let mut ledger = [0; LEDGER_BYTES];
        self.ledger.peek(&mut ledger).unwrap();
        GpuUsage::of_ledger(&ledger)
    }

    /// A command and its answer.
    pub(crate) fn call(&self, command: &GpuCommand) -> GpuAnswer {
        send(&self.runner, command, &[]);
        receive(&self.runner).expect("an answer")
    }

    /// A command that makes something.
    pub(crate) fn create(&self, command: &GpuCommand) -> GpuId {
        match self.call(command) {
            GpuAnswer::Created(id) | GpuAnswer::Kernel { id, .. } => id,
            other => panic!("{command:?}: {other:?}"),
        }
    }

    /// A kernel and one buffer of that size bound to it.
    pub(crate) fn bind(&self, wgsl: &str, size_bytes: u64) -> (GpuId, GpuId) {
        let buffer = self.create(&GpuCommand::CreateBuffer { size_bytes });
        let shader = GpuCommand::Shader(wgsl.to_owned());
        assert_eq!(self.call(&shader), GpuAnswer::Done);
        let kernel = self.create(&GpuCommand::CreateKernel {
            shader: GpuShader::Said,
            entry: "main".to_owned(),
            constants: Vec::new(),
        });
        let binding = GpuBinding {
            group: 0,
            slot: 0,
            buffer,
            offset_bytes: 0,
            len_bytes: None,
        };
        let bindings = vec![binding];
        (buffer, self.create(&GpuCommand::Bind { kernel, bindings }))
    }
}

/// Sends a frame. A peer that is gone is noticed by who waits for its answer.
pub(crate) fn send<T: serde::Serialize>(
    channel: &Channel,
    value: &T,
    descriptors: &[BorrowedFd<'_>],
) {
    let mut buffer = Vec::new();
    frame::encode(value, &mut buffer).unwrap();
    let _ = channel.send(&buffer, descriptors);
}

/// The next frame, unless the peer is gone.
pub(crate) fn receive<T: serde::de::DeserializeOwned>(channel: &Channel) -> Option<T> {
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    let deadline = Some(Instant::now() + PATIENCE);
    let received = channel.receive_until(&mut buffer, &mut descriptors, deadline, None);
    match received.unwrap() {
        Received::Frame => Some(frame::decode(&buffer).unwrap()),
        Received::Closed => None,
        other => panic!("{other:?}"),
    }
}

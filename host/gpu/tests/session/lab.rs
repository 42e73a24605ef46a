//! A session with the few words that tests say to it.

use bytes::Bytes;
use hotcell_gpu::device::Device;
use hotcell_gpu::session::{Checks, Session, SessionEnd, SessionOrder};
use hotcell_model::gpu::{
    GpuAnswer, GpuBinding, GpuCommand, GpuDevice, GpuEnd, GpuError, GpuId, GpuShader, GpuStep,
    NamedShader, Payload,
};
use hotcell_model::limit::{Limit, LimitSource, Limits};
use hotcell_model::manifest::Weight;
use hotcell_model::stop::StopSignal;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Where an output's bytes are seen after the session.
pub(crate) type Seen = Arc<Mutex<Vec<u8>>>;

/// An output that the test keeps a hand on.
struct Held(Vec<u8>, Seen);

impl AsMut<[u8]> for Held {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut seen = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = std::mem::take(&mut self.0);
    }
}

/// A session can be kept behind a lock that several threads of a launch share.
const fn check_send<T: Send>() {}
const _: () = check_send::<Session>();

/// A device that executes nothing.
pub(crate) fn nothing() -> Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    Arc::clone(DEVICE.get_or_init(|| Arc::new(Device::open(GpuDevice::Nothing).unwrap())))
}

/// Lavapipe, or why there is none: a visible skip, and a failure where none is allowed.
pub(crate) fn fresh_software() -> Option<Arc<Device>> {
    match Device::open(GpuDevice::Software) {
        Ok(device) => Some(Arc::new(device)),
        Err(error) => {
            let is_required =
                std::env::var("HOTCELL_REQUIRE_ALL_TESTS").is_ok_and(|value| value == "1");
            assert!(!is_required, "{error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// The same one for every test that leaves it as it was.
pub(crate) fn software() -> Option<Arc<Device>> {
    static DEVICE: OnceLock<Option<Arc<Device>>> = OnceLock::new();
    DEVICE.get_or_init(fresh_software).clone()
}

/// A launch before it begins.
pub(crate) struct Order(SessionOrder);

impl Order {
    pub(crate) fn new() -> Self {
        Self(SessionOrder {
            limits: Limits::defaults(Weight::Normal),
            deadline: Instant::now() + Duration::from_secs(60),
            signal: Arc::default(),
            has_profile: false,
            shaders: Vec::new(),
            has_text: true,
            inputs: Vec::new(),
            outputs: Vec::new(),
            checks: Checks::Full,
        })
    }

    pub(crate) fn limit(mut self, limit: Limit, value: u64) -> Self {
        self.0
            .limits
            .try_set(limit, value, LimitSource::Request)
            .unwrap();
        self
    }

    pub(crate) fn deadline(mut self, after: Duration) -> Self {
        self.0.deadline = Instant::now() + after;
        self
    }

    pub(crate) fn profile(mut self) -> Self {
        self.0.has_profile = true;
        self
    }

    /// A shader of the component, and no text besides.
    pub(crate) fn shader(mut self, name: &str, text: &[u8]) -> Self {
        self.0.shaders.push(NamedShader {
            name: name.to_owned(),
            text: Bytes::copy_from_slice(text),
        });
        self.0.has_text = false;
        self
    }

    #[cfg(feature = "unchecked")]
    pub(crate) fn unchecked(mut self) -> Self {
        self.0.checks = Checks::None;
        self
    }

    pub(crate) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.0.inputs.push(Some(Box::new(bytes)));
        self
    }

    pub(crate) fn input_of(mut self, input: Box<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        self.0.inputs.push(Some(input));
        self
    }

    pub(crate) fn output(mut self, len: usize) -> (Self, Seen) {
        let seen = Seen::default();
        self.0
            .outputs
            .push(Some(Box::new(Held(vec![0; len], Arc::clone(&seen)))));
        (self, seen)
    }

    pub(crate) fn signal(&self) -> Arc<StopSignal> {
        Arc::clone(&self.0.signal)
    }

    pub(crate) fn begin(self, device: &Arc<Device>) -> Lab {
        Lab(Session::begin(device, self.0))
    }
}

/// A session under test.
pub(crate) struct Lab(Session);

impl Lab {
    pub(crate) fn nothing() -> Self {
        Order::new().begin(&nothing())
    }

    pub(crate) fn say(&mut self, command: GpuCommand) -> GpuAnswer {
        self.0.command(command)
    }

    #[track_caller]
    pub(crate) fn done(&mut self, command: GpuCommand) {
        assert_eq!(self.say(command), GpuAnswer::Done);
    }

    #[track_caller]
    pub(crate) fn created(&mut self, command: GpuCommand) -> GpuId {
        match self.say(command) {
            GpuAnswer::Created(id) | GpuAnswer::Kernel { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refused(&mut self, command: GpuCommand) -> GpuError {
        match self.say(command) {
            GpuAnswer::Refused(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn ended(&mut self, command: GpuCommand) -> GpuEnd {
        match self.say(command) {
            GpuAnswer::Ended(end) => end,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn buffer(&mut self, size_bytes: u64) -> GpuId {
        self.created(GpuCommand::CreateBuffer { size_bytes })
    }

    #[track_caller]
    pub(crate) fn kernel(&mut self, wgsl: &str) -> GpuId {
        self.done(GpuCommand::Shader(wgsl.into()));
        self.created(create_kernel())
    }

    #[track_caller]
    pub(crate) fn bind(&mut self, kernel: GpuId, buffers: &[GpuId]) -> GpuId {
        let bindings = (0..)
            .zip(buffers)
            .map(|(slot, buffer)| at(slot, *buffer))
            .collect();
        self.created(GpuCommand::Bind { kernel, bindings })
    }

    #[track_caller]
    pub(crate) fn run(&mut self, steps: Vec<GpuStep>) -> Vec<Bytes> {
        match self.say(run(steps)) {
            GpuAnswer::Waited(payloads) => payloads.into_iter().map(|payload| payload.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn words(&mut self, buffer: GpuId, count: u64) -> Vec<u32> {
        match self.say(read_buffer(buffer, 0, count * 4)) {
            GpuAnswer::Bytes(payload) => words(&payload.0),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn finish(self) -> SessionEnd {
        self.0.finish()
    }
}

pub(crate) fn words(bytes: &[u8]) -> Vec<u32> {
    let words = bytes.chunks_exact(4);
    words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) fn create_kernel() -> GpuCommand {
    GpuCommand::CreateKernel {
        shader: GpuShader::Said,
        entry: "main".into(),
        constants: Vec::new(),
    }
}

/// A kernel of a shader of the component.
pub(crate) fn create_named(name: &str) -> GpuCommand {
    GpuCommand::CreateKernel {
        shader: GpuShader::Named(name.into()),
        entry: "main".into(),
        constants: Vec::new(),
    }
}

pub(crate) fn at(slot: u32, buffer: GpuId) -> GpuBinding {
    GpuBinding {
        group: 0,
        slot,
        buffer,
        offset_bytes: 0,
        len_bytes: None,
    }
}

pub(crate) fn run(steps: Vec<GpuStep>) -> GpuCommand {
    GpuCommand::Submit { steps, wait: true }
}

pub(crate) fn read_buffer(buffer: GpuId, offset_bytes: u64, len_bytes: u64) -> GpuCommand {
    GpuCommand::ReadBuffer {
        buffer,
        offset_bytes,
        len_bytes,
    }
}

pub(crate) fn write(buffer: GpuId, offset_bytes: u64, data: Vec<u8>) -> GpuStep {
    GpuStep::Write {
        buffer,
        offset_bytes,
        data: Payload(data.into()),
    }
}

pub(crate) fn fill(input: u32, buffer: GpuId, len_bytes: u64) -> GpuStep {
    GpuStep::Fill {
        input,
        input_offset_bytes: 0,
        buffer,
        offset_bytes: 0,
        len_bytes,
    }
}

pub(crate) fn read_array(output: u32, buffer: GpuId, len_bytes: u64) -> GpuStep {
    GpuStep::ReadArray {
        output,
        output_offset_bytes: 0,
        buffer,
        offset_bytes: 0,
        len_bytes,
    }
}

pub(crate) fn dispatch(bind_set: GpuId, x: u32) -> GpuStep {
    GpuStep::Dispatch {
        bind_set,
        workgroups: [x, 1, 1],
    }
}

/// Doubles the words of its second buffer, adding those of its first.
pub(crate) const STEP: &str = "
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&b) { b[id.x] = 2u * b[id.x] + a[id.x]; }
}
";

/// Goes on for as long as its buffer says: for ever with 0.
pub(crate) const SPIN: &str = "
@group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main() {
    var n = 0u;
    while n == 0u || n != atomicLoad(&a[0]) { n = n + 1u; atomicMax(&a[1], n & 1023u); }
}
";

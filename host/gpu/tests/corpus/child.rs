//! One hostile shader in a process of its own: it may hang the driver's threads, which nothing inside of a
//! process can stop. The parent in `execution` starts this process and kills it when it has spoken.

use crate::header::{Shader, load};
use hotcell_gpu::device::Device;
use hotcell_gpu::session::{Checks, Session, SessionOrder};
use hotcell_model::gpu::{
    GpuAnswer, GpuBinding, GpuCommand, GpuDevice, GpuEnd, GpuError, GpuId, GpuShader, GpuStep,
    Payload,
};
use hotcell_model::limit::{Limit, LimitSource, Limits};
use hotcell_model::manifest::Weight;
use hotcell_model::stop::StopSignal;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The environment's word for the shader to run.
pub(crate) const SHADER: &str = "HOTCELL_CORPUS_SHADER";
/// The environment's word for what is checked: `full` or `none`.
pub(crate) const CHECKS: &str = "HOTCELL_CORPUS_CHECKS";
/// The environment's word for the deadline in milliseconds.
pub(crate) const DEADLINE: &str = "HOTCELL_CORPUS_DEADLINE_MS";
/// What the line with the outcome begins with.
pub(crate) const OUTCOME: &str = "outcome: ";

const BUFFER_BYTES: u64 = 4096;
/// What lies in the inputs of shaders.
const INPUT: u32 = 7;
/// What lies in a buffer that no shader is given.
const CANARY: u32 = 0xc0ff_ee11;

/// Why a shader did not run to its end.
enum Stopped {
    Refused(GpuError),
    Ended(GpuEnd),
}

impl Stopped {
    /// The outcome as one line.
    fn line(&self) -> String {
        match self {
            Self::Refused(GpuError::Limit { limit, .. }) => format!("limit {limit}"),
            Self::Refused(error) => format!("refused {error}"),
            Self::Ended(GpuEnd::FuelExhausted { .. }) => "fuel".to_owned(),
            Self::Ended(
                GpuEnd::Timeout { .. } | GpuEnd::Deadline { .. } | GpuEnd::NotCompiled { .. },
            ) => "timeout".to_owned(),
            Self::Ended(GpuEnd::Lost(reason)) => format!("lost {reason}"),
            Self::Ended(GpuEnd::Stopped) => "stopped".to_owned(),
        }
    }
}

/// A session that is asked for one thing after the other.
struct Launch(Session);

impl Launch {
    fn ask(&mut self, command: GpuCommand) -> Result<GpuAnswer, Stopped> {
        match self.0.command(command) {
            GpuAnswer::Refused(error) => Err(Stopped::Refused(error)),
            GpuAnswer::Ended(end) => Err(Stopped::Ended(end)),
            answer => Ok(answer),
        }
    }

    fn make(&mut self, command: GpuCommand) -> Result<GpuId, Stopped> {
        match self.ask(command)? {
            GpuAnswer::Created(id) | GpuAnswer::Kernel { id, .. } => Ok(id),
            answer => panic!("{answer:?} is no id"),
        }
    }

    fn buffer(&mut self, word: u32) -> Result<GpuId, Stopped> {
        let buffer = self.make(GpuCommand::CreateBuffer {
            size_bytes: BUFFER_BYTES,
        })?;
        if word != 0 {
            let words = BUFFER_BYTES / 4;
            let data: Vec<u8> = (0..words).flat_map(|_| word.to_le_bytes()).collect();
            let data = Payload(data.into());
            self.ask(GpuCommand::WriteBuffer {
                buffer,
                offset_bytes: 0,
                data,
            })?;
        }
        Ok(buffer)
    }

    fn words(&mut self, buffer: GpuId) -> Result<Vec<u32>, Stopped> {
        let all = GpuCommand::ReadBuffer {
            buffer,
            offset_bytes: 0,
            len_bytes: BUFFER_BYTES,
        };
        match self.ask(all)? {
            GpuAnswer::Bytes(bytes) => {
                let words = bytes.0.chunks_exact(4);
                Ok(words
                    .map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
                    .collect())
            }
            answer => panic!("{answer:?} is no data"),
        }
    }

    /// Runs the shader; what its first buffer holds then.
    fn run(&mut self, shader: &Shader) -> Result<Vec<u32>, Stopped> {
        let canaries = [self.buffer(CANARY)?, self.buffer(CANARY)?];
        self.ask(GpuCommand::Shader(shader.wgsl.clone()))?;
        let kernel = self.make(GpuCommand::CreateKernel {
            shader: GpuShader::Said,
            entry: shader.entry().to_owned(),
            constants: shader.constants(),
        })?;
        let output = self.buffer(0)?;
        let mut bindings = Vec::new();
        for (group, slot) in places(shader) {
            let is_output = (group, slot) == (0, 0) || shader.field("alias") == Some("yes");
            let buffer = if is_output {
                output
            } else {
                self.buffer(input_word(slot))?
            };
            bindings.push(GpuBinding {
                group,
                slot,
                buffer,
                offset_bytes: 0,
                len_bytes: None,
            });
        }
        canaries
            .into_iter()
            .try_for_each(|canary| self.check_canary(canary))?;
        let bind_set = self.make(GpuCommand::Bind { kernel, bindings })?;
        let workgroups = shader.numbers("workgroups").try_into().expect("three axes");
        let steps = vec![GpuStep::Dispatch {
            bind_set,
            workgroups,
        }];
        self.ask(GpuCommand::Submit { steps, wait: true })?;
        canaries
            .into_iter()
            .try_for_each(|canary| self.check_canary(canary))?;
        self.words(output)
    }

    fn check_canary(&mut self, canary: GpuId) -> Result<(), Stopped> {
        let words = self.words(canary)?;
        assert!(
            words.iter().all(|word| *word == CANARY),
            "a buffer of nobody was written"
        );
        Ok(())
    }
}

/// Slot 1 is an input; the rest begin as zeros, as a lock or a flag does.
fn input_word(slot: u32) -> u32 {
    if slot == 1 { INPUT } else { 0 }
}

/// Where the shader wants buffers, as the validator says; nowhere if it is not valid.
fn places(shader: &Shader) -> BTreeSet<(u32, u32)> {
    let Ok(module) = naga::front::wgsl::parse_str(&shader.wgsl) else {
        return BTreeSet::new();
    };
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let Ok(info) = validator.validate(&module) else {
        return BTreeSet::new();
    };
    let entry = module
        .entry_points
        .iter()
        .position(|point| point.name == shader.entry());
    let Some(entry) = entry else {
        return BTreeSet::new();
    };
    let uses = info.get_entry_point(entry);
    let globals = module.global_variables.iter();
    globals
        .filter(|(handle, _)| !uses[*handle].is_empty())
        .filter_map(|(_, variable)| variable.binding.map(|place| (place.group, place.binding)))
        .collect()
}

fn order(shader: &Shader, checks: Checks, deadline: Instant) -> SessionOrder {
    let mut limits = Limits::defaults(Weight::Normal);
    let fuel = shader.numbers::<u64>("fuel")[0];
    let time_ns = Limit::GpuTime.ceiling();
    for (limit, value) in [(Limit::GpuFuel, fuel), (Limit::GpuTime, time_ns)] {
        limits
            .try_set(limit, value, LimitSource::Default)
            .expect("it is below the ceiling");
    }
    SessionOrder {
        limits,
        deadline,
        signal: Arc::new(StopSignal::default()),
        has_profile: false,
        shaders: Vec::new(),
        has_text: true,
        inputs: Vec::new(),
        outputs: Vec::new(),
        checks,
    }
}

/// Says what is wrong with the output of a clamped shader, if anything is.
fn dirt(shader: &Shader, words: &[u32]) -> Option<String> {
    let allowed = shader.numbers::<u32>("allowed");
    let dirty = words.iter().position(|word| !allowed.contains(word))?;
    (!allowed.is_empty()).then(|| format!("dirty {:#x} in word {dirty}", words[dirty]))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn checks() -> Checks {
    match environment(CHECKS).as_deref() {
        #[cfg(feature = "unchecked")]
        Some("none") => Checks::None,
        _ => Checks::Full,
    }
}

#[test]
#[ignore = "the process that other tests start for one shader"]
fn one_shader() {
    let Some(name) = environment(SHADER) else {
        return;
    };
    let shaders = load("hostile");
    let shader = shaders
        .iter()
        .find(|shader| shader.name == name)
        .expect("it is in the corpus");
    let device = Arc::new(Device::open(GpuDevice::Software).expect("the parent opened one"));
    device.warm_up().expect("the parent's did");
    let deadline = environment(DEADLINE)
        .and_then(|text| text.parse().ok())
        .expect("a deadline");
    let start = Instant::now();
    let order = order(shader, checks(), start + Duration::from_millis(deadline));
    let mut launch = Launch(Session::begin(&device, order));
    let result = launch.run(shader);
    let end = launch.0.finish().end;
    let line = match (result, end) {
        (Err(stopped), _) => stopped.line(),
        (Ok(_), Some(end)) => Stopped::Ended(end).line(),
        (Ok(words), None) => dirt(shader, &words).unwrap_or_else(|| "done".to_owned()),
    };
    println!("\n{OUTCOME}{} {line}", start.elapsed().as_millis());
    loop {
        std::thread::park();
    }
}

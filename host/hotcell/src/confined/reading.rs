//! Reading what workers say: bytes in, checked words out.
//!
//! Every frame of a worker is a claim of code that may have been taken over. Whatever arrives, what is in
//! here answers with a [`Violation`] or with a value whose parts are within what was asked for; it never
//! panics, and it keeps no more than the limits allow. Nothing in here does I/O, so that a fuzz target can
//! drive it.

mod guarded;
mod runner;

pub use guarded::{CallReading, Returning, Said, read_ready, read_walled};
pub use runner::{Expected, Heard, LaunchReading};

use hotcell_model::component::Refusal;
use hotcell_model::frame::{
    BuildId, Described, FrameError, FromCompiler, FromGpu, FromRunner, Hello, Phases, decode,
    read_last_words,
};
use hotcell_model::gpu::{GpuEnd, GpuUsage, PROFILED_DISPATCHES, PROFILED_KERNELS};
use hotcell_model::layer::{Layer, LayerReport, LayerState, WorkerKind};
use hotcell_model::limit::{Breach, Limits};
use hotcell_model::probe::Attempted;
use hotcell_model::text;

/// The longest words about a failure that are kept.
const WORDS_BYTES: usize = 2048;
/// The longest words about a layer that are kept.
const LAYER_BYTES: usize = 512;

/// How a worker broke the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message that is too long, or has too many descriptors.
    #[error("a message that is none: {0}")]
    Message(String),
    /// Workers send no descriptors.
    #[error("{0} descriptors beside a frame, where none are due")]
    Descriptors(usize),
    /// The frame is for another moment.
    #[error("{0} at the wrong moment")]
    OutOfOrder(&'static str),
    /// The worker is something else.
    #[error("a {found:?} says hello in a {expected:?}'s place")]
    Kind {
        /// What was started.
        expected: WorkerKind,
        /// What it says it is.
        found: WorkerKind,
    },
    /// Layers that cannot have been put on then, or too many of them.
    #[error("layers that it cannot have put on then")]
    Layers,
    /// More was written than there was room for.
    #[error("{claimed} bytes written where {maximum} had room")]
    Written {
        /// What it says.
        claimed: u64,
        /// The room.
        maximum: u64,
    },
    /// A refusal that does not follow from the limits in force.
    #[error("a refusal by a limit that is not in force")]
    Refusal,
    /// An answer about another launch.
    #[error("an answer for launch {found} during launch {expected}")]
    OtherLaunch {
        /// The launch that runs.
        expected: u64,
        /// The launch it speaks of.
        found: u64,
    },
    /// An end that no runner can claim, or that contradicts itself.
    #[error("an outcome that no runner can claim")]
    Outcome,
    /// Outputs that were not asked for, or of other sizes.
    #[error("outputs in the answer that were not asked for, or of other sizes")]
    Outputs,
    /// More log lines, or longer ones, than the launch may have.
    #[error("more log than the launch may have")]
    Log,
    /// Samples that speak of functions that they do not name, or are more than can be counted.
    #[error("samples that contradict themselves")]
    Samples,
    /// A flood of frames.
    #[error("more frames than the launch can have reason for")]
    Flood,
    /// Memory that it shares is not given back.
    #[error("{0}")]
    Memory(String),
}

/// What a worker's first frame comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It is of this build, with those layers.
    Layers(Vec<LayerReport>),
    /// It is of another build.
    OtherBuild,
    /// It could not make itself ready, and says why.
    Failed(String),
}

/// What a runner says of the artifact that it was to load.
#[derive(Debug, PartialEq, Eq)]
pub enum LoadAnswer {
    /// It is loaded, and these layers were added.
    Ready(Vec<LayerReport>),
    /// It is another engine's.
    Stale(String),
    /// It does not fit this host's interfaces.
    Misfit(String),
    /// The runner failed.
    Failed(String),
}

/// What a GPU worker says of its device.
#[derive(Debug, PartialEq, Eq)]
pub enum GpuReady {
    /// It is open, and these layers were added.
    Ready {
        /// The device and its driver in words.
        driver: String,
        /// The turns after which it ends a loop by itself, if it was seen to.
        turns_limit: Option<u32>,
        /// The layers of the final lock.
        layers: Vec<LayerReport>,
    },
    /// There is none.
    Unavailable(String),
}

/// What a GPU worker says of a launch that is over.
#[derive(Debug, PartialEq, Eq)]
pub struct GpuEnded {
    /// What it used.
    pub usage: GpuUsage,
    /// Why its GPU work ended early, if it did.
    pub end: Option<GpuEnd>,
}

/// What a compile process says of a component.
#[derive(Debug, PartialEq, Eq)]
pub enum CompileAnswer {
    /// The answer is in its memory.
    Written {
        /// So many bytes of it.
        bytes: u64,
        /// Where time and memory went, as it says.
        phases: Phases,
    },
    /// The component is not accepted.
    Refused(Refusal),
    /// The compiler failed.
    Failed(String),
}

/// What was asked of a compile process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompileTask {
    /// A description.
    Describe,
    /// An artifact.
    Compile,
}

/// Reads a worker's first frame.
///
/// # Errors
/// It is not what a worker of that kind says first.
pub fn read_hello(
    frame: &[u8],
    descriptors: usize,
    build: BuildId,
    kind: WorkerKind,
) -> Result<Greeting, Violation> {
    check_descriptors(descriptors)?;
    if let Some(why) = read_last_words(frame) {
        return Ok(Greeting::Failed(words(why)));
    }
    let hello: Hello = decode(frame)?;
    if hello.kind != kind {
        let (expected, found) = (kind, hello.kind);
        return Err(Violation::Kind { expected, found });
    }
    if hello.build != build {
        return Ok(Greeting::OtherBuild);
    }
    check_layers(hello.layers, &Layer::ALL).map(Greeting::Layers)
}

/// Reads a runner's answer to an artifact.
///
/// # Errors
/// It is no such answer.
pub fn read_loaded(frame: &[u8], descriptors: usize) -> Result<LoadAnswer, Violation> {
    check_descriptors(descriptors)?;
    Ok(match decode(frame)? {
        // The artifact may have taken the runner over by now, so that it speaks of nothing but the lock.
        FromRunner::Ready(layers) => LoadAnswer::Ready(check_layers(layers, &[Layer::Filter])?),
        FromRunner::Stale(why) => LoadAnswer::Stale(words(&why)),
        FromRunner::Misfit(why) => LoadAnswer::Misfit(words(&why)),
        FromRunner::Failed(why) => LoadAnswer::Failed(words(&why)),
        FromRunner::Log(_)
        | FromRunner::Progress { .. }
        | FromRunner::Samples { .. }
        | FromRunner::Ended { .. }
        | FromRunner::Attempted(_) => return Err(Violation::OutOfOrder("word of a launch")),
    })
}

/// Reads a GPU worker's word of its device.
///
/// # Errors
/// It is no such word.
pub fn read_gpu_ready(frame: &[u8], descriptors: usize) -> Result<GpuReady, Violation> {
    check_descriptors(descriptors)?;
    Ok(match decode(frame)? {
        // Nothing hostile has reached the worker yet: it speaks of all that it put on late.
        FromGpu::Ready {
            driver,
            turns_limit,
            layers,
            ..
        } => GpuReady::Ready {
            driver: words(&driver),
            turns_limit,
            layers: check_layers(layers, &Layer::ALL)?,
        },
        FromGpu::Unavailable(why) => GpuReady::Unavailable(words(&why)),
        FromGpu::Ended { .. } | FromGpu::Attempted(_) => {
            return Err(Violation::OutOfOrder("word of a launch"));
        }
    })
}

/// Reads a GPU worker's word of the end of launch `id`.
///
/// # Errors
/// It is no such word, or of another launch.
pub fn read_gpu_ended(frame: &[u8], descriptors: usize, id: u64) -> Result<GpuEnded, Violation> {
    check_descriptors(descriptors)?;
    match decode(frame)? {
        FromGpu::Ended {
            id: found,
            mut usage,
            end,
        } if found == id => {
            usage.profile.truncate(PROFILED_DISPATCHES);
            usage.kernels.truncate(PROFILED_KERNELS);
            for kernel in &mut usage.kernels {
                kernel.shader = words(&kernel.shader);
                kernel.entry = words(&kernel.entry);
            }
            let end = end.map(|end| match end {
                GpuEnd::Lost(why) => GpuEnd::Lost(words(&why)),
                other => other,
            });
            Ok(GpuEnded { usage: *usage, end })
        }
        FromGpu::Ended { .. } => Err(Violation::OutOfOrder("the end of another launch")),
        _ => Err(Violation::OutOfOrder("something else than an end")),
    }
}

/// Reads a compile process's answer; `room` is the size of the memory that it was to write to.
///
/// # Errors
/// It is no answer to what was asked.
pub fn read_compiled(
    frame: &[u8],
    descriptors: usize,
    asked: CompileTask,
    room: u64,
    limits: &Limits,
) -> Result<CompileAnswer, Violation> {
    check_descriptors(descriptors)?;
    let (answered, Described { bytes, phases }) = match decode(frame)? {
        FromCompiler::Described(described) => (CompileTask::Describe, described),
        FromCompiler::Compiled(described) => (CompileTask::Compile, described),
        FromCompiler::Refused(refusal) => return check_refusal(refusal.cut(), limits),
        FromCompiler::Failed(why) => return Ok(CompileAnswer::Failed(words(&why))),
        FromCompiler::Attempted(_) => return Err(Violation::OutOfOrder("word of an attempt")),
    };
    if answered != asked {
        return Err(Violation::OutOfOrder("an answer to another question"));
    }
    if bytes > room {
        let (claimed, maximum) = (bytes, room);
        return Err(Violation::Written { claimed, maximum });
    }
    Ok(CompileAnswer::Written { bytes, phases })
}

/// Reads what came of an attempt.
///
/// # Errors
/// It is no such answer.
pub fn read_attempted(
    frame: &[u8],
    descriptors: usize,
    kind: WorkerKind,
) -> Result<Attempted, Violation> {
    check_descriptors(descriptors)?;
    let attempted = match kind {
        WorkerKind::Compiler => match decode(frame)? {
            FromCompiler::Attempted(attempted) => Some(attempted),
            _ => None,
        },
        WorkerKind::Runner => match decode(frame)? {
            FromRunner::Attempted(attempted) => Some(attempted),
            _ => None,
        },
        WorkerKind::Gpu => match decode(frame)? {
            FromGpu::Attempted(attempted) => Some(attempted),
            _ => None,
        },
        // It makes its attempts by itself, and says what came of them as of any call.
        WorkerKind::Guarded => None,
    };
    attempted.ok_or(Violation::OutOfOrder("something else than an attempt"))
}

/// A limit that a component is over must be one in force.
fn check_refusal(refusal: Refusal, limits: &Limits) -> Result<CompileAnswer, Violation> {
    if let Refusal::TooMuch(breach) = &refusal
        && (!is_in_force(breach, limits) || breach.amount.value() <= breach.maximum)
    {
        return Err(Violation::Refusal);
    }
    Ok(CompileAnswer::Refused(refusal))
}

/// Whether a compile process can refuse by that: a limit as it was told, or what a runner has room for.
fn is_in_force(breach: &Breach, limits: &Limits) -> bool {
    let maximum = Some(breach.maximum);
    maximum == Some(limits.get(breach.limit)) || maximum == hotcell_engine::room(breach.limit)
}

fn check_descriptors(descriptors: usize) -> Result<(), Violation> {
    match descriptors {
        0 => Ok(()),
        some => Err(Violation::Descriptors(some)),
    }
}

/// Layers of the kinds that can be spoken of now, each once, their words escaped and cut.
fn check_layers(
    layers: Vec<LayerReport>,
    possible: &[Layer],
) -> Result<Vec<LayerReport>, Violation> {
    let mut seen = Vec::new();
    for LayerReport { layer, state } in layers {
        let is_new = !seen
            .iter()
            .any(|report: &LayerReport| report.layer == layer);
        if !is_new || !possible.contains(&layer) {
            return Err(Violation::Layers);
        }
        let clean = |words: String| text::clean(&words, LAYER_BYTES);
        let state = match state {
            LayerState::Enforced(how) => LayerState::Enforced(clean(how)),
            LayerState::Absent { why, remedy } => LayerState::Absent {
                why: clean(why),
                remedy: clean(remedy),
            },
        };
        seen.push(LayerReport { layer, state });
    }
    Ok(seen)
}

fn words(words: &str) -> String {
    text::clean(words, WORDS_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::frame::{encode, last_words};
    use hotcell_model::limit::{Amount, Breach, Limit};

    const BUILD: BuildId = [7; 16];

    fn frame<T: serde::Serialize>(value: &T) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode(value, &mut buffer).unwrap();
        buffer
    }

    fn hello(kind: WorkerKind, build: BuildId, layers: &[Layer]) -> Vec<u8> {
        let report = |layer: &Layer| LayerReport::enforced(*layer, "\x1b[2J");
        let layers = layers.iter().map(report).collect();
        frame(&Hello {
            build,
            kind,
            layers,
        })
    }

    fn read(bytes: &[u8]) -> Result<Greeting, Violation> {
        read_hello(bytes, 0, BUILD, WorkerKind::Runner)
    }

    #[test]
    fn a_greeting_is_of_this_build_and_kind_with_each_layer_once() {
        let all = hello(WorkerKind::Runner, BUILD, &Layer::ALL);
        let Ok(Greeting::Layers(layers)) = read(&all) else {
            panic!("an honest greeting");
        };
        assert_eq!(layers.len(), Layer::ALL.len());
        assert!(!format!("{layers:?}").contains('\x1b'));
        let other = hello(WorkerKind::Runner, [8; 16], &[]);
        assert_eq!(read(&other), Ok(Greeting::OtherBuild));
        let failed = read_hello(&last_words("no\nmemory"), 0, BUILD, WorkerKind::Runner);
        assert_eq!(failed, Ok(Greeting::Failed("no\\nmemory".to_owned())));
        let twice = hello(WorkerKind::Runner, BUILD, &[Layer::Filter, Layer::Filter]);
        assert_eq!(read(&twice), Err(Violation::Layers));
        let compiler = hello(WorkerKind::Compiler, BUILD, &[]);
        assert!(matches!(read(&compiler), Err(Violation::Kind { .. })));
        assert!(matches!(read(&all[1..]), Err(Violation::Frame(_))));
        assert_eq!(
            read_hello(&all, 2, BUILD, WorkerKind::Runner),
            Err(Violation::Descriptors(2))
        );
    }

    #[test]
    fn a_loaded_runner_speaks_of_its_lock_alone() {
        let ready = |layer| frame(&FromRunner::Ready(vec![LayerReport::enforced(layer, "")]));
        assert!(matches!(
            read_loaded(&ready(Layer::Filter), 0),
            Ok(LoadAnswer::Ready(_))
        ));
        assert_eq!(
            read_loaded(&ready(Layer::Landlock), 0),
            Err(Violation::Layers)
        );
        let stale = frame(&FromRunner::Stale("old\nnews".into()));
        assert_eq!(
            read_loaded(&stale, 0),
            Ok(LoadAnswer::Stale("old\\nnews".into()))
        );
        let progress = FromRunner::Progress {
            id: 1,
            done: 1,
            total: 1,
        };
        assert!(matches!(
            read_loaded(&frame(&progress), 0),
            Err(Violation::OutOfOrder(_))
        ));
    }

    #[test]
    fn a_compile_process_answers_what_was_asked_within_its_room() {
        let limits = Limits::defaults(Default::default());
        let read = |answer: &FromCompiler| {
            read_compiled(&frame(answer), 0, CompileTask::Compile, 100, &limits)
        };
        let written = |bytes| Described {
            bytes,
            phases: Phases::default(),
        };
        assert!(matches!(
            read(&FromCompiler::Compiled(written(100))),
            Ok(CompileAnswer::Written { bytes: 100, .. })
        ));
        assert!(matches!(
            read(&FromCompiler::Compiled(written(101))),
            Err(Violation::Written { .. })
        ));
        assert!(matches!(
            read(&FromCompiler::Described(written(1))),
            Err(Violation::OutOfOrder(_))
        ));
        let breach = |limit, requested, maximum| {
            let amount = Amount::Requested(requested);
            let refusal = Refusal::TooMuch(Breach {
                limit,
                amount,
                maximum,
            });
            FromCompiler::Refused(refusal)
        };
        let maximum = limits.get(Limit::Functions);
        assert!(read(&breach(Limit::Functions, maximum + 1, maximum)).is_ok());
        for (requested, claimed) in [(maximum, maximum), (maximum, 1)] {
            let lie = breach(Limit::Functions, requested, claimed);
            assert_eq!(read(&lie), Err(Violation::Refusal));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic() {
        let limits = Limits::defaults(Default::default());
        let seed = frame(&FromRunner::Stale("x".repeat(300)));
        for len in 0..seed.len() {
            for flip in [0, 1, 0x80, 0xff] {
                let mut bytes = seed[..len].to_vec();
                bytes.iter_mut().step_by(3).for_each(|byte| *byte ^= flip);
                let _ = read(&bytes);
                let _ = read_loaded(&bytes, 0);
                let _ = read_compiled(&bytes, 0, CompileTask::Describe, 1, &limits);
                let _ = read_attempted(&bytes, 0, WorkerKind::Compiler);
            }
        }
    }
}

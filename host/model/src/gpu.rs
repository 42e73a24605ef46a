//! GPU work: what a runner asks of the launch's session, what it is told, and what the launch used.
//!
//! The same words serve a call inside one process and a frame between two. Ids are given by the
//! session, which checks every one of them: a command is hostile input.

mod ledger;

pub use ledger::LEDGER_BYTES;

use crate::limit::{Amount, Breach, Limit, Unit};
use crate::names::named;
use crate::outcome::{Blame, Outcome, OutcomeKind};
use crate::{bounded, exact, text};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

named! {
    /// The devices that GPU work may go to: the operator's choice, never the kernel's.
    #[derive(Default)]
    pub enum GpuDevice, "GPU device" {
        /// Whatever the machine has, hardware before software.
        #[default]
        Any = "any",
        /// A software device alone: Mesa's lavapipe.
        Software = "software",
        /// None: everything is checked and charged, and no shader runs. For tests of what stands around kernels.
        Nothing = "nothing",
    }
}

/// The number of a thing that a session holds. Never used twice in one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GpuId(pub u32);

/// A command of a runner to its launch's session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GpuCommand {
    /// What does the device offer? Answered with [`GpuAnswer::Properties`].
    Open,
    /// Lower one of the launch's GPU limits. Answered with [`GpuAnswer::Done`].
    LowerLimit {
        /// Which.
        limit: Limit,
        /// The new value.
        value: u64,
    },
    /// Make a buffer of zeros. Answered with [`GpuAnswer::Created`].
    CreateBuffer {
        /// Its size: a multiple of 4, not 0.
        size_bytes: u64,
    },
    /// Write into a buffer at once. Answered with [`GpuAnswer::Done`].
    WriteBuffer {
        /// The buffer.
        buffer: GpuId,
        /// From that byte on: a multiple of 4.
        offset_bytes: u64,
        /// A multiple of 4 bytes; at most [`PIECE_BYTES`] between processes.
        data: Payload,
    },
    /// Read from a buffer after everything submitted. Answered with [`GpuAnswer::Bytes`].
    ReadBuffer {
        /// The buffer.
        buffer: GpuId,
        /// From that byte on: a multiple of 4.
        offset_bytes: u64,
        /// A multiple of 4; at most [`PIECE_BYTES`] between processes.
        len_bytes: u64,
    },
    /// The next piece of the WGSL of [`GpuShader::Said`]. Answered with [`GpuAnswer::Done`].
    Shader(String),
    /// Admit an entry point of a shader, and forget the WGSL said so far. Answered with [`GpuAnswer::Kernel`].
    CreateKernel {
        /// The shader.
        shader: GpuShader,
        /// The entry point.
        entry: String,
        /// Values for `override` constants.
        constants: Vec<(String, f64)>,
    },
    /// Bind buffers to a kernel. Answered with [`GpuAnswer::Created`].
    Bind {
        /// The kernel.
        kernel: GpuId,
        /// What stands where.
        bindings: Vec<GpuBinding>,
    },
    /// The next steps of the next batch. Answered with [`GpuAnswer::Done`].
    Record(Vec<GpuStep>),
    /// Queue the steps recorded so far and these. Answered with [`GpuAnswer::Created`], or, with `wait`, as
    /// [`Self::Wait`].
    Submit {
        /// The last steps.
        steps: Vec<GpuStep>,
        /// Whether to wait for the end.
        wait: bool,
    },
    /// Wait for a submission. Answered with [`GpuAnswer::Waited`].
    Wait(GpuId),
    /// Forget a buffer, kernel, bind set or submission. Answered with [`GpuAnswer::Done`].
    Drop(GpuId),
}

/// The shader that a kernel is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpuShader {
    /// The one of that name in the component's section.
    Named(String),
    /// The WGSL said so far, for launches that were granted text made at run time.
    Said,
}

/// A shader of the launch's component: what stands in its section, not yet looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedShader {
    /// What a kernel asks for it by.
    pub name: String,
    /// The text.
    pub text: Bytes,
}

/// The most bytes of data in one command or answer between processes.
pub const PIECE_BYTES: usize = 48 << 10;

/// The most pieces that the wait for one submission gives back between processes: each takes some bytes of the frame
/// by itself.
pub const PIECES: usize = 4096;

/// Bytes on their way: shared inside a process, copied between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload(pub Bytes);

impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        Ok(Self(Bytes::from(bytes.into_vec())))
    }
}

/// What stands at `@group(group) @binding(slot)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuBinding {
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub slot: u32,
    /// The buffer.
    pub buffer: GpuId,
    /// Where the range begins: a multiple of 256.
    pub offset_bytes: u64,
    /// How long it is; `None` for the rest of the buffer.
    pub len_bytes: Option<u64>,
}

/// One step of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpuStep {
    /// Run workgroups of the bind set's kernel.
    Dispatch {
        /// The bind set.
        bind_set: GpuId,
        /// Along x, y and z.
        workgroups: [u32; 3],
    },
    /// Copy between two buffers; everything a multiple of 4.
    #[expect(missing_docs, reason = "the names say it")]
    Copy {
        source: GpuId,
        source_offset_bytes: u64,
        destination: GpuId,
        destination_offset_bytes: u64,
        len_bytes: u64,
    },
    /// Set to zero; everything a multiple of 4.
    #[expect(missing_docs, reason = "the names say it")]
    Clear {
        buffer: GpuId,
        offset_bytes: u64,
        len_bytes: u64,
    },
    /// Write bytes that the runner has: an array that the session does not share.
    #[expect(missing_docs, reason = "the names say it")]
    Write {
        buffer: GpuId,
        offset_bytes: u64,
        data: Payload,
    },
    /// Copy from an input that the session shares. What is missing to a multiple of 4 is zeros.
    #[expect(missing_docs, reason = "the names say it")]
    Fill {
        /// The input's position in the job's list of those that are read.
        input: u32,
        input_offset_bytes: u64,
        buffer: GpuId,
        offset_bytes: u64,
        len_bytes: u64,
    },
    /// Copy into an output that the session shares, by the time the submission was waited for.
    #[expect(missing_docs, reason = "the names say it")]
    ReadArray {
        /// The output's position in the job's list of those that are written.
        output: u32,
        output_offset_bytes: u64,
        buffer: GpuId,
        offset_bytes: u64,
        len_bytes: u64,
    },
    /// Give bytes to the runner with the answer to the wait: an output that the session does not share.
    #[expect(missing_docs, reason = "the names say it")]
    Read {
        buffer: GpuId,
        offset_bytes: u64,
        /// Any length; at most [`PIECE_BYTES`] in one submission between processes.
        len_bytes: u64,
    },
}

/// What a session answers: one to each command, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GpuAnswer {
    /// It is done.
    Done,
    /// It was made.
    Created(GpuId),
    /// A kernel was made.
    Kernel {
        /// Its id.
        id: GpuId,
        /// The size of its workgroups.
        workgroup_size: [u32; 3],
    },
    /// What the device offers.
    Properties(GpuProperties),
    /// What was read.
    Bytes(Payload),
    /// The submission ended; what each of its [`GpuStep::Read`] gave, in order.
    Waited(#[serde(deserialize_with = "bounded::list::<_, _, PIECES>")] Vec<Payload>),
    /// It was not done, and nothing changed.
    Refused(GpuError),
    /// The launch is over.
    Ended(GpuEnd),
}

/// What a kernel may use of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the WIT record")]
pub struct GpuProperties {
    pub has_subgroups: bool,
    pub min_subgroup_size: u32,
    pub max_subgroup_size: u32,
    pub max_workgroup_bytes: u32,
    pub max_workgroup_invocations: u32,
    pub max_workgroups_per_axis: u32,
    pub max_binding_bytes: u64,
}

/// Why a command was refused. As the WIT variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum GpuError {
    /// The WGSL is not valid, or is not admitted.
    #[error("{}", ShaderPlace { line: *line, column: *column, message })]
    Shader {
        /// Line, from 1; 0 where there is no place to name.
        line: u32,
        /// Column, from 1; 0 where there is no place to name.
        column: u32,
        /// What is wrong, as a lower-case fragment.
        message: String,
    },
    /// A limit would have been passed.
    #[error("limit {limit}: {} requested, at most {} allowed", limit.unit().format(*requested), limit.unit().format(*maximum))]
    #[expect(missing_docs, reason = "the names say it")]
    Limit {
        limit: Limit,
        requested: u64,
        maximum: u64,
    },
    /// A range leaves its buffer or array.
    #[error("{len_bytes} bytes at offset {offset_bytes} of {size_bytes} bytes")]
    #[expect(missing_docs, reason = "the names say it")]
    OutOfRange {
        offset_bytes: u64,
        len_bytes: u64,
        size_bytes: u64,
    },
    /// The command makes no sense.
    #[error("{0}")]
    Misuse(String),
}

struct ShaderPlace<'a> {
    line: u32,
    column: u32,
    message: &'a str,
}

impl std::fmt::Display for ShaderPlace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(self.message)
    }
}

impl From<Breach> for GpuError {
    fn from(breach: Breach) -> Self {
        let (Amount::Requested(requested) | Amount::Used(requested)) = breach.amount;
        Self::Limit {
            limit: breach.limit,
            requested,
            maximum: breach.maximum,
        }
    }
}

/// Why a session is over before its launch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpuEnd {
    /// GPU fuel ran out in a dispatch.
    FuelExhausted {
        /// What the launch was charged: less than `maximum` where the next step of a dispatch did not fit in what
        /// was left, and more where what was spent is known in coarse steps alone.
        used: u64,
        /// The limit.
        maximum: u64,
    },
    /// The device was busy for all of the GPU time that the launch had.
    Timeout {
        /// How long it was in nanoseconds.
        waited_ns: u64,
        /// The limit in nanoseconds.
        maximum_ns: u64,
    },
    /// The device was waited for until the launch's deadline.
    Deadline {
        /// How long the launch took by then in nanoseconds.
        used_ns: u64,
        /// The launch's timeout in nanoseconds.
        maximum_ns: u64,
        /// Whether it was the driver's compiler that was waited for.
        was_compiling: bool,
    },
    /// The driver did not compile a shader in the time that it has, whatever the launch has left.
    NotCompiled {
        /// How long it was waited for in nanoseconds.
        waited_ns: u64,
        /// The time that it had in nanoseconds.
        maximum_ns: u64,
    },
    /// The device was lost, with the driver's words, escaped.
    Lost(String),
    /// The launch was told to stop.
    Stopped,
}

impl GpuEnd {
    /// The limit that was reached, if one was.
    pub fn breach(&self) -> Option<Breach> {
        let spent = |limit, used, maximum| Breach {
            limit,
            amount: Amount::Used(used),
            maximum,
        };
        match *self {
            Self::FuelExhausted { used, maximum } => Some(spent(Limit::GpuFuel, used, maximum)),
            Self::Timeout {
                waited_ns,
                maximum_ns,
            } => Some(spent(Limit::GpuTime, waited_ns, maximum_ns)),
            Self::Deadline {
                used_ns,
                maximum_ns,
                ..
            } => Some(spent(Limit::Timeout, used_ns, maximum_ns)),
            Self::NotCompiled { .. } | Self::Lost(_) | Self::Stopped => None,
        }
    }

    /// How the launch ends for it; `None` where whoever stopped it knows better.
    pub fn outcome(&self) -> Option<Outcome> {
        let spent = |kind| {
            let breach = self.breach()?;
            Some(Outcome {
                kind,
                message: self.words_of(&breach),
                ..Outcome::breached(breach)
            })
        };
        let failed = |kind, blame, message| {
            Some(Outcome {
                reproducible: false,
                ..Outcome::failed(kind, blame, message)
            })
        };
        match self {
            Self::FuelExhausted { .. } => spent(OutcomeKind::GpuFuelExhausted),
            // The launch's own deadline, too: it was the device that was waited for.
            Self::Timeout { .. } | Self::Deadline { .. } => spent(OutcomeKind::GpuTimeout),
            Self::NotCompiled {
                waited_ns,
                maximum_ns,
            } => {
                let (maximum, waited) = (Unit::Ns.format(*maximum_ns), Unit::Ns.format(*waited_ns));
                let message = format!(
                    "the GPU's driver did not compile a shader within {maximum}, after {waited}: make the shader smaller"
                );
                failed(OutcomeKind::GpuTimeout, Blame::Guest, message)
            }
            Self::Lost(why) => {
                let message = format!("the GPU was lost: {why}");
                failed(OutcomeKind::GpuLost, Blame::Unknown, message)
            }
            Self::Stopped => None,
        }
    }

    /// A breach in words. Of fuel something may be left: too little. A deadline may have passed before anything ran.
    fn words_of(&self, breach: &Breach) -> String {
        match self {
            Self::FuelExhausted { used, maximum } if used < maximum => {
                format!("{breach}, and an invocation needed more than it could be given")
            }
            Self::Deadline {
                was_compiling: true,
                ..
            } => format!("{breach}, while the GPU's driver compiled a shader"),
            _ => breach.to_string(),
        }
    }
}

/// What a launch used of the GPU, as its session says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuUsage {
    /// GPU fuel that the dispatches could have spent at most, as admitted.
    #[serde(with = "exact")]
    pub fuel_bound: u64,
    /// The part of the fuel that is known before a dispatch, exactly; it was charged.
    #[serde(with = "exact")]
    pub fuel_static: u64,
    /// What dispatches with loops of unknown length said they spent, in coarse steps; it was charged.
    #[serde(with = "exact")]
    pub fuel_dynamic: u64,
    /// Whether fuel ran out.
    pub is_fuel_exhausted: bool,
    /// Dispatches.
    #[serde(with = "exact")]
    pub dispatches: u64,
    /// Invocations over all dispatches.
    #[serde(with = "exact")]
    pub invocations: u64,
    /// The most bytes held at once, staging included.
    #[serde(with = "exact")]
    pub peak_bytes: u64,
    /// Buffers made.
    #[serde(with = "exact")]
    pub buffers: u64,
    /// Pipelines asked for, those from the cache included.
    #[serde(with = "exact")]
    pub pipelines: u64,
    /// Bind sets made.
    #[serde(with = "exact")]
    pub bind_sets: u64,
    /// Bytes of WGSL.
    #[serde(with = "exact")]
    pub shader_bytes: u64,
    /// Time from each submission to its end, in nanoseconds.
    #[serde(with = "exact")]
    pub time_ns: u64,
    /// What each dispatch took, in order; only with `--gpu-profile`, where each is submitted and waited for by itself.
    #[serde(deserialize_with = "bounded::list::<_, _, PROFILED_DISPATCHES>")]
    pub profile: Vec<GpuDispatchFuel>,
    /// What the dispatches of each GPU kernel took together, in the order in which they were made; only with `--gpu-profile`.
    #[serde(deserialize_with = "bounded::list::<_, _, PROFILED_KERNELS>", default)]
    pub kernels: Vec<GpuKernelUsage>,
}

/// What the dispatches of one GPU kernel took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuKernelUsage {
    /// Its shader's name in the component, escaped; empty for text that was made at run time.
    pub shader: String,
    /// Its entry point, escaped; [`OTHER_KERNELS`] for those that are not told apart.
    pub entry: String,
    /// Dispatches.
    #[serde(with = "exact")]
    pub dispatches: u64,
    /// Their invocations.
    #[serde(with = "exact")]
    pub invocations: u64,
    /// What was charged before they ran.
    #[serde(with = "exact")]
    pub fuel_static: u64,
    /// What their loops spent, exactly.
    #[serde(with = "exact")]
    pub fuel_dynamic: u64,
    /// From each one's submission, by itself, to its end, in nanoseconds.
    #[serde(with = "exact")]
    pub time_ns: u64,
    /// The longest of those.
    #[serde(with = "exact")]
    pub longest_ns: u64,
}

impl GpuKernelUsage {
    /// One that took nothing yet, by its names, which are cut and escaped.
    pub fn named(shader: &str, entry: &str) -> Self {
        Self {
            shader: text::escape(shader, KERNEL_NAME_BYTES),
            entry: text::escape(entry, KERNEL_NAME_BYTES),
            ..Self::default()
        }
    }

    /// Adds a dispatch.
    pub fn add(&mut self, dispatch: &GpuDispatchFuel) {
        for (sum, more) in [
            (&mut self.dispatches, 1),
            (&mut self.invocations, dispatch.invocations),
            (&mut self.fuel_static, dispatch.fuel_static),
            (&mut self.fuel_dynamic, dispatch.fuel_dynamic),
            (&mut self.time_ns, dispatch.time_ns),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.longest_ns = self.longest_ns.max(dispatch.time_ns);
    }
}

/// What one dispatch spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuDispatchFuel {
    /// Its invocations.
    #[serde(with = "exact")]
    pub invocations: u64,
    /// What was charged before it.
    #[serde(with = "exact")]
    pub fuel_static: u64,
    /// What its loops spent, exactly.
    #[serde(with = "exact")]
    pub fuel_dynamic: u64,
    /// From its submission, by itself, to its end, in nanoseconds.
    #[serde(with = "exact", default)]
    pub time_ns: u64,
}

impl GpuDispatchFuel {
    /// Adds another's to it.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.invocations, other.invocations),
            (&mut self.fuel_static, other.fuel_static),
            (&mut self.fuel_dynamic, other.fuel_dynamic),
            (&mut self.time_ns, other.time_ns),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// The most dispatches that a profile tells apart.
pub const PROFILED_DISPATCHES: usize = 256;
/// The most GPU kernels that a profile tells apart, those together that it does not counted as one.
pub const PROFILED_KERNELS: usize = 64;
/// The entry point that stands for all others: no entry point has such a name.
pub const OTHER_KERNELS: &str = "(others)";
/// The longest name of a GPU kernel in a profile.
const KERNEL_NAME_BYTES: usize = 64;

/// Where a runner's GPU commands go: a session in this process, or a channel to the GPU worker.
pub trait GpuLink: Send + Sync {
    /// Does a command and answers it. Blocks at most until the launch's deadline, and ends early when the
    /// session does.
    fn call(&self, command: GpuCommand) -> GpuAnswer;

    /// Whether the session maps that input of the job's list of those that are read.
    fn shares_input(&self, _input: usize) -> bool {
        false
    }

    /// Whether the session maps that output of the job's list of those that are written.
    fn shares_output(&self, _output: usize) -> bool {
        false
    }

    /// The most bytes of data in one command or answer.
    fn piece_bytes(&self) -> usize {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shader_that_was_not_compiled_in_time_says_whose_time_it_was() {
        let (used_ns, maximum_ns) = (11_000_000_000, 10_000_000_000);
        let of = |was_compiling| GpuEnd::Deadline {
            used_ns,
            maximum_ns,
            was_compiling,
        };
        let outcome = |end: GpuEnd| end.outcome().unwrap();
        let (running, compiling) = (outcome(of(false)), outcome(of(true)));
        assert_eq!(running.breach(), compiling.breach());
        assert!(!running.message.contains("compiled"), "{running:?}");
        assert!(compiling.message.contains("compiled"), "{compiling:?}");
        let driver = outcome(GpuEnd::NotCompiled {
            waited_ns: 31_000_000_000,
            maximum_ns: 30_000_000_000,
        });
        assert_eq!(driver.breach(), None);
        let says = "did not compile a shader within 30s, after 31s: make the shader smaller";
        assert!(driver.message.ends_with(says), "{driver:?}");
        for outcome in [running, compiling, driver] {
            assert_eq!(outcome.kind, OutcomeKind::GpuTimeout);
            assert!(!outcome.reproducible);
        }
    }
}

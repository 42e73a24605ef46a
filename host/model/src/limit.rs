//! Every limit of a launch and of a compilation: its name, unit, default and ceiling, in one table.
//!
//! Totals are over everything a launch holds, not per memory or per buffer, unless the limit says so.
//! A launch's [`Limits`] remember where each value came from, so that a report can say which number
//! stopped it and who chose that number.

use crate::names::UnknownName;
use crate::time::nanoseconds;
use crate::{bounded, exact};
use hotcell_manifest::{Kernel, Weight, units};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Fuel units: roughly one per WebAssembly instruction.
    Fuel,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Ns,
    /// Things.
    Count,
}

impl Unit {
    /// A value of this unit as a person writes it.
    pub fn format(self, value: u64) -> String {
        match self {
            Self::Fuel | Self::Count => units::format_count(value),
            Self::Bytes => units::format_bytes(value),
            Self::Ns => units::format_duration(Duration::from_nanos(value)),
        }
    }

    /// Reads a value of this unit as a person writes it.
    ///
    /// # Errors
    /// As the parsers of [`units`].
    pub fn parse(self, text: &str) -> Result<u64, units::UnitError> {
        match self {
            Self::Fuel | Self::Count => units::parse_count(text),
            Self::Bytes => units::parse_bytes(text),
            // Bounded by the parser, which counts nanoseconds in a `u64` itself.
            Self::Ns => units::parse_duration(text)
                .map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    /// The unit's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Bytes => "bytes",
            Self::Ns => "ns",
            Self::Count => "count",
        }
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:ident,
       [$light:expr, $normal:expr, $heavy:expr], $ceiling:expr;)*) => {
        /// One limit. Names carry the unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Limit {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Limit {
            /// Every limit, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in reports and policy.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it counts.
            pub fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)* }
            }

            /// Its default for a kernel of that weight.
            pub fn default_value(self, weight: Weight) -> u64 {
                let values: [u64; 3] = match self { $(Self::$variant => [$light, $normal, $heavy],)* };
                match weight {
                    Weight::Light => values[0],
                    Weight::Normal => values[1],
                    Weight::Heavy => values[2],
                }
            }

            /// The built-in ceiling: what a manifest can ask for at most.
            pub fn ceiling(self) -> u64 {
                match self { $(Self::$variant => $ceiling,)* }
            }
        }
    };
}

const K: u64 = 1_000;
const M: u64 = 1_000_000;
const G: u64 = 1_000_000_000;
const T: u64 = 1_000_000_000_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

limits! {
    /// Fuel over all chunks; each chunk alone may spend as much.
    Fuel = "fuel", Fuel, [2 * G, 20 * G, 500 * G], 100 * T;
    /// Wall-clock time from the start of execution to the interrupt.
    Timeout = "timeout_ns", Ns, [SECOND, 10 * SECOND, 120 * SECOND], 3600 * SECOND;
    /// CPU time over all threads of the launch.
    CpuTime = "cpu_time_ns", Ns, [4 * SECOND, 40 * SECOND, 480 * SECOND], 14_400 * SECOND;
    /// Linear memory over all memories and chunks that are alive at once.
    Memory = "memory_bytes", Bytes, [64 * MIB, 256 * MIB, GIB], 4 * GIB;
    /// Table elements over all tables and chunks that are alive at once.
    TableElements = "table_elements", Count, [10 * K, 10 * K, 10 * K], 100 * K;
    /// Core instances in each chunk.
    Instances = "instances", Count, [16, 16, 16], 64;
    /// Linear memories in each chunk.
    Memories = "memories", Count, [4, 4, 4], 8;
    /// Tables in each chunk.
    Tables = "tables", Count, [8, 8, 8], 16;
    /// Stack of the guest's calls. Fixed when the engine is made.
    Stack = "stack_bytes", Bytes, [512 * KIB, 512 * KIB, 512 * KIB], 512 * KIB;
    /// Handles that the guest holds at once, in each chunk.
    Handles = "handles", Count, [256, 256, 256], 4096;
    /// Bytes copied from arrays into the guest, and random bytes.
    BytesIn = "bytes_in", Bytes, [4 * GIB, 16 * GIB, 256 * GIB], 1024 * GIB;
    /// Bytes copied from the guest into arrays.
    BytesOut = "bytes_out", Bytes, [4 * GIB, 16 * GIB, 256 * GIB], 1024 * GIB;
    /// Memory of the host that arrays take: inputs in memory, the copies of them that workers map, and outputs.
    HostMemory = "host_memory_bytes", Bytes, [4 * GIB, 4 * GIB, 4 * GIB], 1024 * GIB;
    /// Calls from the guest to the host.
    HostCalls = "host_calls", Count, [M, M, 10 * M], G;
    /// Bytes of log lines; what is over it is dropped and counted.
    LogBytes = "log_bytes", Bytes, [64 * KIB, 64 * KIB, 64 * KIB], 16 * MIB;
    /// Log lines; what is over it is dropped and counted.
    LogLines = "log_lines", Count, [K, K, K], 100 * K;
    /// Files and directories that are opened, listed or made.
    FileOpens = "file_opens", Count, [K, 10 * K, 10 * K], M;
    /// Files and directories that are open at once, those that the operator gave included.
    FileHandles = "file_handles", Count, [64, 64, 64], K;
    /// Bytes read from files and written to them.
    FileBytes = "file_bytes", Bytes, [4 * GIB, 16 * GIB, 256 * GIB], 1024 * GIB;
    /// Bytes written to files, and by which files become longer without.
    FileBytesWritten = "file_bytes_written", Bytes, [256 * MIB, GIB, 16 * GIB], 1024 * GIB;
    /// Private writable memory of a guarded process, beyond what it has when it is ready.
    ProcessMemory = "process_memory_bytes", Bytes, [4 * GIB, 4 * GIB, 4 * GIB], 1024 * GIB;
    /// Threads of a guarded process.
    Threads = "threads", Count, [256, 256, 256], 4096;
    /// A guarded process and those that it makes: none.
    Processes = "processes", Count, [1, 1, 1], 1;
    /// Files in the folder of a guarded process, which are in memory.
    ScratchBytes = "scratch_bytes", Bytes, [256 * MIB, 256 * MIB, 256 * MIB], 64 * GIB;
    /// Size of the component.
    ComponentBytes = "component_bytes", Bytes, [16 * MIB, 16 * MIB, 16 * MIB], 256 * MIB;
    /// Functions with a body, over all core modules.
    Functions = "functions", Count, [20 * K, 20 * K, 20 * K], 200 * K;
    /// Size of the largest function's body.
    FunctionBytes = "function_bytes", Bytes, [512 * KIB, 512 * KIB, 512 * KIB], 4 * MIB;
    /// Locals of any one function.
    FunctionLocals = "function_locals", Count, [10 * K, 10 * K, 10 * K], 50 * K;
    /// Targets of any one `br_table`.
    BrTableTargets = "br_table_targets", Count, [10 * K, 10 * K, 10 * K], 100 * K;
    /// Deepest nesting of blocks in any one function.
    Nesting = "nesting", Count, [K, K, K], 10 * K;
    /// Types, over all core modules and the component.
    Types = "types", Count, [5 * K, 5 * K, 5 * K], 50 * K;
    /// Imports, exports, core modules, instances, aliases and names, over all of the component.
    Items = "items", Count, [50 * K, 50 * K, 50 * K], 500 * K;
    /// CPU time of one compilation. Confined isolation only, like the next two.
    CompileCpu = "compile_cpu_ns", Ns, [20 * SECOND, 20 * SECOND, 20 * SECOND], 600 * SECOND;
    /// Memory of the process that compiles.
    CompileMemory = "compile_memory_bytes", Bytes, [GIB, GIB, GIB], 16 * GIB;
    /// Wall-clock time of one compilation, waiting for its turn not included.
    CompileWall = "compile_wall_ns", Ns, [20 * SECOND, 20 * SECOND, 20 * SECOND], 600 * SECOND;
    /// Size of the compiled artifact.
    ArtifactBytes = "artifact_bytes", Bytes, [128 * MIB, 128 * MIB, 128 * MIB], GIB;
    /// GPU fuel over all dispatches: roughly one per operation of an invocation.
    GpuFuel = "gpu_fuel", Fuel, [10 * G, 50 * G, 50 * T], M * T;
    /// Time that the device is busy for the launch, and at most the rest of its timeout.
    GpuTime = "gpu_time_ns", Ns, [SECOND, 10 * SECOND, 120 * SECOND], 3600 * SECOND;
    /// Memory of the device held at once, staging included.
    GpuBytes = "gpu_bytes", Bytes, [256 * MIB, GIB, 4 * GIB], 1024 * GIB;
    /// GPU buffers held at once.
    GpuBuffers = "gpu_buffers", Count, [64, 64, 256], 4096;
    /// GPU kernels made, those from the cache included.
    GpuPipelines = "gpu_pipelines", Count, [32, 32, 128], 4096;
    /// GPU bind sets made.
    GpuBindSets = "gpu_bind_sets", Count, [256, 256, 4096], 1 << 20;
    /// WGSL over all kernels of a launch.
    GpuShaderBytes = "gpu_shader_bytes", Bytes, [256 * KIB, 256 * KIB, MIB], 16 * MIB;
    /// Size of one GPU kernel once every call is inlined, in operations.
    GpuShaderOperations = "gpu_shader_operations", Count, [100 * K, 100 * K, 100 * K], M;
    /// Workgroup memory of one GPU kernel.
    GpuWorkgroupBytes = "gpu_workgroup_bytes", Bytes, [16 * KIB, 16 * KIB, 32 * KIB], 64 * KIB;
    /// Dispatches.
    GpuDispatches = "gpu_dispatches", Count, [10 * K, 10 * K, 100 * K], 10 * M;
    /// Invocations over all dispatches.
    GpuInvocations = "gpu_invocations", Count, [4 * G, 4 * G, T], 1000 * T;
}

impl Limit {
    /// Whether it is a limit on files.
    pub const fn is_of_files(self) -> bool {
        self as usize >= Self::FileOpens as usize
            && self as usize <= Self::FileBytesWritten as usize
    }

    /// Whether it is a limit on guarded processes alone.
    pub const fn is_of_guard(self) -> bool {
        self as usize >= Self::ProcessMemory as usize
            && self as usize <= Self::ScratchBytes as usize
    }

    /// Whether it is a limit of the GPU's. The guest that has a GPU can lower each of them, and none of the others.
    pub const fn is_of_gpu(self) -> bool {
        self as usize >= Self::GpuFuel as usize && self as usize <= Self::GpuInvocations as usize
    }
}

impl std::str::FromStr for Limit {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let mut all = Self::ALL.iter().copied();
        all.find(|limit| limit.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|limit| limit.name()).collect();
            UnknownName::new(name, "limit", &known)
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The most that each limit can be set to: the operator's, at most the built-in ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceilings([u64; Limit::ALL.len()]);

impl Default for Ceilings {
    /// The built-in ceilings.
    fn default() -> Self {
        Self(std::array::from_fn(|at| Limit::ALL[at].ceiling()))
    }
}

impl Ceilings {
    /// The same, with one lowered. Nothing raises one above the built-in: what workers reserve depends on those.
    #[must_use]
    pub fn lower(mut self, limit: Limit, value: u64) -> Self {
        let ceiling = &mut self.0[limit as usize];
        *ceiling = value.min(*ceiling);
        self
    }

    /// A limit's ceiling, in its unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Holds a value that is asked for against the limit's ceiling.
    ///
    /// # Errors
    /// It is above.
    pub fn check(&self, limit: Limit, requested: u64) -> Result<(), AboveCeiling> {
        let maximum = self.get(limit);
        match requested <= maximum {
            true => Ok(()),
            false => Err(AboveCeiling {
                limit,
                requested,
                maximum,
            }),
        }
    }
}

/// Who chose a limit's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitSource {
    /// The built-in default for the kernel's weight.
    Default,
    /// The kernel's author, in the manifest.
    Manifest,
    /// The operator, for everybody: a policy's limit, or a ceiling where a default is above that.
    Policy,
    /// The operator, for kernels of a profile.
    Profile,
    /// The operator, for a tenant.
    Tenant,
    /// Whoever asked for the launch: the command line or the embedding program.
    Request,
}

/// The limits of one launch. Between processes their values cross, and not who chose them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "LimitValues", try_from = "LimitValues")]
pub struct Limits {
    values: Vec<(u64, LimitSource)>,
}

/// The values of all limits, in the order of [`Limit::ALL`].
#[derive(Serialize, Deserialize)]
struct LimitValues(
    #[serde(deserialize_with = "bounded::list::<_, _, { Limit::ALL.len() }>")] Vec<u64>,
);

impl From<Limits> for LimitValues {
    fn from(limits: Limits) -> Self {
        Self(limits.values.iter().map(|(value, _)| *value).collect())
    }
}

impl TryFrom<LimitValues> for Limits {
    type Error = String;

    fn try_from(LimitValues(values): LimitValues) -> Result<Self, String> {
        if values.len() != Limit::ALL.len() {
            return Err("limits of another build".to_owned());
        }
        let mut limits = Self::defaults(Weight::default());
        for (limit, value) in Limit::ALL.iter().zip(values) {
            let set = limits.try_set(*limit, value, LimitSource::Request);
            set.map_err(|error| error.to_string())?;
        }
        Ok(limits)
    }
}

/// A limit that was asked for above its ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error(
    "limit {limit} of {} is above its ceiling of {}",
    limit.unit().format(*requested),
    limit.unit().format(*maximum)
)]
pub struct AboveCeiling {
    /// The limit.
    pub limit: Limit,
    /// What was asked for.
    #[serde(with = "exact")]
    pub requested: u64,
    /// The ceiling.
    #[serde(with = "exact")]
    pub maximum: u64,
}

impl Limits {
    /// The defaults for a kernel of that weight.
    pub fn defaults(weight: Weight) -> Self {
        let value = |limit: &Limit| (limit.default_value(weight), LimitSource::Default);
        Self {
            values: Limit::ALL.iter().map(value).collect(),
        }
    }

    /// Puts what the kernel's manifest asks for in the place of what is set; returns what it asks for above a ceiling.
    pub fn set_by_manifest(&mut self, kernel: &Kernel, ceilings: &Ceilings) -> Vec<AboveCeiling> {
        let timeout = kernel.wanted_timeout().map(nanoseconds);
        let wanted = [
            (Limit::Fuel, kernel.wanted_fuel()),
            (Limit::Timeout, timeout),
            (Limit::Memory, kernel.wanted_memory_bytes()),
        ];
        let set = wanted.map(|(limit, wanted)| {
            let set = self.try_set_within(ceilings, limit, wanted?, LimitSource::Manifest);
            set.err()
        });
        set.into_iter().flatten().collect()
    }

    /// Brings what is above a ceiling down to it: defaults may be, where an operator's ceilings are low.
    pub fn cap(&mut self, ceilings: &Ceilings) {
        for (limit, (value, source)) in Limit::ALL.iter().zip(&mut self.values) {
            let ceiling = ceilings.get(*limit);
            if *value > ceiling {
                (*value, *source) = (ceiling, LimitSource::Policy);
            }
        }
    }

    /// Brings each limit that is above another's down to that.
    pub fn lower_to(&mut self, others: &Self) {
        for (own, other) in self.values.iter_mut().zip(&others.values) {
            if other.0 < own.0 {
                *own = *other;
            }
        }
    }

    /// Takes the defaults of another weight for these limits, where they are lower and nobody chose what is set.
    pub fn lower_defaults(&mut self, weight: Weight, limits: &[Limit]) {
        for limit in limits {
            let (value, source) = &mut self.values[*limit as usize];
            if *source == LimitSource::Default {
                *value = limit.default_value(weight).min(*value);
            }
        }
    }

    /// Sets a limit, within the built-in ceiling.
    ///
    /// # Errors
    /// The value is above the limit's ceiling.
    pub fn try_set(
        &mut self,
        limit: Limit,
        value: u64,
        source: LimitSource,
    ) -> Result<(), AboveCeiling> {
        self.try_set_within(&Ceilings::default(), limit, value, source)
    }

    /// Sets a limit within those ceilings.
    ///
    /// # Errors
    /// The value is above the limit's ceiling.
    pub fn try_set_within(
        &mut self,
        ceilings: &Ceilings,
        limit: Limit,
        value: u64,
        source: LimitSource,
    ) -> Result<(), AboveCeiling> {
        ceilings.check(limit, value)?;
        self.values[limit as usize] = (value, source);
        Ok(())
    }

    /// A limit's value, in its unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.values[limit as usize].0
    }

    /// A limit's value where its unit is nanoseconds.
    pub fn duration(&self, limit: Limit) -> Duration {
        Duration::from_nanos(self.get(limit))
    }

    /// Who chose the value.
    pub fn source(&self, limit: Limit) -> LimitSource {
        self.values[limit as usize].1
    }
}

/// A limit that was reached or would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error(
    "limit {limit}: {}, at most {} allowed",
    amount.in_words(limit.unit()),
    limit.unit().format(*maximum)
)]
pub struct Breach {
    /// The limit.
    pub limit: Limit,
    /// What was used or asked for.
    pub amount: Amount,
    /// The limit's value.
    #[serde(with = "exact")]
    pub maximum: u64,
}

impl Breach {
    /// How much was asked for above the limit; `None` where it was used up and nobody knows how far it would have gone.
    pub fn excess(&self) -> Option<u64> {
        match self.amount {
            Amount::Requested(requested) => Some(requested.saturating_sub(self.maximum)),
            Amount::Used(_) => None,
        }
    }

    /// Whether the same work may pass the limit one time and not another: clocks, and GPU fuel that goes to the
    /// invocations that come first.
    pub const fn is_by_chance(&self) -> bool {
        match self.limit {
            Limit::Timeout
            | Limit::CpuTime
            | Limit::CompileCpu
            | Limit::CompileWall
            | Limit::GpuTime => true,
            Limit::GpuFuel => matches!(self.amount, Amount::Used(_)),
            _ => false,
        }
    }
}

/// How much of a limited thing there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// Refused before it was given.
    Requested(#[serde(with = "exact")] u64),
    /// Spent before it was stopped.
    Used(#[serde(with = "exact")] u64),
}

impl Amount {
    /// The number, whichever it is.
    pub fn value(self) -> u64 {
        match self {
            Self::Requested(value) | Self::Used(value) => value,
        }
    }

    fn in_words(self, unit: Unit) -> String {
        match self {
            Self::Requested(value) => format!("{} requested", unit.format(value)),
            Self::Used(value) => format!("{} used", unit.format(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_ceiling_and_weights_are_ordered() {
        for limit in Limit::ALL {
            let [light, normal, heavy] =
                [Weight::Light, Weight::Normal, Weight::Heavy].map(|w| limit.default_value(w));
            assert!(light <= normal && normal <= heavy, "{limit}");
            assert!(heavy <= limit.ceiling(), "{limit}");
        }
    }

    #[test]
    fn positions_match_the_table() {
        for (position, limit) in Limit::ALL.iter().enumerate() {
            assert_eq!(*limit as usize, position);
            assert_eq!(limit.is_of_gpu(), limit.name().starts_with("gpu_"));
            assert_eq!(limit.is_of_files(), limit.name().starts_with("file_"));
        }
    }

    #[test]
    fn a_value_above_the_ceiling_is_refused_with_both_numbers() {
        let mut limits = Limits::defaults(Weight::Normal);
        let refused = limits
            .try_set(Limit::Memory, 8 * GIB, LimitSource::Manifest)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "limit memory_bytes of 8GiB is above its ceiling of 4GiB"
        );
        assert_eq!(limits.source(Limit::Memory), LimitSource::Default);
    }

    #[test]
    fn a_breach_says_both_numbers() {
        let breach = Breach {
            limit: Limit::Memory,
            amount: Amount::Requested(512 * MIB),
            maximum: 256 * MIB,
        };
        assert_eq!(
            breach.to_string(),
            "limit memory_bytes: 512MiB requested, at most 256MiB allowed"
        );
    }

    #[test]
    fn limits_cross_and_foreign_ones_are_refused() {
        let mut limits = Limits::defaults(Weight::Normal);
        limits
            .try_set(Limit::Fuel, 7, LimitSource::Manifest)
            .unwrap();
        let bytes = postcard::to_stdvec(&limits).unwrap();
        let crossed: Limits = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(crossed.get(Limit::Fuel), 7);
        let foreign = |values: &[u64]| {
            let bytes = postcard::to_stdvec(values).unwrap();
            postcard::from_bytes::<Limits>(&bytes).is_err()
        };
        assert!(foreign(&[1]));
        assert!(foreign(&vec![u64::MAX; Limit::ALL.len()]));
    }
}

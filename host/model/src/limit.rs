//! Every limit of a launch and of a compilation: its name, unit, default and ceiling, in one table.
//!
//! Totals are over everything a launch holds, not per memory or per buffer, unless the limit says so.
//! A launch's [`Limits`] remember where each value came from, so that a report can say which number
//! stopped it and who chose that number.

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
    /// Whether it is a limit of the GPU's. The guest that has a GPU can lower each of them, and none of the others.
    pub fn is_of_gpu(self) -> bool {
        (Self::GpuFuel as usize..=Self::GpuInvocations as usize).contains(&(self as usize))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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
    /// Whoever asked for the launch: the command line or the embedding program.
    Request,
}

/// The limits of one launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    values: Vec<(u64, LimitSource)>,
}

/// A limit that was asked for above its ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "limit {limit} of {} is above its ceiling of {}",
    limit.unit().format(*requested),
    limit.unit().format(*maximum)
)]
pub struct AboveCeiling {
    /// The limit.
    pub limit: Limit,
    /// What was asked for.
    pub requested: u64,
    /// The ceiling.
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

    /// The defaults, with what the kernel's manifest asks for in their place.
    ///
    /// # Errors
    /// The manifest asks for more than a ceiling allows.
    pub fn of_kernel(kernel: &Kernel) -> Result<Self, AboveCeiling> {
        let mut limits = Self::defaults(kernel.weight());
        let timeout = kernel
            .wanted_timeout()
            .map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        for (limit, wanted) in [
            (Limit::Fuel, kernel.wanted_fuel()),
            (Limit::Timeout, timeout),
            (Limit::Memory, kernel.wanted_memory_bytes()),
        ] {
            if let Some(requested) = wanted {
                limits.try_set(limit, requested, LimitSource::Manifest)?;
            }
        }
        Ok(limits)
    }

    /// Sets a limit.
    ///
    /// # Errors
    /// The value is above the limit's ceiling.
    pub fn try_set(
        &mut self,
        limit: Limit,
        value: u64,
        source: LimitSource,
    ) -> Result<(), AboveCeiling> {
        let maximum = limit.ceiling();
        if value > maximum {
            return Err(AboveCeiling {
                limit,
                requested: value,
                maximum,
            });
        }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The limit.
    pub limit: Limit,
    /// What was used or asked for.
    pub amount: Amount,
    /// The limit's value.
    pub maximum: u64,
}

/// How much of a limited thing there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Refused before it was given.
    Requested(u64),
    /// Spent before it was stopped.
    Used(u64),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = |value| self.limit.unit().format(value);
        let amount = match self.amount {
            Amount::Requested(value) => format!("{} requested", format(value)),
            Amount::Used(value) => format!("{} used", format(value)),
        };
        write!(
            f,
            "limit {}: {amount}, at most {} allowed",
            self.limit,
            format(self.maximum)
        )
    }
}

impl std::error::Error for Breach {}

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
}

//! The report of one launch: what an operator reads, a program parses and a rerun checks.
//!
//! JSON with `"schema": 1`, described by `docs/report.schema.json`. Counts above 2⁵³ are strings, since
//! readers that hold numbers as doubles would round them.

use crate::digest::{Digest, RunId};
use crate::gpu::{GpuDispatchFuel, GpuUsage};
use crate::grant::Grants;
use crate::layer::{LayerReport, Tier};
use crate::limit::{Amount, Breach, Limit, LimitSource, Limits};
use crate::outcome::{Blame, Frame, Outcome, OutcomeKind};
use crate::profile::{Isolation, Metering};
use hotcell_manifest::{DType, ScalarValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;

/// The version of the report's schema.
pub const SCHEMA: u32 = 1;

/// A count that JSON carries exactly: a number up to 2⁵³, a decimal string above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= 1 << 53 {
            serializer.serialize_u64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a count, as a number or a decimal string")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                text.parse().map(Count).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The report of one launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// The launch.
    pub run_id: RunId,
    /// The program that wrote it, with its version.
    pub host: String,
    /// What was run.
    pub component: ComponentReport,
    /// The arrays that went in, and in-out ones as they were before.
    pub arguments: Vec<ArrayReport>,
    /// The scalars, defaults included.
    pub scalars: BTreeMap<String, ScalarValue>,
    /// Every named dimension.
    pub dims: BTreeMap<String, Count>,
    /// The arrays that came out; empty unless the outputs were kept.
    pub results: Vec<ArrayReport>,
    /// How it ended.
    pub outcome: OutcomeReport,
    /// What was measured.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
    /// The limits in force, by name.
    pub limits: BTreeMap<String, LimitReport>,
    /// The capabilities granted.
    pub grants: Grants,
    /// The metering mode.
    pub metering: Metering,
    /// The seed of `random`, if one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seed: Option<Count>,
    /// What kept the launch apart from the host.
    pub isolation: Isolation,
    /// The walls around the workers, where there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub walls: Option<Walls>,
    /// What was odd about the launch.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alerts: Vec<Alert>,
    /// The guest's log lines that were kept, escaped.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub log: Vec<LogLine>,
}

/// The walls around the workers of a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// How strong they were.
    pub tier: Tier,
    /// The least that was asked for: below it nothing would have run.
    pub required: Tier,
    /// The layers of the runner, in order.
    pub runner: Vec<LayerReport>,
    /// The layers of the process that compiled, if this launch needed one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub compiler: Vec<LayerReport>,
    /// The layers of the GPU worker, if this launch had one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gpu: Vec<LayerReport>,
}

/// Something odd about a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// What kind of thing.
    pub kind: AlertKind,
    /// What was seen, with the numbers.
    pub message: String,
}

/// Kinds of odd things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// A worker's figure does not agree with what the supervisor measured.
    ClaimMismatch,
    /// A worker broke the protocol, or a rule of the memory it shares.
    HostileWorker,
    /// A worker died.
    WorkerDied,
    /// A worker had to be killed.
    WorkerKilled,
    /// A compilation cost far more than code of its size usually does.
    CompilationCost,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentReport {
    /// BLAKE3 of the component's bytes; absent if they could not be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// The file it was read from, as the caller named it; absent for bytes from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// The name in the manifest; empty if it could not be read.
    pub name: String,
    /// The entry; empty if it is not known.
    pub entry: String,
}

/// One array of a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayReport {
    /// The parameter.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// BLAKE3 of its bytes; absent where the caller asked for none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blake3: Option<Digest>,
}

/// How a launch ended, for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeReport {
    /// The kind of end.
    pub kind: OutcomeKind,
    /// Whose doing it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blame: Option<Blame>,
    /// What happened.
    pub message: String,
    /// Whether the same request would end the same way again.
    pub reproducible: bool,
    /// Whether the results are those of a guest that was asked to return early.
    pub partial: bool,
    /// The limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<BreachReport>,
    /// The guest's functions at a trap, innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub trace: Vec<Frame>,
}

/// A limit that was reached, for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachReport {
    /// The limit.
    pub name: Limit,
    /// What was asked for, if it was refused beforehand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested: Option<Count>,
    /// What was spent, if it was stopped afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub used: Option<Count>,
    /// The limit's value.
    pub maximum: Count,
    /// What is counted.
    pub unit: String,
}

impl From<&Breach> for BreachReport {
    fn from(breach: &Breach) -> Self {
        let (requested, used) = match breach.amount {
            Amount::Requested(value) => (Some(Count(value)), None),
            Amount::Used(value) => (None, Some(Count(value))),
        };
        Self {
            name: breach.limit,
            requested,
            used,
            maximum: Count(breach.maximum),
            unit: breach.limit.unit().name().to_owned(),
        }
    }
}

impl From<&Outcome> for OutcomeReport {
    fn from(outcome: &Outcome) -> Self {
        Self {
            kind: outcome.kind,
            blame: outcome.blame,
            message: outcome.message.clone(),
            reproducible: outcome.reproducible,
            partial: outcome.partial,
            limit: outcome.limit.as_ref().map(BreachReport::from),
            trace: outcome.trace.clone(),
        }
    }
}

/// What a launch used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Fuel over all chunks; absent in `fast` metering.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fuel_used: Option<Count>,
    /// Wall-clock time of the execution.
    pub wall_ns: Count,
    /// CPU time of the execution, over all threads.
    pub cpu_ns: Count,
    /// The most linear memory that was alive at once.
    pub peak_memory_bytes: Count,
    /// Bytes copied into the guest.
    pub bytes_in: Count,
    /// Bytes copied out of the guest.
    pub bytes_out: Count,
    /// Calls from the guest to the host.
    pub host_calls: Count,
    /// Bytes of log lines, those that were dropped included.
    pub log_bytes: Count,
    /// Log lines that were dropped.
    pub log_lines_dropped: Count,
    /// Fresh instances that ran: one per chunk.
    pub instances: Count,
    /// What it used of the GPU, as the GPU worker says; absent if it had none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu: Option<Box<GpuReport>>,
    /// The figures among these that only the worker knows: claims, which nothing here could check.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub claimed: Vec<String>,
}

/// What a launch used of the GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuReport {
    /// The device and its driver in words.
    pub driver: String,
    /// The most fuel that the dispatches could have spent, as admitted.
    pub fuel_bound: Count,
    /// The part of the fuel that is known before a dispatch: exact, and charged.
    pub fuel_static: Count,
    /// What dispatches with loops of unknown length spent, in coarse steps; charged.
    pub fuel_dynamic: Count,
    /// The budget.
    pub fuel_limit: Count,
    /// Whether it ran out.
    pub is_fuel_exhausted: bool,
    /// Dispatches.
    pub dispatches: Count,
    /// Invocations over all dispatches.
    pub invocations: Count,
    /// The most device memory held at once, staging included.
    pub peak_bytes: Count,
    /// Buffers made.
    pub buffers: Count,
    /// Kernels made, those from the cache included.
    pub pipelines: Count,
    /// Bind sets made.
    pub bind_sets: Count,
    /// Bytes of WGSL.
    pub shader_bytes: Count,
    /// Time from each submission to its end.
    pub time_ns: Count,
    /// What each dispatch spent, in order; only with a GPU profile, and for the first dispatches.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub profile: Vec<GpuDispatchReport>,
}

/// What one dispatch spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuDispatchReport {
    /// Its invocations.
    pub invocations: Count,
    /// What was charged before it.
    pub fuel_static: Count,
    /// What its loops spent, exactly.
    pub fuel_dynamic: Count,
}

impl GpuReport {
    /// What a session said, with the device that it was on and the budget that it had.
    pub fn new(usage: &GpuUsage, driver: &str, fuel_limit: u64) -> Self {
        let dispatch = |fuel: &GpuDispatchFuel| GpuDispatchReport {
            invocations: Count(fuel.invocations),
            fuel_static: Count(fuel.fuel_static),
            fuel_dynamic: Count(fuel.fuel_dynamic),
        };
        Self {
            driver: driver.to_owned(),
            fuel_bound: Count(usage.fuel_bound),
            fuel_static: Count(usage.fuel_static),
            fuel_dynamic: Count(usage.fuel_dynamic),
            fuel_limit: Count(fuel_limit),
            is_fuel_exhausted: usage.is_fuel_exhausted,
            dispatches: Count(usage.dispatches),
            invocations: Count(usage.invocations),
            peak_bytes: Count(usage.peak_bytes),
            buffers: Count(usage.buffers),
            pipelines: Count(usage.pipelines),
            bind_sets: Count(usage.bind_sets),
            shader_bytes: Count(usage.shader_bytes),
            time_ns: Count(usage.time_ns),
            profile: usage.profile.iter().map(dispatch).collect(),
        }
    }
}

/// Whether a compiled artifact was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheOutcome {
    /// It was in this process already.
    HitMemory,
    /// It was on disk.
    Hit,
    /// It was compiled, and why.
    Miss(String),
    /// Its compilation failed a moment ago, and was not tried again.
    FailedBefore,
}

/// Where the time of a launch went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// Compiling.
    pub compile_ns: Count,
    /// Whether that was needed; absent if the launch ended before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache: Option<CacheOutcome>,
    /// Of that, by phase, as the compile process says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compilation: Option<Compilation>,
    /// Verifying and mapping the artifact.
    pub load_ns: Count,
    /// Instantiating, over all chunks.
    pub instantiate_ns: Count,
    /// Inside the guest's entry, copies included, over all chunks.
    pub call_ns: Count,
    /// Of that, between the last read and the first write: the kernel's body, over all chunks.
    pub body_ns: Count,
    /// After the run: digests of the outputs, and their delivery.
    #[serde(default)]
    pub settle_ns: Count,
}

/// What a compilation took: phases as its process says, totals as the supervisor measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compilation {
    /// Counting and validating (claimed).
    pub describe_ns: Count,
    /// Setting Cranelift up (claimed).
    pub setup_ns: Count,
    /// Cranelift's work (claimed).
    pub compile_ns: Count,
    /// CPU time of the process (measured).
    pub cpu_ns: Count,
    /// The most memory that the process had (measured).
    pub peak_memory_bytes: Count,
}

/// A limit in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitReport {
    /// The value, in the limit's unit.
    pub value: Count,
    /// Who chose it.
    pub source: LimitSource,
}

impl Limits {
    /// Every limit by name, for the report.
    pub fn to_report(&self) -> BTreeMap<String, LimitReport> {
        let entry = |limit: &Limit| {
            let value = Count(self.get(*limit));
            let source = self.source(*limit);
            (limit.name().to_owned(), LimitReport { value, source })
        };
        Limit::ALL.iter().map(entry).collect()
    }
}

/// A line that the guest logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The text: control characters are escaped, and its end is cut where a limit said so.
    pub message: String,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Of use to the kernel's author only.
    Debug,
    /// Worth knowing.
    Info,
    /// Something looks wrong.
    Warn,
    /// Something is wrong.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_cross_json_exactly() {
        for (value, json) in [
            (1 << 53, "9007199254740992"),
            (u64::MAX, "\"18446744073709551615\""),
        ] {
            assert_eq!(serde_json::to_string(&Count(value)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Count>(json).unwrap(), Count(value));
        }
        assert!(serde_json::from_str::<Count>("-1").is_err());
        assert!(serde_json::from_str::<Count>("\"x\"").is_err());
    }
}

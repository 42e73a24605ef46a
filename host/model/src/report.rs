//! The report of one launch: what an operator reads, a program parses and a rerun checks.
//!
//! JSON with `"schema": 2`, described by `docs/report.schema.json`. Counts are strings of digits there, which every program reads exactly.

use crate::analysis::Foretold;
use crate::caller::Caller;
use crate::digest::{Digest, RunId};
use crate::files::FileUsage;
use crate::forecast::Warning;
use crate::gpu::GpuUsage;
use crate::grant::Grants;
use crate::guard::JitReport;
use crate::layer::{LayerReport, Tier};
use crate::limit::{Breach, Limit, LimitSource, Limits};
use crate::names::named;
use crate::outcome::Outcome;
use crate::profile::{Isolation, Metering};
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::{bounded, exact};
use hotcell_manifest::{DType, ScalarValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the report's schema.
pub const SCHEMA: u32 = 2;

/// The report of one launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// The launch.
    pub run_id: RunId,
    /// Who is charged for it.
    pub tenant: Tenant,
    /// Who asked for it.
    #[serde(default)]
    pub caller: Caller,
    /// When it was asked for.
    pub started: Timestamp,
    /// The program that wrote it, with its version.
    pub host: String,
    /// BLAKE3 of the policy that held, as it was read; absent where it was not read from a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<Digest>,
    /// What was run.
    pub component: ComponentReport,
    /// The arrays that went in, and in-out ones as they were before.
    pub arguments: Vec<ArrayReport>,
    /// The scalars, defaults included.
    pub scalars: BTreeMap<String, ScalarValue>,
    /// Every named dimension.
    #[serde(with = "exact::map")]
    pub dims: BTreeMap<String, u64>,
    /// The arrays that came out; empty unless the outputs were kept.
    pub results: Vec<ArrayReport>,
    /// How it ended.
    pub outcome: Outcome,
    /// What became of the outputs; absent if it was no launch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outputs: Option<OutputsEnd>,
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
    #[serde(with = "exact::option")]
    pub seed: Option<u64>,
    /// What kept the launch apart from the host.
    pub isolation: Isolation,
    /// The GPU and its driver in words, where the launch had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// The walls around the workers, where there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub walls: Option<Walls>,
    /// What the kernel's code says that the launch takes, where it says anything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foretold: Option<Foretold>,
    /// Limits that the launch was expected to reach, before it ran.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<Warning>,
    /// What was odd about the launch.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alerts: Vec<Alert>,
    /// Limits that the policy only observes, and that would have stopped the launch or refused it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub observed: Vec<Breach>,
    /// What compilers inside a guarded process made for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub jit: Vec<JitReport>,
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
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub runner: Vec<LayerReport>,
    /// The layers of the process that compiled, if this launch needed one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub compiler: Vec<LayerReport>,
    /// The layers of the GPU worker, if this launch had one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gpu: Vec<LayerReport>,
    /// The layers of the guarded process, if this was no launch of a kernel.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub guarded: Vec<LayerReport>,
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

named! {
    /// Kinds of odd things.
    pub enum AlertKind, "kind of alert" {
        /// A worker's figure does not agree with what the supervisor measured.
        ClaimMismatch = "claim-mismatch",
        /// A worker broke the protocol, or a rule of the memory it shares.
        HostileWorker = "hostile-worker",
        /// A worker died.
        WorkerDied = "worker-died",
        /// A worker had to be killed.
        WorkerKilled = "worker-killed",
        /// A worker's system-call filter killed it.
        FilterKill = "filter-kill",
        /// An artifact in the cache is not what this host put there.
        SignatureMismatch = "signature-mismatch",
        /// A compilation cost far more than code of its size usually does.
        CompilationCost = "compilation-cost",
        /// A process that compiles read from disks, or wrote to them.
        CompilationIo = "compilation-io",
        /// A launch cost far more than launches of that kernel on arrays of that size usually do.
        LaunchCost = "launch-cost",
        /// The same component is compiled over and over.
        RecompileStorm = "recompile-storm",
        /// A component's manifest says something of a kernel that its code contradicts.
        ManifestLies = "manifest-lies",
        /// The audit log could not be written.
        UnwrittenRecord = "unwritten-record",
        /// What a launch used above its budget could not be written where budgets are kept.
        UnwrittenCharge = "unwritten-charge",
    }
}

named! {
    /// How much an alert matters.
    pub enum Severity, "severity" {
        /// Worth a look.
        Warning = "warning",
        /// A wall was touched, something lies, or it cannot be recorded: to be looked at now.
        Critical = "critical",
    }
}

impl AlertKind {
    /// How much it matters.
    pub fn severity(self) -> Severity {
        match self {
            Self::ClaimMismatch
            | Self::HostileWorker
            | Self::FilterKill
            | Self::SignatureMismatch
            | Self::UnwrittenRecord => Severity::Critical,
            Self::ManifestLies
            | Self::WorkerDied
            | Self::WorkerKilled
            | Self::CompilationCost
            | Self::CompilationIo
            | Self::LaunchCost
            | Self::RecompileStorm
            | Self::UnwrittenCharge => Severity::Warning,
        }
    }
}

named! {
    /// What became of the outputs of a launch.
    pub enum OutputsEnd, "end of outputs" {
        /// They went to where the request wanted them.
        Delivered = "delivered",
        /// The caller has them as arrays.
        Returned = "returned",
        /// They were discarded, or never came about.
        Discarded = "discarded",
    }
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
    /// The artifact's key in the cache, which component, engine settings and tenant decide; absent if it did not come to that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub artifact: Option<Digest>,
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

/// The most figures that are marked as claims.
const CLAIMED: usize = 16;

/// What a launch used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Fuel over all chunks; absent in `fast` metering.
    #[serde(with = "exact::option")]
    pub fuel_used: Option<u64>,
    /// Wall-clock time of the execution.
    #[serde(with = "exact")]
    pub wall_ns: u64,
    /// CPU time of the execution, over all threads.
    #[serde(with = "exact")]
    pub cpu_ns: u64,
    /// The most linear memory that was alive at once.
    #[serde(with = "exact")]
    pub peak_memory_bytes: u64,
    /// Bytes copied into the guest.
    #[serde(with = "exact")]
    pub bytes_in: u64,
    /// Bytes copied out of the guest.
    #[serde(with = "exact")]
    pub bytes_out: u64,
    /// Calls from the guest to the host.
    #[serde(with = "exact")]
    pub host_calls: u64,
    /// Bytes of log lines, those that were dropped included.
    #[serde(with = "exact")]
    pub log_bytes: u64,
    /// Log lines that were dropped.
    #[serde(with = "exact")]
    pub log_lines_dropped: u64,
    /// Fresh instances that ran: one per chunk.
    #[serde(with = "exact")]
    pub instances: u64,
    /// What it used of the GPU, as the GPU worker says; absent if it had none.
    pub gpu: Option<Box<GpuUsage>>,
    /// What it used of files, as the host counted it; absent if it had none.
    pub files: Option<Box<FileUsage>>,
    /// What its guarded process used, as the host measured it; absent if it had none.
    pub process: Option<Box<ProcessUsage>>,
    /// The figures among these that only the worker knows: claims, which nothing here could check.
    #[serde(deserialize_with = "bounded::list::<_, _, CLAIMED>")]
    pub claimed: Vec<String>,
}

/// What a guarded process used for one call, measured from outside while it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessUsage {
    /// The most private writable memory beyond what the process had when it was ready.
    #[serde(with = "exact")]
    pub peak_memory_bytes: u64,
    /// The most memory that was in use, of the whole process.
    #[serde(with = "exact")]
    pub peak_resident_bytes: u64,
    /// The most threads.
    #[serde(with = "exact")]
    pub peak_threads: u64,
    /// Bytes read from disks and written to them; absent where the machine tells them only at the process's end.
    pub disk: Option<DiskUsage>,
    /// CPU time while something was being compiled, by the process's own word of when that was.
    #[serde(with = "exact")]
    pub compile_cpu_ns: u64,
    /// System calls that were refused (claimed).
    #[serde(with = "exact")]
    pub refused_calls: u64,
}

/// Bytes that a process moved to and from disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskUsage {
    /// Read.
    #[serde(with = "exact")]
    pub read_bytes: u64,
    /// Written.
    #[serde(with = "exact")]
    pub written_bytes: u64,
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
    #[serde(with = "exact")]
    pub compile_ns: u64,
    /// Whether that was needed; absent if the launch ended before.
    pub cache: Option<CacheOutcome>,
    /// Of that, by phase, as the compile process says.
    pub compilation: Option<Compilation>,
    /// Verifying and mapping the artifact.
    #[serde(with = "exact")]
    pub load_ns: u64,
    /// Instantiating, over all chunks.
    #[serde(with = "exact")]
    pub instantiate_ns: u64,
    /// Inside the guest's entry, copies included, over all chunks.
    #[serde(with = "exact")]
    pub call_ns: u64,
    /// Of that, between the last read and the first write: the kernel's body, over all chunks.
    #[serde(with = "exact")]
    pub body_ns: u64,
    /// After the run: digests of the outputs, and their delivery.
    #[serde(with = "exact")]
    pub settle_ns: u64,
}

/// What a compilation took: phases as its process says, totals as the supervisor measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compilation {
    /// Counting and validating (claimed).
    #[serde(with = "exact")]
    pub describe_ns: u64,
    /// Setting Cranelift up (claimed).
    #[serde(with = "exact")]
    pub setup_ns: u64,
    /// Cranelift's work (claimed).
    #[serde(with = "exact")]
    pub compile_ns: u64,
    /// CPU time of the process (measured).
    #[serde(with = "exact")]
    pub cpu_ns: u64,
    /// The most memory that the process had (measured).
    #[serde(with = "exact")]
    pub peak_memory_bytes: u64,
    /// Bytes that the processes read from disks (measured): their own program, where it was in no memory yet.
    #[serde(with = "exact", default)]
    pub disk_read_bytes: u64,
    /// Bytes that the processes had written to disks (measured).
    #[serde(with = "exact", default)]
    pub disk_written_bytes: u64,
    /// How many processes it took: one to describe, one to compile.
    #[serde(with = "exact", default)]
    pub processes: u64,
    /// Size of the component; 0 if it was not described.
    #[serde(with = "exact", default)]
    pub component_bytes: u64,
    /// Bytes of function bodies in it; 0 if it was not described.
    #[serde(with = "exact", default)]
    pub code_bytes: u64,
    /// Size of the artifact that was made; 0 if none was.
    #[serde(with = "exact", default)]
    pub artifact_bytes: u64,
}

/// A limit in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitReport {
    /// The value, in the limit's unit.
    #[serde(with = "exact")]
    pub value: u64,
    /// Who chose it.
    pub source: LimitSource,
}

impl Limits {
    /// Every limit by name, for the report.
    pub fn to_report(&self) -> BTreeMap<String, LimitReport> {
        let entry = |limit: &Limit| {
            let value = self.get(*limit);
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

named! {
    /// How much a log line matters.
    pub enum LogLevel, "log level" {
        /// Of use to the kernel's author only.
        Debug = "debug",
        /// Worth knowing.
        Info = "info",
        /// Something looks wrong.
        Warn = "warn",
        /// Something is wrong.
        Error = "error",
    }
}

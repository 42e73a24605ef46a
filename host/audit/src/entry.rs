//! Records as readers have them.

use crate::record::Phase;
use hotcell_manifest::DType;
use hotcell_model::audit::Verb;
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::Capability;
use hotcell_model::limit::Breach;
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{AlertKind, CacheOutcome, Compilation, OutputsEnd, Severity, Usage};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use serde::Deserialize;

/// A record. What later versions add is skipped.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its event of OCSF, as far as it is of use here.
    pub metadata: Metadata,
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// In words, where the record is about the log itself.
    #[serde(default)]
    pub message: Option<String>,
    unmapped: Unmapped,
}

/// Where a record stands.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    /// The log's origin.
    pub log_name: String,
    /// The record's index.
    pub sequence: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Unmapped {
    hotcell: Said,
}

/// What a record says.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    /// What kind of record it is.
    pub phase: Phase,
    /// The launch, where it is about one.
    pub run_id: Option<RunId>,
    /// What was asked for.
    pub verb: Option<Verb>,
    /// Who is charged for it.
    pub tenant: Option<Tenant>,
    /// Who asked for it.
    pub caller: Option<Caller>,
    /// The component's digest.
    pub component: Option<Digest>,
    /// The policy that held.
    pub policy: Option<Digest>,
    /// Where the component was read from, escaped.
    pub path: Option<String>,
    /// The entry that was named, escaped.
    pub entry: Option<String>,
    /// What kept the work apart from the host.
    pub isolation: Option<Isolation>,
    /// The metering mode.
    pub metering: Option<Metering>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// How it ended.
    pub end: Option<End>,
    /// Of a gap: how many records were lost.
    pub lost: Option<u64>,
    /// Of old records that were removed: the first that was kept.
    pub before: Option<u64>,
}

/// How something that was asked for ended.
#[derive(Clone, Debug, Deserialize)]
pub struct End {
    /// When.
    pub ended: Timestamp,
    /// The kind of end.
    pub outcome: OutcomeKind,
    /// Whose doing it was.
    pub blame: Option<Blame>,
    /// What happened, escaped.
    pub message: String,
    /// The kernel's name in its manifest, escaped.
    pub name: String,
    /// The entry that it came to, escaped.
    pub entry: String,
    /// The artifact's key.
    pub artifact: Option<Digest>,
    /// The arrays that went in.
    pub arguments: Vec<Shape>,
    /// The arrays that came out.
    pub results: Vec<Shape>,
    /// What became of the outputs.
    pub outputs: Option<OutputsEnd>,
    /// The capabilities that were granted.
    pub grants: Vec<Capability>,
    /// Those that were wanted and not granted.
    pub denied: Vec<Capability>,
    /// What was measured.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Times,
    /// Whether the component had to be compiled.
    pub cache: Option<CacheOutcome>,
    /// What a compilation took.
    pub compilation: Option<Compilation>,
    /// What was odd about it.
    pub alerts: Vec<Graded>,
    /// Limits that were only observed, and that it passed.
    #[serde(default)]
    pub observed: Vec<Breach>,
}

/// Where the time of a launch went, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Times {
    /// Compiling.
    pub compile_ns: u64,
    /// Verifying and mapping the artifact.
    pub load_ns: u64,
    /// Inside the guest's entry.
    pub call_ns: u64,
}

/// An array's name, type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Shape {
    /// The parameter, escaped.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The extents, outermost dimension first.
    pub shape: Vec<u64>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Graded {
    /// What kind of thing.
    pub kind: AlertKind,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen, escaped.
    pub message: String,
}

impl Entry {
    /// Reads a line.
    ///
    /// # Errors
    /// It is no record.
    pub fn read(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    /// What it says in hotcell's words.
    pub fn said(&self) -> &Said {
        &self.unmapped.hotcell
    }

    /// When, to the second at least.
    pub fn at(&self) -> Timestamp {
        let said = self.said();
        let ended = said.end.as_ref().map(|end| end.ended);
        let begun = said.started.filter(|_| said.phase == Phase::Begin);
        ended
            .or(begun)
            .unwrap_or(Timestamp::from_seconds(self.time / 1000))
    }
}

/// As much of a record as says whether something began or ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Glance {
    pub(crate) time: u64,
    pub(crate) metadata: GlancedPlace,
    pub(crate) unmapped: GlancedUnmapped,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GlancedPlace {
    pub(crate) sequence: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GlancedUnmapped {
    pub(crate) hotcell: Glanced,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Glanced {
    pub(crate) phase: Phase,
    pub(crate) run_id: Option<RunId>,
    pub(crate) verb: Option<Verb>,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) caller: Option<Caller>,
    pub(crate) component: Option<Digest>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) before: Option<u64>,
}

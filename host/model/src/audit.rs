//! What an audit trail has of everything that is asked of a host: who, what, of which shapes, kept apart how, when, and
//! how it ended.
//!
//! A record is begun before a byte of what may be hostile is read, and so knows at first only what was asked for. The
//! same record is finished once, whatever happened between, a panic of the host included.

use crate::caller::Caller;
use crate::digest::{Digest, RunId};
use crate::grant::{Grants, Wants};
use crate::names::named;
use crate::outcome::{Blame, OutcomeKind};
use crate::profile::{Isolation, Metering};
use crate::report::{CacheOutcome, Report};
use crate::time::Timestamp;
use hotcell_manifest::DType;
use serde::{Deserialize, Serialize};

/// Records what was asked of a host and how it ended.
pub trait Audit: Send + Sync {
    /// Something was asked for, and nothing of it was looked at yet.
    ///
    /// # Errors
    /// The record could not be made: nothing is done, and the record is not finished.
    fn begin(&self, record: &AuditRecord) -> std::io::Result<()>;

    /// What was begun has ended. Called exactly once for each record that `begin` has made, after outputs were
    /// delivered: what the report says is how it ended.
    fn finish(&self, record: &AuditRecord, report: &Report);
}

/// Records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn begin(&self, _record: &AuditRecord) -> std::io::Result<()> {
        Ok(())
    }

    fn finish(&self, _record: &AuditRecord, _report: &Report) {}
}

named! {
    /// What can be asked of a host.
    pub enum Verb, "verb" {
        /// Reading a component without running it.
        Describe = "describe",
        /// Compiling a component ahead of its first launch.
        Compile = "compile",
        /// Running a kernel.
        Launch = "launch",
        /// Calling a function, or running a program, in a guarded process.
        Guard = "guard",
        /// Having workers try to break out.
        Diagnose = "diagnose",
    }
}

/// One thing that was asked of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// The record's id, and the report's.
    pub run_id: RunId,
    /// What was asked for.
    pub verb: Verb,
    /// Who is charged for it.
    pub tenant: crate::tenant::Tenant,
    /// Who asked for it.
    pub caller: Caller,
    /// The component's digest; absent if its file could not be read.
    pub component: Option<Digest>,
    /// The policy that held.
    pub policy: Option<Digest>,
    /// Where the component was read from, as it was given.
    pub path: Option<String>,
    /// The entry that was named, escaped; empty if none was.
    pub entry: String,
    /// What keeps the work apart from the host.
    pub isolation: Isolation,
    /// The metering mode.
    pub metering: Metering,
    /// The capabilities that were asked for.
    pub wants: Wants,
    /// When it began.
    pub started: Timestamp,
    /// How it ended; absent while it has not.
    pub end: Option<AuditEnd>,
}

/// How something that was asked of a host ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEnd {
    /// When.
    pub ended: Timestamp,
    /// The kind of end.
    pub outcome: OutcomeKind,
    /// Whose doing it was; absent when all went well.
    pub blame: Option<Blame>,
    /// What happened; empty when all went well.
    pub message: String,
    /// The entry that it came to; empty if it came to none.
    pub entry: String,
    /// The arrays that went in.
    pub arguments: Vec<Shape>,
    /// The arrays that came out.
    pub results: Vec<Shape>,
    /// The capabilities that were granted.
    pub grants: Grants,
    /// Whether the component had to be compiled; absent if that did not come up.
    pub cache: Option<CacheOutcome>,
}

/// An array's name, type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The parameter.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The extents, outermost dimension first.
    pub shape: Vec<u64>,
}

impl AuditEnd {
    /// What a report says of it.
    pub fn of(report: &Report, ended: Timestamp) -> Self {
        let shapes = |arrays: &[crate::report::ArrayReport]| {
            let shape = |array: &crate::report::ArrayReport| Shape {
                name: array.name.clone(),
                dtype: array.dtype,
                shape: array.shape.clone(),
            };
            arrays.iter().map(shape).collect()
        };
        Self {
            ended,
            outcome: report.outcome.kind,
            blame: report.outcome.blame,
            message: report.outcome.message.clone(),
            entry: report.component.entry.clone(),
            arguments: shapes(&report.arguments),
            results: shapes(&report.results),
            grants: report.grants.clone(),
            cache: report.timings.cache.clone(),
        }
    }
}

//! The part of a record that OCSF has no place for: what was asked for in hotcell's words, and how it ended.

use super::kept::{self, Last};
use super::ocsf::{hex, hex_option};
use super::{Phase, SCHEMA};
use hotcell_manifest::DType;
use hotcell_model::audit::AuditRecord;
use hotcell_model::audit::Verb;
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::{Grants, Wants};
use hotcell_model::layer::{LayerReport, LayerState};
use hotcell_model::limit::{Breach, LimitSource};
use hotcell_model::outcome::{Blame, Cause, Frame, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{
    Alert, AlertKind, ArrayReport, CacheOutcome, Compilation, LimitReport, OutputsEnd, Report,
    Severity, Usage, Walls,
};
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How much of an end is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    All,
    /// No causes, and the first of what there are many of: all of it would be too long.
    Cut,
    /// Nothing of what there may be many of: even the first would be too long.
    Least,
}

impl Detail {
    /// How many arrays are listed where lists are cut.
    const LISTED: usize = 16;

    fn of<T>(self, list: &[T]) -> &[T] {
        match self {
            Self::All => list,
            Self::Cut => &list[..list.len().min(Self::LISTED)],
            Self::Least => &[],
        }
    }
}

/// What was asked for, and how it ended.
#[derive(Serialize)]
pub(super) struct Work<'a> {
    schema: u32,
    phase: Phase,
    #[serde(serialize_with = "hex")]
    run_id: RunId,
    verb: Verb,
    tenant: &'a str,
    #[serde(serialize_with = "in_words")]
    caller: Caller,
    #[serde(serialize_with = "hex_option")]
    component: Option<Digest>,
    #[serde(serialize_with = "hex_option")]
    policy: Option<Digest>,
    path: Option<Cow<'a, str>>,
    entry: &'a str,
    isolation: Isolation,
    metering: Metering,
    wants: &'a Wants,
    started: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End<'a>>,
}

impl<'a> Work<'a> {
    /// What was asked for.
    pub(super) fn begun(record: &'a AuditRecord) -> Self {
        Self {
            schema: SCHEMA,
            phase: Phase::Begin,
            run_id: record.run_id,
            verb: record.verb,
            tenant: record.tenant.as_str(),
            caller: record.caller,
            component: record.component,
            policy: record.policy,
            path: record.path.as_deref().map(escaped),
            entry: &record.entry,
            isolation: record.isolation,
            metering: record.metering,
            wants: &record.wants,
            started: record.started,
            end: None,
        }
    }

    /// What was asked for, with its end.
    pub(super) fn ended(record: &'a AuditRecord, end: End<'a>) -> Self {
        Self {
            phase: Phase::Finish,
            end: Some(end),
            ..Self::begun(record)
        }
    }
}

thread_local! {
    /// The limits of the last record that this thread made.
    static LIMITS: Last<BTreeMap<String, LimitReport>> = Last::default();
    /// The walls of the last.
    static WALLS: Last<Walls> = Last::default();
}

/// How it ended.
#[derive(Serialize)]
pub(super) struct End<'a> {
    ended: Timestamp,
    outcome: OutcomeKind,
    blame: Option<Blame>,
    message: &'a str,
    reproducible: bool,
    partial: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [Cause],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    trace: &'a [Frame],
    name: &'a str,
    entry: &'a str,
    #[serde(serialize_with = "hex_option")]
    artifact: Option<Digest>,
    #[serde(serialize_with = "shapes")]
    arguments: &'a [ArrayReport],
    #[serde(serialize_with = "shapes")]
    results: &'a [ArrayReport],
    outputs: Option<OutputsEnd>,
    grants: &'a Grants,
    denied: Grants,
    usage: &'a Usage,
    timings: Times,
    cache: Option<&'a CacheOutcome>,
    compilation: Option<&'a Compilation>,
    limits: Limits<'a>,
    #[serde(serialize_with = "walls")]
    walls: Option<&'a Walls>,
    device: Option<&'a str>,
    #[serde(serialize_with = "alerts")]
    alerts: &'a [Alert],
    observed: &'a [Breach],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

#[derive(Serialize)]
struct Times {
    compile_ns: u64,
    load_ns: u64,
    instantiate_ns: u64,
    call_ns: u64,
    body_ns: u64,
    settle_ns: u64,
}

impl<'a> End<'a> {
    /// What record and report say of it.
    pub(super) fn of(record: &'a AuditRecord, report: &'a Report, detail: Detail) -> Self {
        let outcome = &report.outcome;
        let ended = record.end.as_ref().map(|end| end.ended);
        let wanted = record.wants.granted_by(&Grants::all());
        let denied = wanted.iter().filter(|wanted| !report.grants.has(*wanted));
        let times = &report.timings;
        let (is_cut, is_least) = (detail != Detail::All, detail == Detail::Least);
        Self {
            ended: ended.unwrap_or_else(|| SystemTime::now().into()),
            outcome: outcome.kind,
            blame: outcome.blame,
            message: &outcome.message,
            reproducible: outcome.reproducible,
            partial: outcome.partial,
            causes: if is_cut { &[] } else { &outcome.causes },
            trace: if is_cut { &[] } else { &outcome.trace },
            name: &report.component.name,
            entry: &report.component.entry,
            artifact: report.component.artifact,
            arguments: detail.of(&report.arguments),
            results: detail.of(&report.results),
            outputs: report.outputs,
            grants: &report.grants,
            denied: denied.collect(),
            usage: &report.usage,
            timings: Times {
                compile_ns: times.compile_ns,
                load_ns: times.load_ns,
                instantiate_ns: times.instantiate_ns,
                call_ns: times.call_ns,
                body_ns: times.body_ns,
                settle_ns: times.settle_ns,
            },
            cache: times.cache.as_ref().filter(|_| !is_least),
            compilation: times.compilation.as_ref().filter(|_| !is_least),
            limits: Limits(report),
            walls: report.walls.as_ref().filter(|_| !is_least),
            device: report.device.as_deref().filter(|_| !is_least),
            alerts: detail.of(&report.alerts),
            observed: detail.of(&report.observed),
            cut: is_cut,
        }
    }

    /// When.
    pub(super) fn ended(&self) -> Timestamp {
        self.ended
    }
}

/// Text that nobody has escaped yet; its backslashes are doubled, so that no escape can be forged.
fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains('\\') {
        true => text::escape(text, crate::json::STRING_BYTES).into(),
        false => text.into(),
    }
}

fn in_words<S: Serializer>(caller: &Caller, serializer: S) -> Result<S::Ok, S::Error> {
    match caller {
        Caller::Unauthenticated => serializer.serialize_str("unauthenticated"),
        caller => serializer.collect_str(caller),
    }
}

/// Names, types and shapes; nothing of what was in the arrays.
fn shapes<S: Serializer>(arrays: &&[ArrayReport], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Shape<'a> {
        name: &'a str,
        dtype: DType,
        shape: &'a [u64],
    }
    serializer.collect_seq(arrays.iter().map(|array| Shape {
        name: &array.name,
        dtype: array.dtype,
        shape: &array.shape,
    }))
}

fn alerts<S: Serializer>(alerts: &&[Alert], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Graded<'a> {
        kind: AlertKind,
        severity: Severity,
        message: &'a str,
    }
    serializer.collect_seq(alerts.iter().map(|alert| Graded {
        kind: alert.kind,
        severity: alert.kind.severity(),
        message: &alert.message,
    }))
}

/// Values by name, and who chose those that are no defaults.
struct Limits<'a>(&'a Report);

impl Serialize for Limits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Split<'a> {
            #[serde(serialize_with = "values")]
            values: &'a Report,
            #[serde(serialize_with = "sources")]
            chosen_by: &'a Report,
        }
        let (values, chosen_by) = (self.0, self.0);
        let split = || Split { values, chosen_by };
        LIMITS.with(|last| kept::serialize(last, &self.0.limits, split, serializer))
    }
}

fn values<S: Serializer>(report: &Report, serializer: S) -> Result<S::Ok, S::Error> {
    let limits = report.limits.iter();
    serializer.collect_map(limits.map(|(name, limit)| (name, limit.value)))
}

fn sources<S: Serializer>(report: &Report, serializer: S) -> Result<S::Ok, S::Error> {
    let limits = report.limits.iter();
    let chosen = limits.filter(|(_, limit)| limit.source != LimitSource::Default);
    serializer.collect_map(chosen.map(|(name, limit)| (name, limit.source)))
}

/// The walls by name: what is in force, and why what is not is not.
#[derive(Serialize)]
struct WallsInShort<'a> {
    tier: hotcell_model::layer::Tier,
    required: hotcell_model::layer::Tier,
    #[serde(serialize_with = "layers")]
    runner: &'a [LayerReport],
    #[serde(serialize_with = "layers", skip_serializing_if = "<[_]>::is_empty")]
    compiler: &'a [LayerReport],
    #[serde(serialize_with = "layers", skip_serializing_if = "<[_]>::is_empty")]
    gpu: &'a [LayerReport],
}

impl<'a> WallsInShort<'a> {
    fn of(walls: &'a Walls) -> Self {
        Self {
            tier: walls.tier,
            required: walls.required,
            runner: &walls.runner,
            compiler: &walls.compiler,
            gpu: &walls.gpu,
        }
    }
}

fn walls<S: Serializer>(walls: &Option<&Walls>, serializer: S) -> Result<S::Ok, S::Error> {
    match walls {
        None => serializer.serialize_none(),
        Some(walls) => {
            WALLS.with(|last| kept::serialize(last, *walls, || WallsInShort::of(walls), serializer))
        }
    }
}

fn layers<S: Serializer>(layers: &&[LayerReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(layers.iter().map(|report| {
        let state = match &report.state {
            LayerState::Enforced(_) => Cow::Borrowed("enforced"),
            LayerState::Absent { why, .. } => Cow::Owned(format!("absent: {why}")),
        };
        (report.layer, state)
    }))
}

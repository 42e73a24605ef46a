//! A request as a trace.

use crate::metrics::{STAGES, stage_times};
use crate::otlp::{number, resource, scope, text};
use crate::recent::clean;
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{Alert, CacheOutcome, Report};
use hotcell_model::time::{Timestamp, nanoseconds};
use serde_json::{Value, json};

/// The stage within which the last but one is: the body of a call.
const CALL: usize = 4;
const BODY: usize = 5;

/// What a trace is made of, taken when the request ended.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    run_id: RunId,
    verb: Verb,
    tenant: String,
    caller: Caller,
    component: Option<Digest>,
    kernel: String,
    entry: String,
    isolation: Isolation,
    metering: Metering,
    outcome: OutcomeKind,
    blame: Option<Blame>,
    message: String,
    cache: Option<&'static str>,
    fuel: Option<u64>,
    started_ns: u64,
    ended_ns: u64,
    stages: [u64; STAGES.len()],
    alerts: Vec<(&'static str, String)>,
}

impl Traced {
    /// A request that ended then, with those alerts beside its report's.
    pub(crate) fn of(record: &AuditRecord, report: &Report, more: &[Alert], at: Timestamp) -> Self {
        let timings = &report.timings;
        let describe_ns = timings
            .compilation
            .as_ref()
            .map_or(0, |taken| taken.describe_ns);
        let since = |time: Timestamp| nanoseconds(time.since(Timestamp::default()));
        let alerts = report.alerts.iter().chain(more);
        Self {
            run_id: record.run_id,
            verb: record.verb,
            tenant: record.tenant.as_str().to_owned(),
            caller: record.caller,
            component: report.component.digest.or(record.component),
            kernel: clean(&report.component.name),
            entry: clean(&report.component.entry),
            isolation: record.isolation,
            metering: record.metering,
            outcome: report.outcome.kind,
            blame: report.outcome.blame,
            message: clean(&report.outcome.message),
            cache: timings.cache.as_ref().map(|cache| match cache {
                CacheOutcome::HitMemory => "hit-memory",
                CacheOutcome::Hit => "hit",
                CacheOutcome::Miss(_) => "miss",
                CacheOutcome::FailedBefore => "failed-before",
            }),
            fuel: report.usage.fuel_used,
            started_ns: since(record.started),
            ended_ns: since(at).max(since(record.started)),
            stages: stage_times(timings, describe_ns),
            alerts: alerts
                .map(|alert| (alert.kind.name(), clean(&alert.message)))
                .collect(),
        }
    }

    fn spans(&self) -> Vec<Value> {
        let mut spans = vec![self.root()];
        let mut at = self.started_ns;
        let mut call = (at, None);
        for (stage, time_ns) in self.stages.into_iter().enumerate() {
            if time_ns == 0 {
                continue;
            }
            let (from, parent) = match stage {
                BODY => call.clone(),
                _ => (at, None),
            };
            let to = from.saturating_add(time_ns).min(self.ended_ns);
            let id = self.span_id(1 + stage);
            if stage == CALL {
                call = (from, Some(id.clone()));
            }
            if stage != BODY {
                at = to;
            }
            spans.push(json!({
                "traceId": self.run_id.to_string(),
                "spanId": id,
                "parentSpanId": parent.unwrap_or_else(|| self.span_id(0)),
                "name": STAGES[stage],
                "kind": 1,
                "startTimeUnixNano": from.to_string(),
                "endTimeUnixNano": to.to_string(),
            }));
        }
        spans
    }

    fn root(&self) -> Value {
        let mut attributes = vec![
            text("hotcell.tenant", &self.tenant),
            text("hotcell.caller", &self.caller.to_string()),
            text("hotcell.kernel", &self.kernel),
            text("hotcell.entry", &self.entry),
            text("hotcell.isolation", self.isolation.name()),
            text("hotcell.metering", self.metering.name()),
            text("hotcell.outcome", self.outcome.name()),
        ];
        attributes.extend(self.blame.map(|blame| text("hotcell.blame", blame.name())));
        attributes.extend(self.cache.map(|cache| text("hotcell.cache", cache)));
        attributes.extend(self.fuel.map(|fuel| number("hotcell.fuel", fuel)));
        let component = self.component.map(|digest| digest.to_string());
        attributes.extend(component.map(|digest| text("hotcell.component", &digest)));
        let event = |(kind, message): &(&str, String)| {
            json!({
                "timeUnixNano": self.ended_ns.to_string(),
                "name": "alert",
                "attributes": [text("hotcell.alert.kind", kind), text("hotcell.alert.message", message)],
            })
        };
        // 1 is ok, 2 is an error.
        let status = match self.blame {
            None => json!({"code": 1}),
            Some(_) => json!({"code": 2, "message": self.message}),
        };
        json!({
            "traceId": self.run_id.to_string(),
            "spanId": self.span_id(0),
            "name": self.verb.name(),
            // Internal.
            "kind": 1,
            "startTimeUnixNano": self.started_ns.to_string(),
            "endTimeUnixNano": self.ended_ns.to_string(),
            "attributes": attributes,
            "events": self.alerts.iter().map(event).collect::<Vec<_>>(),
            "status": status,
        })
    }

    /// The id of a span, which is not zero.
    fn span_id(&self, number: usize) -> String {
        let run_id = self.run_id.to_string();
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        let hasher = &mut blake3::Hasher::new();
        let digest = hasher
            .update(run_id.as_bytes())
            .update(&[number])
            .finalize();
        digest.to_hex()[..16].to_owned()
    }
}

/// The document with those traces.
pub(crate) fn request(traces: &[Traced]) -> Value {
    let spans: Vec<Value> = traces.iter().flat_map(Traced::spans).collect();
    json!({"resourceSpans": [{
        "resource": resource(),
        "scopeSpans": [{"scope": scope(), "spans": spans}],
    }]})
}

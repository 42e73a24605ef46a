//! The part of a record that OCSF has a place for: an event of the class *API Activity* (6003), which is what a request to a
//! host is, whatever comes of it.
//!
//! Source of names and numbers: the Open Cybersecurity Schema Framework, version 1.6.0 (schema.ocsf.io/1.6.0).

use super::about::OfLog;
use super::end::{Detail, End, Work};
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::report::{Report, Severity};
use hotcell_model::time::Timestamp;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// The version of OCSF that records are written in.
pub const OCSF_VERSION: &str = "1.6.0";

/// The class of OCSF that records are of.
pub const CLASS: u32 = 6003;

/// An event.
#[derive(Serialize)]
pub(super) struct Event<'a, T> {
    time: u64,
    class_uid: u32,
    class_name: &'static str,
    category_uid: u32,
    category_name: &'static str,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
    severity_id: u32,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    actor: Actor<'a>,
    src_endpoint: Endpoint,
    api: Api<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<[Resource<'a>; 1]>,
    unmapped: Unmapped<T>,
}

#[derive(Serialize)]
struct Unmapped<T> {
    hotcell: T,
}

#[derive(Serialize)]
struct Actor<'a> {
    app_name: &'static str,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(serialize_with = "uid")]
    uid: Caller,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account<'a>>,
}

#[derive(Serialize)]
struct Account<'a> {
    name: &'a str,
}

/// Requests come over a Unix socket or from the process itself.
#[derive(Serialize)]
struct Endpoint {
    name: &'static str,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<ApiRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ApiResponse<'a>>,
}

#[derive(Serialize)]
struct ApiRequest {
    #[serde(serialize_with = "hex")]
    uid: RunId,
}

#[derive(Serialize)]
struct ApiResponse<'a> {
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(serialize_with = "hex")]
    uid: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// OCSF's number and word for what was asked for: it knows to create and to read, and all else is other.
const fn activity(verb: Verb) -> (u32, &'static str) {
    match verb {
        Verb::Describe => (2, "Read"),
        Verb::Compile => (1, "Create"),
        Verb::Launch => (99, "Launch"),
        Verb::Guard => (99, "Guard"),
        Verb::Diagnose => (99, "Diagnose"),
    }
}

/// An event with what any has.
fn event<T>(
    time: Timestamp,
    (activity_id, activity_name): (u32, &'static str),
    operation: &'static str,
    hotcell: T,
) -> Event<'static, T> {
    Event {
        time: milliseconds(time),
        class_uid: CLASS,
        class_name: "API Activity",
        category_uid: CLASS / 1000,
        category_name: "Application Activity",
        activity_id,
        activity_name,
        type_uid: CLASS * 100 + activity_id,
        severity_id: 1,
        status_id: 99,
        status: "Begun",
        status_code: None,
        status_detail: None,
        message: None,
        duration: None,
        actor: Actor {
            app_name: "hotcell",
            user: User {
                uid: Caller::Unauthenticated,
                account: None,
            },
        },
        src_endpoint: Endpoint { name: "local" },
        api: Api {
            operation,
            request: None,
            response: None,
        },
        resources: None,
        unmapped: Unmapped { hotcell },
    }
}

/// That something was asked for.
pub(super) fn begin(record: &AuditRecord) -> Event<'_, Work<'_>> {
    let work = Work::begun(record);
    of_record(
        event(
            record.started,
            activity(record.verb),
            record.verb.name(),
            work,
        ),
        record,
    )
}

/// That something ended.
pub(super) fn finish<'a>(
    record: &'a AuditRecord,
    report: &'a Report,
    detail: Detail,
) -> Event<'a, Work<'a>> {
    let end = End::of(record, report, detail);
    let (ended, outcome) = (end.ended(), &report.outcome);
    let work = Work::ended(record, end);
    let event = event(ended, activity(record.verb), record.verb.name(), work);
    let (status_id, status) = match outcome.kind {
        OutcomeKind::Done => (1, "Success"),
        _ => (2, "Failure"),
    };
    let kind = Some(outcome.kind.name());
    let error = kind.filter(|_| outcome.kind != OutcomeKind::Done);
    let code = outcome.kind.exit_code();
    let mut event = of_record(event, record);
    event.api.response = Some(ApiResponse { code, error });
    Event {
        severity_id: severity(report),
        status_id,
        status,
        status_code: kind,
        status_detail: Some(outcome.message.as_str()).filter(|message| !message.is_empty()),
        duration: Some(milliseconds_of(ended.since(record.started))),
        ..event
    }
}

/// What is about the log itself.
pub(super) fn of_log<T: OfLog>(about: &T, now: Timestamp) -> Event<'static, &T> {
    Event {
        status_id: 0,
        status: "Unknown",
        severity_id: 2,
        message: Some(about.words()),
        ..event(now, (99, "Log"), T::OPERATION, about)
    }
}

fn of_record<'a, T>(event: Event<'a, T>, record: &'a AuditRecord) -> Event<'a, T> {
    let resource = |uid| {
        [Resource {
            kind: "WebAssembly component",
            uid,
            name: record.path.as_deref(),
        }]
    };
    let (uid, name) = (record.caller, record.tenant.as_str());
    Event {
        actor: Actor {
            app_name: "hotcell",
            user: User {
                uid,
                account: Some(Account { name }),
            },
        },
        api: Api {
            request: Some(ApiRequest { uid: record.run_id }),
            ..event.api
        },
        resources: record.component.map(resource),
        ..event
    }
}

/// OCSF's number for how much it matters: informational, low for what failed, medium and critical for alerts.
fn severity(report: &Report) -> u32 {
    let alerts = report
        .alerts
        .iter()
        .map(|alert| match alert.kind.severity() {
            Severity::Warning => 3,
            Severity::Critical => 5,
        });
    let of_end = match report.outcome.kind {
        OutcomeKind::Done => 1,
        _ => 2,
    };
    alerts.chain([of_end]).max().unwrap_or(of_end)
}

fn milliseconds(time: Timestamp) -> u64 {
    milliseconds_of(time.since(Timestamp::default()))
}

fn milliseconds_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn uid<S: Serializer>(caller: &Caller, serializer: S) -> Result<S::Ok, S::Error> {
    match caller {
        Caller::Unauthenticated => serializer.serialize_str("unauthenticated"),
        Caller::Uid(uid) => serializer.collect_str(uid),
    }
}

/// An id or digest in hexadecimal, in one piece.
pub(super) fn hex<S: Serializer>(id: &impl AsHex, serializer: S) -> Result<S::Ok, S::Error> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    let bytes = id.bytes();
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let text = std::str::from_utf8(&text[..2 * bytes.len()]);
    serializer.serialize_str(text.map_err(serde::ser::Error::custom)?)
}

/// As [`hex`], of what may be absent.
pub(super) fn hex_option<S: Serializer>(
    id: &Option<impl AsHex>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => hex(id, serializer),
        None => serializer.serialize_none(),
    }
}

/// What has at most 32 bytes that are written in hexadecimal.
pub(super) trait AsHex {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

impl AsHex for RunId {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsHex for Digest {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

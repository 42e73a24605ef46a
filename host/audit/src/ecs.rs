//! Records for those who read the Elastic Common Schema.
//!
//! Source of names and values: ECS 8.17 (elastic.co/guide/en/ecs/8.17). What ECS has no place for is under `hotcell`, as it is
//! in the record.

use crate::entry::{Entry, Said};
use crate::record::Phase;
use hotcell_model::audit::Verb;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::time::nanoseconds;
use serde_json::{Value, json};

/// The version of ECS.
pub const ECS_VERSION: &str = "8.17.0";

/// The event of ECS that a record is. `line` is the record as it stands in the log.
///
/// # Errors
/// It is no record.
pub fn to_ecs(line: &str) -> serde_json::Result<Value> {
    let (record, entry): (Value, Entry) =
        (serde_json::from_str(line)?, serde_json::from_str(line)?);
    let said = entry.said();
    let mut event = json!({
        "@timestamp": entry.at().to_string(),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "kind": if has_alerts(said) { "alert" } else { "event" },
            "category": ["process"],
            "type": [kind(said.phase)],
            "action": action(said),
            "outcome": outcome(said),
            "module": "hotcell",
            "dataset": "hotcell.audit",
            "provider": entry.metadata.log_name,
            "sequence": entry.metadata.sequence,
        },
        "service": { "name": "hotcell", "type": "hotcell" },
        "hotcell": record["unmapped"]["hotcell"],
    });
    let mut set = |place: &str, value: Option<Value>| {
        if let (Some(value), Some(slot)) = (value, slot(&mut event, place)) {
            *slot = value;
        }
    };
    set("/trace/id", said.run_id.map(|id| json!(id.to_string())));
    set(
        "/organization/name",
        said.tenant.as_ref().map(|tenant| json!(tenant.as_str())),
    );
    set(
        "/user/id",
        said.caller.map(|caller| json!(caller.to_string())),
    );
    set("/file/path", said.path.as_ref().map(|path| json!(path)));
    set("/event/start", said.started.map(|at| json!(at.to_string())));
    set(
        "/message",
        entry.message.as_ref().map(|message| json!(message)),
    );
    if let Some(end) = &said.end {
        set("/event/end", Some(json!(end.ended.to_string())));
        let took = said
            .started
            .map(|started| nanoseconds(end.ended.since(started)));
        set("/event/duration", took.map(|took| json!(took)));
        set("/event/code", Some(json!(end.outcome.name())));
        let reason = Some(&end.message).filter(|message| !message.is_empty());
        set("/event/reason", reason.map(|message| json!(message)));
    }
    Ok(event)
}

/// A place in an object, made where it is not there.
fn slot<'a>(event: &'a mut Value, place: &str) -> Option<&'a mut Value> {
    place
        .trim_start_matches('/')
        .split('/')
        .try_fold(event, |at, key| {
            if at.is_null() {
                *at = json!({});
            }
            at.as_object_mut()
                .map(|object| object.entry(key).or_insert(Value::Null))
        })
}

fn has_alerts(said: &Said) -> bool {
    said.end.as_ref().is_some_and(|end| !end.alerts.is_empty())
}

fn kind(phase: Phase) -> &'static str {
    match phase {
        Phase::Begin => "start",
        Phase::Finish | Phase::Unknown => "end",
        Phase::Gap | Phase::Torn => "error",
        Phase::Removed => "deletion",
    }
}

fn action(said: &Said) -> String {
    let verb = said.verb.map_or("log", Verb::name);
    format!("{verb}-{}", said.phase)
}

fn outcome(said: &Said) -> &'static str {
    match &said.end {
        Some(end) if end.outcome == OutcomeKind::Done => "success",
        Some(_) => "failure",
        None => "unknown",
    }
}

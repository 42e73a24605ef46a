//! What is in records, and finding them.

use crate::harness::{Place, ended, files, launch, launch_that, record, report};
use hotcell_audit::prove::{Proof, RecordId, prove};
use hotcell_audit::{AuditLog, Phase, Query, RECORD_BYTES, Records, Settings, Statistics, ecs};
use hotcell_model::audit::Audit;
use hotcell_model::grant::Capability;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::time::SystemTime;

fn all(place: &Place) -> Vec<hotcell_audit::query::Record> {
    let mut records = Records::since(&place.logs(), None).unwrap();
    let all: Vec<_> = std::iter::from_fn(|| records.read().unwrap()).collect();
    assert_eq!(records.unreadable(), 0);
    all
}

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether a value fits a schema, as far as this one goes: types, keys, constants, enumerations, items.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(place) = schema["$ref"].as_str() {
        return check(
            root,
            &root["$defs"][place.trim_start_matches("#/$defs/")],
            value,
            at,
        );
    }
    if let Some(wanted) = schema.get("const") {
        assert_eq!(value, wanted, "{at}");
    }
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{at}: {value} is none of {known:?}");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        types.is_empty() || types.contains(&kind),
        "{at}: {value} is no {types:?}"
    );
    for item in value.as_array().into_iter().flatten() {
        if let Some(schema) = schema.get("items") {
            check(root, schema, item, at);
        }
    }
    let Some(object) = value.as_object() else {
        return;
    };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            object.contains_key(required.as_str().unwrap()),
            "{at} has no {required}"
        );
    }
    for (key, value) in object {
        let place = format!("{at}/{key}");
        match schema["properties"].get(key) {
            Some(schema) => check(root, schema, value, &place),
            None if schema["additionalProperties"] == Value::Bool(false) => {
                panic!("{place} is not in the schema")
            }
            None => {}
        }
    }
}

#[test]
fn records_fit_the_published_schema_and_say_what_they_are_to_say() {
    let place = Place::new();
    let log = place.open();
    launch(&log, 1);
    launch_that(
        &log,
        2,
        Outcome::failed(OutcomeKind::Trap, Blame::Guest, "it trapped"),
    );
    log.begin(&record(3)).unwrap();
    drop(log);
    place.open().close().unwrap();
    let (schema, records) = (schema(), all(&place));
    let phases: BTreeSet<_> = records
        .iter()
        .map(|record| record.entry.said().phase.name())
        .collect();
    assert_eq!(phases, BTreeSet::from(["begin", "finish", "unknown"]));
    for record in &records {
        check(
            &schema,
            &schema,
            &serde_json::from_str(&record.line).unwrap(),
            "",
        );
    }
    let trap = records.iter().find_map(|record| {
        let end = record.entry.said().end.as_ref();
        end.filter(|end| end.outcome == OutcomeKind::Trap)
    });
    let trap = trap.unwrap();
    assert_eq!(
        (trap.blame, trap.denied.as_slice()),
        (Some(Blame::Guest), &[Capability::Clock][..])
    );
    assert_eq!(trap.arguments[0].shape, [1024, 3]);
    assert!(!records.iter().any(|record| record.line.contains("blake3")));
}

#[test]
fn what_a_guest_makes_up_forges_no_line_hides_nothing_and_is_bounded() {
    let place = Place::new();
    let log = place.open();
    let hostile = format!(
        "\u{202e}\"}}\n{{\"time\":1}}\u{0}\u{9b}31m{}",
        "\u{200b}x".repeat(5000)
    );
    let mut begun = record(1);
    (begun.path, begun.entry) = (Some(hostile.clone()), hostile.clone());
    log.begin(&begun).unwrap();
    let outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, hostile.clone());
    let mut end = report(&begun, outcome);
    end.component.name.clone_from(&hostile);
    let argument = end.arguments[0].clone();
    end.arguments = vec![argument; 5000];
    end.arguments
        .iter_mut()
        .for_each(|argument| argument.name.clone_from(&hostile));
    log.finish(&ended(&begun, &end), &end);
    log.close().unwrap();
    let records = all(&place);
    assert_eq!(records.len(), 2);
    for record in &records {
        assert!(record.line.len() < RECORD_BYTES, "{}", record.line.len());
        let deceives =
            |character: char| character.is_control() || "\u{202e}\u{200b}".contains(character);
        assert!(!record.line.chars().any(deceives));
    }
    let said = records[0].entry.said();
    assert!(said.entry.as_ref().unwrap().starts_with("\\u{202e}\"}\\n{"));
}

#[test]
fn records_are_found_by_what_they_say() {
    let place = Place::new();
    let log = place.open();
    launch(&log, 1);
    launch_that(
        &log,
        2,
        Outcome::failed(OutcomeKind::Timeout, Blame::Guest, "too long"),
    );
    log.close().unwrap();
    let records = all(&place);
    let found = |query: Query| {
        records
            .iter()
            .filter(|record| query.matches(&record.entry))
            .count()
    };
    let any = Query::default;
    assert_eq!(found(any()), 4);
    assert_eq!(
        found(Query {
            outcome: Some(OutcomeKind::Timeout),
            ..any()
        }),
        1
    );
    assert_eq!(
        found(Query {
            has_alerts: true,
            ..any()
        }),
        1
    );
    assert_eq!(
        found(Query {
            phase: Some(Phase::Begin),
            ..any()
        }),
        2
    );
    assert_eq!(
        found(Query {
            tenant: Some("team-b".parse().unwrap()),
            ..any()
        }),
        0
    );
    assert_eq!(
        found(Query {
            kernel: Some("saxpy".to_owned()),
            ..any()
        }),
        4
    );
    assert_eq!(
        found(Query {
            component: Some("ABAB".to_owned()),
            ..any()
        }),
        4
    );
    assert_eq!(
        found(Query {
            run_id: Some(record(1).run_id.to_string()),
            ..any()
        }),
        2
    );
    let last = records[3].entry.at();
    assert_eq!(
        found(Query {
            until: Some(last),
            ..any()
        }),
        3
    );
}

#[test]
fn who_follows_the_logs_sees_what_comes() {
    let place = Place::new();
    let log = place.open();
    launch(&log, 1);
    log.flush().unwrap();
    let mut records = Records::newest(&place.logs()).unwrap();
    let mut count = || std::iter::from_fn(|| records.read().unwrap()).count();
    assert_eq!((count(), count()), (2, 0));
    launch(&log, 2);
    log.flush().unwrap();
    assert_eq!(count(), 2);
}

#[test]
fn one_record_is_proven_without_the_others_and_with_the_public_key_alone() {
    let place = Place::with_launches(9);
    let run = record(4).run_id;
    let proof = prove(&place.logs(), &place.key(), &RecordId::Run(run)).unwrap();
    assert!(proof.record.contains("\"phase\":\"finish\""));
    let json = serde_json::to_string(&proof).unwrap();
    let proof: Proof = serde_json::from_str(&json).unwrap();
    assert_eq!(proof.check(&place.key()).unwrap().size, 18);
    let mut changed = proof.clone();
    changed.record = proof.record.replace("team-a", "team-b");
    assert!(changed.check(&place.key()).is_err());
    assert!(proof.check(&Place::with_launches(1).key()).is_err());
    assert!(
        proof
            .to_tlog_proof()
            .starts_with("c2sp.org/tlog-proof@v1\nextra ")
    );
}

#[test]
fn statistics_are_of_launches_by_kernel() {
    let place = Place::new();
    let log = place.open();
    (0..4).for_each(|number| launch(&log, number));
    launch_that(
        &log,
        5,
        Outcome::failed(OutcomeKind::Timeout, Blame::Guest, "too long"),
    );
    log.close().unwrap();
    let mut statistics = Statistics::default();
    all(&place)
        .iter()
        .for_each(|record| statistics.add(&record.entry));
    let kernels = statistics.kernels();
    assert_eq!(kernels.len(), 1);
    let kernel = &kernels[0];
    assert_eq!(
        (&*kernel.entry, kernel.calls, kernel.cache_hits),
        ("saxpy", 5, 5)
    );
    assert_eq!(kernel.failures["timeout"], 1);
    assert_eq!(kernel.fuel.unwrap().p50, 12_345);
}

#[test]
fn a_record_is_an_event_of_ecs() {
    let place = Place::with_launches(1);
    let records = all(&place);
    let event = ecs::to_ecs(&records[1].line).unwrap();
    assert_eq!(event["event"]["action"], "launch-finish");
    assert_eq!(event["event"]["outcome"], "success");
    assert_eq!(event["organization"]["name"], "team-a");
    assert_eq!(event["hotcell"]["phase"], "finish");
}

#[test]
fn records_are_found_by_their_times_and_not_by_those_of_files() {
    let place = Place::new();
    let began = Timestamp::from(SystemTime::now());
    let log = AuditLog::open(Settings {
        segment_bytes: 4 << 10,
        ..place.settings()
    });
    let log = log.unwrap();
    for number in 0..6 {
        launch(&log, number);
        log.flush().unwrap();
    }
    log.close().unwrap();
    for path in files(&place.logs().join("log-0001"), ".jsonl") {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let mut records = Records::since(&place.logs(), Some(began)).unwrap();
    let count = std::iter::from_fn(|| records.read().unwrap()).count();
    assert_eq!(count, 12);
}

//! Traces and metrics sent to a real HTTP receiver.

use crate::harness::Request;
use crate::receiver::{Answer, Server};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_watch::otlp::OtlpSettings;
use hotcell_watch::{WatchSettings, Watcher};
use serde_json::Value;
use std::time::Duration;

/// What a collector gets of one request, by path.
fn sent(request: &Request, answers: &[Answer]) -> Vec<(String, Value)> {
    let server = Server::new(answers);
    let endpoint = server.url.trim_end_matches("/alerts").to_owned();
    let mut otlp = OtlpSettings::new(endpoint);
    otlp.headers.push(("x-key".into(), "k".into()));
    let watcher = Watcher::new(WatchSettings {
        otlp: Some(otlp),
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    let _ = request.watch(&watcher);
    watcher.close(Duration::from_secs(60));
    let got = (0..2 + answers.len()).map(|_| {
        let got = server.next();
        assert_eq!(got.header("x-key"), Some("k"));
        assert_eq!(got.header("content-type"), Some("application/json"));
        (got.path, serde_json::from_str(&got.body).unwrap())
    });
    got.collect()
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_request_is_a_trace_with_a_span_for_each_stage_end_to_end() {
    let mut request = Request::of("alice");
    request.report.outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "out of bounds");
    request.report.alerts.push(Alert {
        kind: AlertKind::WorkerDied,
        message: "died".into(),
    });
    let sent = sent(&request, &[]);
    assert_eq!(sent[0].0, "/v1/traces");
    let spans = sent[0].1["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    let names: Vec<&str> = spans
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["launch", "instantiate", "call", "body", "settle"]);
    let run_id = request.record.run_id.to_string();
    assert!(spans.iter().all(|span| span["traceId"] == run_id.as_str()));
    let root = &spans[0];
    assert_eq!(root["status"]["code"], 2);
    assert_eq!(root["status"]["message"], "out of bounds");
    assert_eq!(
        root["events"][0]["attributes"][0]["value"]["stringValue"],
        "worker-died"
    );
    let [instantiate, call, body, settle] = [1, 2, 3, 4].map(|at| &spans[at]);
    for span in [instantiate, call, settle] {
        assert_eq!(span["parentSpanId"], root["spanId"]);
    }
    assert_eq!(body["parentSpanId"], call["spanId"]);
    assert_eq!(instantiate["startTimeUnixNano"], root["startTimeUnixNano"]);
    assert_eq!(call["startTimeUnixNano"], instantiate["endTimeUnixNano"]);
    assert_eq!(settle["startTimeUnixNano"], call["endTimeUnixNano"]);
    let end = number(&root["endTimeUnixNano"]);
    assert!(
        spans
            .iter()
            .all(|span| number(&span["endTimeUnixNano"]) <= end)
    );
}

#[test]
fn metrics_are_cumulative_sums_and_histograms() {
    let sent = sent(&Request::of("alice"), &[]);
    assert_eq!(sent[1].0, "/v1/metrics");
    let metrics = sent[1].1["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        .as_array()
        .unwrap();
    let named = |name: &str| {
        metrics
            .iter()
            .find(|metric| metric["name"] == name)
            .unwrap()
    };
    let fuel = &named("hotcell_fuel")["sum"];
    assert_eq!(
        (&fuel["aggregationTemporality"], &fuel["isMonotonic"]),
        (&2.into(), &true.into())
    );
    assert_eq!(fuel["dataPoints"][0]["asDouble"], 12_000.0);
    assert_eq!(
        fuel["dataPoints"][0]["attributes"][0]["value"]["stringValue"],
        "other"
    );
    let wall = named("hotcell_launch_seconds");
    assert_eq!(wall["unit"], "s");
    let point = &wall["histogram"]["dataPoints"][0];
    assert_eq!(point["count"], "1");
    assert_eq!(point["sum"], 0.00004);
    let (bounds, counts) = (
        point["explicitBounds"].as_array().unwrap(),
        point["bucketCounts"].as_array().unwrap(),
    );
    assert_eq!(counts.len(), bounds.len() + 1);
    assert_eq!((&bounds[2], &counts[2]), (&0.0001.into(), &"1".into()));
}

/// A watcher with a collector.
fn to(server: &Server) -> Watcher {
    let endpoint = server.url.trim_end_matches("/alerts").to_owned();
    let settings = WatchSettings {
        otlp: Some(OtlpSettings::new(endpoint)),
        ..WatchSettings::default()
    };
    Watcher::new(settings).unwrap()
}

#[test]
fn a_collector_that_fails_is_tried_again() {
    let server = Server::new(&[Answer::Status(503), Answer::Status(500)]);
    let watcher = to(&server);
    let _ = Request::of("alice").watch(&watcher);
    let attempts = [(); 3].map(|()| server.next());
    watcher.close(Duration::from_secs(60));
    assert!(
        attempts
            .iter()
            .all(|got| got.path == "/v1/traces" && got.body == attempts[0].body)
    );
    assert_eq!(server.next().path, "/v1/metrics");
}

#[test]
fn at_the_end_a_collector_is_tried_once() {
    for (status, paths) in [
        (503, &["/v1/traces"][..]),
        // One that wants no traces may want metrics.
        (404, &["/v1/traces", "/v1/metrics"]),
    ] {
        let server = Server::new(&[Answer::Status(status); 8]);
        let watcher = to(&server);
        let _ = Request::of("alice").watch(&watcher);
        watcher.close(Duration::from_secs(60));
        let got: Vec<String> = server.rest().into_iter().map(|got| got.path).collect();
        assert_eq!(got, paths, "{status}");
    }
}

#[test]
fn all_that_a_process_sends_names_the_process() {
    let sent = sent(&Request::of("alice"), &[]);
    let resources = [
        &sent[0].1["resourceSpans"][0]["resource"],
        &sent[1].1["resourceMetrics"][0]["resource"],
    ];
    assert_eq!(resources[0], resources[1]);
    let mut attributes = resources[0]["attributes"].as_array().unwrap().iter();
    let instance = attributes.find(|one| one["key"] == "service.instance.id");
    let instance = instance.unwrap()["value"]["stringValue"].as_str().unwrap();
    assert_eq!(instance.len(), 32);
}

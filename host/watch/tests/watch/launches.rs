//! Launches: what they teach, what is shown of them, what is counted.

use crate::harness::{Request, watcher};
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::watch::Watch;
use hotcell_watch::{Gauges, WatchSettings, Watcher};

const FUEL: u64 = 100_000_000;

fn of_fuel(tenant: &str, fuel: u64) -> Request {
    let mut request = Request::of(tenant);
    request.report.usage.fuel_used = Some(fuel);
    request
}

#[test]
fn a_launch_far_off_is_an_alert_with_the_numbers_until_that_lasts() {
    let watcher = watcher();
    for _ in 0..20 {
        assert_eq!(of_fuel("alice", FUEL).watch(&watcher), []);
    }
    let mut alerts: Vec<Alert> = Vec::new();
    for _ in 0..30 {
        alerts.extend(of_fuel("alice", 6 * FUEL).watch(&watcher));
    }
    assert_eq!(alerts.len(), 16);
    let says =
        "the launch took 600M of fuel, where arrays of that size usually take 100M (median of 20)";
    assert_eq!(alerts[0].message, says);
    assert!(
        alerts[15]
            .message
            .ends_with("from now on that is what is usual")
    );
}

#[test]
fn another_tenant_size_or_number_is_another_class() {
    let watcher = watcher();
    for _ in 0..40 {
        let _ = of_fuel("alice", FUEL).watch(&watcher);
    }
    assert_eq!(of_fuel("bob", 9 * FUEL).watch(&watcher), []);
    let mut larger = of_fuel("alice", 9 * FUEL);
    larger.report.dims.insert("n".into(), 9000);
    assert_eq!(larger.watch(&watcher), []);
    let mut more = of_fuel("alice", 9 * FUEL);
    let scalar = hotcell_model::manifest::ScalarValue::I32(-100_000);
    more.report.scalars.insert("a".into(), scalar);
    assert_eq!(more.watch(&watcher), []);
    assert_eq!(of_fuel("alice", 9 * FUEL).watch(&watcher).len(), 1);
}

#[test]
fn launches_that_did_not_run_to_their_end_teach_nothing() {
    let watcher = watcher();
    for _ in 0..100 {
        let mut failed = of_fuel("alice", 9 * FUEL);
        failed.report.outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        assert_eq!(failed.watch(&watcher), []);
    }
    for _ in 0..20 {
        assert_eq!(of_fuel("alice", FUEL).watch(&watcher), []);
    }
    assert_eq!(of_fuel("alice", 9 * FUEL).watch(&watcher).len(), 1);
}

#[test]
fn what_runs_and_what_ended_is_listed_escaped() {
    let watcher = watcher();
    let mut request = Request::of("alice");
    request.record.path = Some("a\x1b[2J.wasm".into());
    request.report.component.name = "<script>\u{202e}".into();
    request.report.outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "line\nline");
    watcher.begun(&request.record);
    let running = watcher.running();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].path, "a\\u{1b}[2J.wasm");
    let running = "hotcell_running_requests{verb=\"launch\"} 1";
    assert!(watcher.render(&Gauges::default()).contains(running));
    watcher.ended(&request.record, &request.report);
    assert_eq!(watcher.running(), []);
    let latest = &watcher.latest()[0];
    assert_eq!(
        (latest.outcome, latest.blame),
        (OutcomeKind::Trap, Some(Blame::Guest))
    );
    assert_eq!(latest.kernel, "<script>\\u{202e}");
    assert_eq!(latest.message, "line\\nline");
}

#[test]
fn lists_have_an_end() {
    let watcher = watcher();
    for at in 0..2000_u64 {
        let mut request = of_fuel("alice", at);
        request.report.alerts.push(Alert {
            kind: AlertKind::ClaimMismatch,
            message: "x".repeat(100_000),
        });
        let _ = request.watch(&watcher);
    }
    assert_eq!(watcher.latest().len(), 64);
    let alerts = watcher.recent_alerts();
    assert_eq!(alerts.len(), 64);
    assert!(alerts.iter().all(|alert| alert.message.len() < 600));
    assert_eq!(alerts[0].tenant, "alice");
}

#[test]
fn what_is_counted_is_what_the_report_says() {
    let settings = WatchSettings {
        tenants: vec!["alice".parse().unwrap()],
        ..WatchSettings::default()
    };
    let watcher = Watcher::new(settings).unwrap();
    let _ = of_fuel("alice", 5).watch(&watcher);
    let mut refused = of_fuel("mallory\u{2d}x", 0);
    refused.report.outcome = Outcome::because(vec![Cause::PlacesTaken {
        kind: hotcell_model::budget::PlaceKind::Waiting,
        maximum: 3,
    }]);
    refused.report.alerts.push(Alert {
        kind: AlertKind::WorkerKilled,
        message: String::new(),
    });
    let _ = refused.watch(&watcher);
    let text = watcher.render(&Gauges::default());
    for line in [
        "hotcell_requests_total{verb=\"launch\",outcome=\"done\",blame=\"none\",tenant=\"alice\"} 1",
        "hotcell_fuel_total{tenant=\"alice\"} 5",
        "hotcell_copied_bytes_total{direction=\"in\",tenant=\"alice\"} 8000",
        "hotcell_cpu_seconds_total{tenant=\"alice\"} 0.000035",
        "hotcell_launch_seconds_bucket{isolation=\"confined\",metering=\"strict\",le=\"0.0001\"} 2",
        "hotcell_stage_seconds_count{stage=\"body\"} 2",
        "hotcell_cache_lookups_total{result=\"hit-memory\"} 2",
        "hotcell_budget_refusals_total{resource=\"waiting\"} 1",
        "hotcell_worker_ends_total{end=\"killed\"} 1",
        "hotcell_alerts_total{kind=\"worker-killed\",severity=\"warning\"} 1",
        "hotcell_baseline_classes{of=\"launch\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("mallory"));
}

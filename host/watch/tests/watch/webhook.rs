//! Alerts sent to a real HTTP receiver.

use crate::harness::{Request, digest};
use crate::receiver::{Answer, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_watch::{AlertSettings, Gauges, Secret, WatchSettings, Watcher, WebhookSettings};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const LONG: Duration = Duration::from_secs(60);

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings {
        secret: Some(Secret::parse(&format!("whsec_{KEY}")).unwrap()),
        back_off: Duration::from_millis(2),
        timeout: Duration::from_millis(300),
        ..WebhookSettings::new(url)
    }
}

fn watcher(alerts: AlertSettings) -> Watcher {
    Watcher::new(WatchSettings {
        alerts,
        ..WatchSettings::default()
    })
    .unwrap()
}

fn to(webhook: WebhookSettings) -> Watcher {
    watcher(AlertSettings {
        webhook: Some(webhook),
        ..AlertSettings::default()
    })
}

fn odd(kind: AlertKind) -> Request {
    let mut request = Request::of("alice");
    let message = format!("{kind} was seen");
    request.report.alerts.push(Alert { kind, message });
    request
}

fn counted(watcher: &Watcher, line: &str) -> bool {
    let text = watcher.render(&Gauges::default());
    text.lines().any(|found| found == line)
}

#[test]
fn an_alert_arrives_signed_after_failures_under_the_same_id() {
    let server = Server::new(&[
        Answer::Status(500),
        Answer::Status(503),
        Answer::Status(429),
    ]);
    let watcher = to(settings(&server.url));
    assert_eq!(odd(AlertKind::FilterKill).watch(&watcher), []);
    let attempts: Vec<_> = (0..4).map(|_| server.next()).collect();
    watcher.close(LONG);
    assert!(server.is_empty());
    let last = &attempts[3];
    assert_eq!(last.path, "/alerts");
    let (id, timestamp) = (
        last.header("webhook-id").unwrap(),
        last.header("webhook-timestamp").unwrap(),
    );
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.header("webhook-id") == Some(id))
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(format!("{id}.{timestamp}.{}", last.body).as_bytes());
    let signature = last.header("webhook-signature").unwrap();
    let signature = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    mac.verify_slice(&signature).unwrap();
    let json: serde_json::Value = serde_json::from_str(&last.body).unwrap();
    assert_eq!(json["severity"], "critical");
    assert_eq!(json["kind"], "filter-kill");
    assert_eq!(json["request"]["tenant"], "alice");
    assert!(counted(
        &watcher,
        "hotcell_alert_deliveries_total{sink=\"webhook\",result=\"retried\"} 3"
    ));
    assert!(counted(
        &watcher,
        "hotcell_alert_deliveries_total{sink=\"webhook\",result=\"delivered\"} 1"
    ));
}

#[test]
fn a_receiver_that_hangs_slows_no_launch_and_loses_no_alert() {
    let server = Server::new(&[Answer::Silence, Answer::Silence]);
    let watcher = to(settings(&server.url));
    for _ in 0..1000 {
        let _ = odd(AlertKind::WorkerDied).watch(&watcher);
    }
    let _ = odd(AlertKind::FilterKill).watch(&watcher);
    watcher.close(LONG);
    let mut bodies = Vec::new();
    while bodies.len() < 5 {
        bodies.push(server.next().body);
    }
    // Two are unheard. All that was raised is heard: each kind, and what was repeated.
    for words in ["worker-died", "filter-kill", "\"repeated\":999"] {
        assert!(bodies.iter().any(|body| body.contains(words)), "{bodies:?}");
    }
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
    assert!(server.is_empty());
    assert!(counted(
        &watcher,
        "hotcell_alerts_withheld_total{reason=\"repeated\"} 999"
    ));
}

#[test]
fn warnings_that_wait_for_a_receiver_hide_nothing_critical() {
    let server = Server::new(&[Answer::Silence]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let watcher = watcher(AlertSettings {
        webhook: Some(settings(&server.url)),
        log: Some(Arc::new(move |line| {
            log.lock().unwrap().push(line.to_owned())
        })),
        queue: 4,
        ..AlertSettings::default()
    });
    let warning = |component| {
        let mut request = odd(AlertKind::WorkerDied);
        request.report.component.digest = Some(digest(component));
        let _ = request.watch(&watcher);
    };
    warning(0);
    let _ = server.next();
    (1..20).for_each(warning);
    for _ in 0..3 {
        let _ = odd(AlertKind::FilterKill).watch(&watcher);
    }
    watcher.close(LONG);
    let heard: Vec<serde_json::Value> = server
        .rest()
        .iter()
        .map(|got| serde_json::from_str(&got.body).unwrap())
        .collect();
    let lines = lines.lock().unwrap().clone();
    let critical = lines.iter().filter(|line| line.contains("filter-kill"));
    assert_eq!(critical.count(), 2, "{lines:?}");
    // The warnings that there was no room for are told with their number.
    let told = |kind: &str| {
        let repeated = heard.iter().filter(|json| json["kind"] == kind);
        repeated
            .map(|json| json["repeated"].as_u64().unwrap().max(1))
            .sum::<u64>()
    };
    assert_eq!((told("worker-died"), told("filter-kill")), (20, 3));
    assert!(counted(
        &watcher,
        "hotcell_alert_deliveries_total{sink=\"webhook\",result=\"failed\"} 0"
    ));
}

#[test]
fn an_alert_that_nobody_takes_is_given_up_and_said() {
    // A port that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refusing = Server::new(&[Answer::Status(403)]);
    for (url, retried) in [(url, 5), (refusing.url.clone(), 0)] {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        let watcher = watcher(AlertSettings {
            webhook: Some(settings(&url)),
            log: Some(Arc::new(move |line| {
                log.lock().unwrap().push(line.to_owned())
            })),
            ..AlertSettings::default()
        });
        let _ = odd(AlertKind::FilterKill).watch(&watcher);
        watcher.close(LONG);
        let lines = lines.lock().unwrap().clone();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with(
            "alert: critical filter-kill: filter-kill was seen (tenant alice, run 07"
        ));
        assert!(lines[1].contains("given up"), "{lines:?}");
        let line = format!(
            "hotcell_alert_deliveries_total{{sink=\"webhook\",result=\"retried\"}} {retried}"
        );
        assert!(counted(&watcher, &line));
        // That it was given up is a line, and no alert that was delivered.
        assert!(counted(
            &watcher,
            "hotcell_alert_deliveries_total{sink=\"log\",result=\"delivered\"} 1"
        ));
        assert!(counted(
            &watcher,
            "hotcell_alert_deliveries_total{sink=\"webhook\",result=\"failed\"} 1"
        ));
    }
}

#[test]
fn the_end_waits_no_longer_than_it_is_told() {
    let server = Server::new(&[Answer::Silence; 8]);
    let watcher = to(WebhookSettings {
        timeout: LONG,
        ..settings(&server.url)
    });
    let _ = odd(AlertKind::FilterKill).watch(&watcher);
    let _ = server.next();
    // The attempt goes on behind it; a test that waited for it would take a minute and more.
    watcher.close(Duration::from_millis(50));
    std::mem::forget(watcher);
}

#[test]
fn an_end_that_was_set_is_that_of_the_watcher_too() {
    let server = Server::new(&[Answer::Silence; 8]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let watcher = watcher(AlertSettings {
        webhook: Some(WebhookSettings {
            timeout: Duration::from_secs(20),
            ..settings(&server.url)
        }),
        log: Some(Arc::new(move |line| {
            log.lock().unwrap().push(line.to_owned())
        })),
        flush: LONG,
        ..AlertSettings::default()
    });
    let _ = odd(AlertKind::FilterKill).watch(&watcher);
    let _ = server.next();
    watcher.close(Duration::from_millis(50));
    drop(watcher);
    // Whoever had waited for the attempt would find here that it failed.
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn an_alert_about_no_request_is_sent_too() {
    let server = Server::new(&[]);
    let watcher = to(settings(&server.url));
    watcher.alert(&Alert {
        kind: AlertKind::UnwrittenRecord,
        message: "the disk is full".into(),
    });
    let json: serde_json::Value = serde_json::from_str(&server.next().body).unwrap();
    assert_eq!(json["message"], "the disk is full");
    assert_eq!(json["request"], serde_json::Value::Null);
    assert_eq!(watcher.recent_alerts()[0].kind, AlertKind::UnwrittenRecord);
}

#[test]
fn times_without_end_are_bounded() {
    let server = Server::new(&[]);
    let watcher = watcher(AlertSettings {
        webhook: Some(WebhookSettings {
            timeout: Duration::MAX,
            back_off: Duration::MAX,
            ..settings(&server.url)
        }),
        window: Duration::MAX,
        flush: Duration::MAX,
        ..AlertSettings::default()
    });
    let _ = odd(AlertKind::FilterKill).watch(&watcher);
    let _ = odd(AlertKind::FilterKill).watch(&watcher);
    drop(watcher);
    assert!(server.next().body.contains("\"repeated\":0"));
    assert!(server.next().body.contains("\"repeated\":1"));
}

#[test]
fn what_is_no_address_is_refused_at_once() {
    let settings = WatchSettings {
        alerts: AlertSettings {
            webhook: Some(WebhookSettings::new("ftp://x")),
            ..AlertSettings::default()
        },
        ..WatchSettings::default()
    };
    let error = Watcher::new(settings).unwrap_err().to_string();
    assert_eq!(error, "`ftp://x` is no `http://` or `https://` address");
}

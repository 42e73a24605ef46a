//! Alerts handed to a program.

use crate::harness::Request;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_watch::{AlertSettings, CommandSettings, Gauges, WatchSettings, Watcher};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A watcher that has a program take one alert.
fn to(script: &str, timeout: Duration) -> Watcher {
    let command = CommandSettings {
        arguments: vec!["-c".into(), script.into()],
        timeout,
        ..CommandSettings::new("/bin/sh")
    };
    let watcher = Watcher::new(WatchSettings {
        alerts: AlertSettings {
            command: Some(command),
            ..AlertSettings::default()
        },
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    let mut request = Request::of("alice");
    request.report.alerts.push(Alert {
        kind: AlertKind::HostileWorker,
        message: "x".repeat(100_000),
    });
    let _ = request.watch(&watcher);
    watcher
}

fn run(script: &str, timeout: Duration) -> Watcher {
    let watcher = to(script, timeout);
    watcher.close(Duration::from_secs(60));
    watcher
}

fn is_counted(watcher: &Watcher, result: &str) -> bool {
    let line =
        format!("hotcell_alert_deliveries_total{{sink=\"command\",result=\"{result}\"}} 1\n");
    watcher.render(&Gauges::default()).contains(&line)
}

#[test]
fn a_program_gets_the_alert_and_no_environment() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("got");
    let script = format!("cat > {0}; env | sort >> {0}; pwd >> {0}", path.display());
    let watcher = run(&script, Duration::from_secs(30));
    assert!(is_counted(&watcher, "delivered"));
    let got = std::fs::read_to_string(&path).unwrap();
    let (json, environment) = got
        .split_once("}PATH=")
        .or_else(|| got.split_once("}PWD="))
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&format!("{json}}}")).unwrap();
    assert_eq!(json["kind"], "hostile-worker");
    assert!(
        !environment.contains("HOME=") && !environment.contains("CARGO"),
        "{environment}"
    );
    assert!(environment.ends_with("\n/\n"), "{environment}");
}

#[test]
fn a_program_that_fails_or_hangs_is_counted_and_leaves_nothing_behind() {
    assert!(is_counted(
        &run("exit 3", Duration::from_secs(30)),
        "failed"
    ));
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", path.display());
    assert!(is_counted(
        &run(&script, Duration::from_millis(500)),
        "failed"
    ));
    assert!(is_gone(&path));
}

/// Whether the process is killed whose number is in that file, and at most waits for whoever adopted it; the kernel may take a moment.
fn is_gone(path: &Path) -> bool {
    let pid = std::fs::read_to_string(path).unwrap();
    let is_gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.map_or(true, |stat| stat.contains(") Z"))
    };
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_gone()
    })
}

#[test]
fn a_program_is_gone_at_the_end() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("pid");
    let script = format!(
        "sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait",
        path.display()
    );
    let watcher = to(&script, Duration::from_secs(600));
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    watcher.close(Duration::from_secs(1));
    assert!(is_gone(&path));
    assert!(is_counted(&watcher, "failed"));
}

#[test]
fn lines_of_the_log_wait_for_no_program() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("written");
    // The program takes the second alert once the third is in the log.
    let script = format!(
        "grep -q worker-died || exit 0; until test -e {}; do sleep 0.01; done",
        path.display()
    );
    let (go, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let log = Arc::new(move |line: &str| {
        if line.contains("hostile-worker") {
            gate.lock().unwrap().recv().unwrap();
        }
        if line.contains("filter-kill") {
            std::fs::write(&path, "").unwrap();
        }
    });
    let watcher = Watcher::new(WatchSettings {
        alerts: AlertSettings {
            log: Some(log),
            command: Some(CommandSettings {
                arguments: vec!["-c".into(), script.into()],
                timeout: Duration::from_secs(5),
                ..CommandSettings::new("/bin/sh")
            }),
            ..AlertSettings::default()
        },
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    for kind in [
        AlertKind::HostileWorker,
        AlertKind::WorkerDied,
        AlertKind::FilterKill,
    ] {
        let message = String::new();
        watcher.alert(&Alert { kind, message });
    }
    go.send(()).unwrap();
    watcher.close(Duration::from_secs(60));
    let text = watcher.render(&Gauges::default());
    let line = "hotcell_alert_deliveries_total{sink=\"command\",result=\"delivered\"} 3";
    assert!(text.lines().any(|found| found == line), "{text}");
}

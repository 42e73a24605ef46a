//! Baselines that outlive the process.

use crate::harness::{Request, digest};
use hotcell_model::report::{AlertKind, Compilation};
use hotcell_watch::{AlertSettings, WatchError, WatchSettings, Watcher};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn watcher(state: &Path) -> Result<Watcher, WatchError> {
    Watcher::new(WatchSettings {
        state: Some(state.to_owned()),
        ..WatchSettings::default()
    })
}

fn of_fuel(fuel: u64) -> Request {
    let mut request = Request::of("alice");
    request.report.usage.fuel_used = Some(fuel);
    request
}

#[test]
fn what_one_process_learned_the_next_knows() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    for _ in 0..20 {
        // One launch a process, as the command does.
        let watcher = watcher(&state).unwrap();
        assert_eq!(of_fuel(100_000_000).watch(&watcher), []);
    }
    let watcher = watcher(&state).unwrap();
    let alerts = of_fuel(700_000_000).watch(&watcher);
    assert_eq!(alerts[0].kind, AlertKind::LaunchCost);
    assert!(
        alerts[0].message.ends_with("(median of 20)"),
        "{}",
        alerts[0].message
    );
}

#[test]
fn a_lasting_change_is_learned_by_commands_that_launch_once_each() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let launch = |fuel: u64| of_fuel(fuel).watch(&watcher(&state).unwrap());
    for _ in 0..20 {
        assert_eq!(launch(100_000_000), []);
    }
    let alerts: Vec<_> = (0..25).flat_map(|_| launch(700_000_000)).collect();
    assert_eq!(alerts.len(), 16);
    assert!(
        alerts[15]
            .message
            .ends_with("from now on that is what is usual"),
        "{}",
        alerts[15].message
    );
}

#[test]
fn no_tenant_replaces_what_others_stored() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let compile = |watcher: &Watcher, tenant: &str, memory_bytes: u64| {
        let compilation = Compilation {
            cpu_ns: 200_000_000,
            peak_memory_bytes: memory_bytes,
            processes: 2,
            code_bytes: 80 << 10,
            artifact_bytes: 160 << 10,
            ..Compilation::default()
        };
        let request = Request::of(tenant).compiled(1, compilation, 200_000_000);
        let kinds = request.watch(watcher).into_iter().map(|alert| alert.kind);
        kinds
            .filter(|kind| *kind == AlertKind::CompilationCost)
            .count()
    };
    let honest = watcher(&state).unwrap();
    for _ in 0..40 {
        assert_eq!(compile(&honest, "honest", 60 << 20), 0);
    }
    drop(honest);
    let flood = watcher(&state).unwrap();
    for at in 0..40 {
        assert_eq!(compile(&flood, "flood", 600 << 20), 1, "{at}");
    }
    drop(flood);
    let honest = watcher(&state).unwrap();
    assert_eq!(compile(&honest, "honest", 60 << 20), 0);
    assert_eq!(compile(&honest, "honest", 600 << 20), 1);
}

#[test]
fn the_file_is_the_callers_own_and_names_nobody() {
    use std::os::unix::fs::MetadataExt;
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let _ = of_fuel(1_000_000).watch(&watcher(&state).unwrap());
    let path = state.join("baselines.sqlite");
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(std::fs::read(state.join("baselines.sqlite-wal")).unwrap());
    assert!(
        !bytes
            .windows(5)
            .any(|part| part == b"alice" || part == b"saxpy")
    );
    std::fs::write(&path, "something else").unwrap();
    let error = watcher(&state).unwrap_err().to_string();
    assert!(error.contains("is no file of baselines"), "{error}");
}

/// Settings with that state, whose log keeps each line with the name of the thread that wrote it.
fn logged(state: &Path, lines: &Lines) -> WatchSettings {
    let lines = Arc::clone(lines);
    let log = Arc::new(move |line: &str| {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        lines.lock().unwrap().push((thread, line.to_owned()));
    });
    WatchSettings {
        state: Some(state.to_owned()),
        alerts: AlertSettings {
            log: Some(log),
            ..AlertSettings::default()
        },
        ..WatchSettings::default()
    }
}

type Lines = Arc<Mutex<Vec<(String, String)>>>;

fn state_errors(watcher: &Watcher) -> u64 {
    let text = watcher.render(&hotcell_watch::Gauges::default());
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("hotcell_state_errors_total "));
    count.unwrap().parse().unwrap()
}

#[test]
fn what_cannot_be_kept_is_counted_and_said_once() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    drop(watcher(&state).unwrap());
    std::fs::write(state.join("baselines.sqlite"), "something else").unwrap();
    let lines = Lines::default();
    let why = Watcher::new(logged(&state, &lines)).unwrap_err();
    let watcher = Watcher::in_memory_because(logged(&state, &lines), &why).unwrap();
    for _ in 0..20 {
        assert_eq!(of_fuel(100_000_000).watch(&watcher), []);
    }
    assert_eq!(of_fuel(900_000_000).watch(&watcher).len(), 1);
    watcher.close(Duration::from_secs(60));
    assert_eq!(state_errors(&watcher), 1);
    let lines = lines.lock().unwrap().clone();
    let said = |line: &&(String, String)| line.1.starts_with("baselines are kept in memory alone:");
    assert_eq!(lines.iter().filter(said).count(), 1, "{lines:?}");
}

#[test]
fn what_is_in_the_way_is_said_once_and_not_by_who_launches() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let lines = Lines::default();
    let watcher = Watcher::new(logged(&state, &lines)).unwrap();
    std::fs::remove_file(state.join("baselines.sqlite")).unwrap();
    // A launch that finds the file in use, by the thread that says what was in its way, does not wait for it.
    let mut numbers = 0..10_000;
    while state_errors(&watcher) < 50 {
        let mut request = of_fuel(100_000_000);
        request.report.component.digest = Some(digest(numbers.next().unwrap()));
        assert_eq!(request.watch(&watcher), []);
    }
    watcher.close(Duration::from_secs(60));
    let lines = lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].0, "hotcell-watch");
    assert!(lines[0].1.starts_with("baselines: "), "{lines:?}");
}

#[test]
fn a_file_that_is_lost_on_the_way_keeps_nobody_from_launching() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let watcher = watcher(&state).unwrap();
    std::fs::remove_file(state.join("baselines.sqlite")).unwrap();
    for _ in 0..20 {
        assert_eq!(of_fuel(100_000_000).watch(&watcher), []);
    }
    assert_eq!(of_fuel(900_000_000).watch(&watcher).len(), 1);
    assert!(state_errors(&watcher) > 0);
}

//! The textfile of commands that are over soon.

use crate::harness::Request;
use hotcell_watch::{TextfileError, WatchSettings, Watcher};
use std::path::Path;

fn run(state: &Path, path: &Path) {
    let watcher = Watcher::new(WatchSettings {
        state: Some(state.to_owned()),
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    let _ = Request::of("alice").watch(&watcher);
    watcher.write_textfile(path).unwrap();
    // What was written is not added again.
    watcher.write_textfile(path).unwrap();
}

#[test]
fn counts_of_commands_that_run_at_once_add_up() {
    let base = tempfile::tempdir().unwrap();
    let (state, path) = (base.path().join("state"), base.path().join("hotcell.prom"));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..4).for_each(|_| run(&state, &path)));
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    for line in [
        "hotcell_fuel_total{tenant=\"other\"} 144000",
        "hotcell_launch_seconds_count{isolation=\"confined\",metering=\"strict\"} 12",
        "hotcell_launch_seconds_sum{isolation=\"confined\",metering=\"strict\"} 0.00048",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let left = std::fs::read_dir(base.path()).unwrap().count();
    assert_eq!(left, 2, "nothing but the state and the textfile");
}

#[test]
fn what_cannot_be_written_is_an_error_and_is_not_lost() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("state");
    let watcher = Watcher::new(WatchSettings::default()).unwrap();
    let none = watcher.write_textfile(&base.path().join("x.prom"));
    assert!(matches!(none, Err(TextfileError::NoState)));
    let watcher = Watcher::new(WatchSettings {
        state: Some(state.clone()),
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    let _ = Request::of("alice").watch(&watcher);
    let nowhere = watcher.write_textfile(&base.path().join("nowhere/x.prom"));
    assert!(matches!(nowhere, Err(TextfileError::Io { .. })));
    let path = base.path().join("x.prom");
    watcher.write_textfile(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("hotcell_fuel_total{tenant=\"other\"} 12000\n"));
}

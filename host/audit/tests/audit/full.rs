//! A disk that is full: a limit on the size of files stands in for it, which needs no privilege.

use crate::harness::{Place, launch, overwrite, record, report};
use hotcell_audit::{AuditLog, Settings, Standing};
use hotcell_model::audit::Audit;
use hotcell_model::outcome::Outcome;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::process::Command;

const DIRECTORY: &str = "HOTCELL_AUDIT_TEST_DIRECTORY";
const REQUIRED: &str = "HOTCELL_AUDIT_TEST_REQUIRED";

/// What a test's child does: it writes until nothing more can be written, makes room, and goes on.
#[test]
#[ignore = "other tests start it"]
fn child_whose_disk_is_full() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let is_required = std::env::var_os(REQUIRED).is_some();
    let log = AuditLog::open(Settings {
        is_required,
        ..Settings::new(directory)
    });
    let log = log.unwrap();
    let full = |number| {
        let record = record(number);
        let begun = log.begin(&record);
        if begun.is_ok() {
            log.finish(&record, &report(&record, Outcome::done()));
        }
        begun
    };
    let refused = (0..400).filter(|number| full(*number).is_err()).count();
    assert_eq!(refused > 0, is_required, "{refused}");
    let state = log.state();
    assert!(state.missing > 0 && state.problems > 0);
    make_room();
    (1000..1010).for_each(|number| launch(&log, number));
    log.close().unwrap();
}

/// Raises the limit to what it may be raised to.
fn make_room() {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = maximum;
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

/// What another does: it signs until no checkpoint can be written, makes room, and goes on.
#[test]
#[ignore = "other tests start it"]
fn child_whose_checkpoints_have_no_room() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let log = AuditLog::open(Settings::new(directory)).unwrap();
    for number in 100..103 {
        launch(&log, number);
        log.flush().unwrap();
    }
    assert!(log.state().problems > 0);
    make_room();
    launch(&log, 103);
    log.close().unwrap();
}

fn run(directory: &Path, is_required: bool) {
    run_child("child_whose_disk_is_full", directory, is_required);
}

fn run_child(test: &str, directory: &Path, is_required: bool) {
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    // A write beyond the limit is an error where the signal is ignored. The unit is 512 bytes.
    command
        .args(["-c", "trap '' XFSZ; ulimit -S -f 400; exec \"$@\"", "sh"])
        .arg(this);
    let test = format!("full::{test}");
    command.args(["--exact", &test, "--ignored", "--nocapture"]);
    command.env(DIRECTORY, directory);
    if is_required {
        command.env(REQUIRED, "1");
    }
    assert!(command.status().unwrap().success());
}

#[test]
fn nothing_is_done_without_a_record_where_records_are_required() {
    let place = Place::new();
    run(&place.logs(), true);
    let log = place.verify().logs[0].clone();
    assert_eq!(
        (log.standing, log.unfinished),
        (Standing::TailUnproven, 0),
        "{log:#?}"
    );
    assert_eq!((log.gaps, log.signed), (1, log.size));
}

#[test]
fn a_gap_is_recorded_once_there_is_room_where_records_are_not_required() {
    let place = Place::new();
    run(&place.logs(), false);
    let log = place.verify().logs[0].clone();
    assert_eq!(log.standing, Standing::TailUnproven, "{log:#?}");
    assert_eq!((log.gaps, log.signed), (1, log.size));
}

#[test]
fn a_checkpoint_that_found_no_room_leaves_no_half() {
    let place = Place::with_launches(1);
    let path = place.file(".checkpoints");
    let mut text = std::fs::read_to_string(&path).unwrap();
    // The same checkpoint again and again, until half of the next has room below the limit.
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let note = lines[lines.len() - 5..].concat();
    while text.len() + note.len() < 400 * 512 {
        text += &note;
    }
    overwrite(&path, text.as_bytes());
    run_child("child_whose_checkpoints_have_no_room", &place.logs(), true);
    let log = place.verify().logs[0].clone();
    assert_eq!(
        (log.standing, log.size, log.signed),
        (Standing::TailUnproven, 10, 10),
        "{log:#?}"
    );
}

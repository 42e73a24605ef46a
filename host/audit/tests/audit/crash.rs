//! Writers that are killed.

use crate::harness::{Place, files, launch, overwrite};
use hotcell_audit::{AuditLog, Durability, Settings, Standing};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where the child of a test writes.
const DIRECTORY: &str = "HOTCELL_AUDIT_TEST_DIRECTORY";

/// What a test's child does: it writes until it is killed, and says how much it has begun.
#[test]
#[ignore = "other tests start it"]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let log = AuditLog::open(Settings {
        durability: Durability::Batched(Duration::from_millis(2)),
        segment_bytes: 256 << 10,
        ..Settings::new(directory)
    });
    let log = log.unwrap();
    println!("opened");
    for number in 0.. {
        launch(&log, number);
        println!("launched {number}");
    }
}

fn child(place: &Place) -> Child {
    let this = std::env::current_exe().unwrap();
    let test = "crash::child_that_writes_until_it_is_killed";
    Command::new(this)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DIRECTORY, place.logs())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a writer after so many launches.
fn kill_after(place: &Place, launches: usize) {
    let mut child = child(place);
    let output = BufReader::new(child.stdout.take().unwrap());
    let said = output.lines().map(Result::unwrap);
    let launched = said.filter(|line| line.contains("launched")).nth(launches);
    assert!(launched.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_whose_writer_is_killed_is_whole_but_for_what_is_closed_as_unknown() {
    let place = Place::new();
    let mut launches = 0;
    for round in 0..12 {
        let after = 11 + (round * 37) % 90;
        kill_after(&place, after);
        launches += after;
    }
    assert!(launches >= 500, "{launches}");
    place.open().close().unwrap();
    let found = place.verify();
    assert_eq!(found.standing, Standing::TailUnproven, "{found:#?}");
    let log = &found.logs[0];
    assert_eq!((log.unfinished, log.signed), (0, log.size));
    assert!(log.size >= 2 * launches as u64);
}

#[test]
fn half_a_record_at_the_end_is_moved_away_and_said() {
    let place = Place::with_launches(3);
    let path = place.file(".jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"{\"time\":17");
    overwrite(&path, &bytes);
    place.open().close().unwrap();
    let log = place.verify().logs[0].clone();
    assert_eq!((log.size, log.signed), (7, 7), "{log:#?}");
    assert!(log.problems.is_empty() && log.notes.is_empty());
    let torn = std::fs::read(place.logs().join("log-0001/torn")).unwrap();
    assert_eq!(torn, b"{\"time\":17\n");
}

#[test]
fn a_log_that_lost_where_it_was_left_is_read_from_its_start() {
    let place = Place::with_launches(30);
    let head = place.logs().join("log-0001/head");
    for head_says in [
        &b""[..],
        b"{}",
        b"{\"segment\":0,\"offset\":5,\"size\":1,\"frontier\":[],\"open\":[],\"closed\":true}",
    ] {
        overwrite(&head, head_says);
        let log = place.open();
        launch(&log, 99);
        log.close().unwrap();
    }
    let log = place.verify().logs[0].clone();
    assert_eq!(
        (log.size, log.signed, log.problems.len()),
        (66, 66, 0),
        "{log:#?}"
    );
}

#[test]
fn what_a_segment_is_continued_from_may_be_missing_where_all_before_it_is_there() {
    let place = Place::new();
    let settings = || Settings {
        segment_bytes: 8 << 10,
        ..place.settings()
    };
    let log = AuditLog::open(settings()).unwrap();
    for number in 0..10 {
        launch(&log, number);
        log.flush().unwrap();
    }
    log.close().unwrap();
    drop(log);
    let directory = place.logs().join("log-0001");
    let starts = files(&directory, ".start");
    assert!(starts.len() > 2);
    // As a machine leaves them that lost power: empty, or not there.
    for (at, start) in starts.iter().enumerate() {
        match at % 2 {
            0 => overwrite(start, b""),
            _ => std::fs::remove_file(start).unwrap(),
        }
    }
    let log = place.verify().logs[0].clone();
    assert_eq!(log.standing, Standing::TailUnproven, "{log:#?}");
    std::fs::remove_file(directory.join("head")).unwrap();
    let log = AuditLog::open(settings()).unwrap();
    assert_eq!(log.state().log, "log-0001");
    launch(&log, 10);
    log.close().unwrap();
    let log = place.verify().logs[0].clone();
    assert_eq!((log.size, log.signed), (22, 22), "{log:#?}");
    assert!(log.problems.is_empty(), "{log:#?}");
}

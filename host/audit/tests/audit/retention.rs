//! Logs that follow one another, and of which the oldest go.

use crate::harness::{Place, files, launch, record, report};
use hotcell_audit::prove::{RecordId, prove};
use hotcell_audit::{AuditLog, Settings, Standing};
use hotcell_model::audit::{Audit, AuditEnd, AuditRecord};
use hotcell_model::outcome::Outcome;
use hotcell_model::time::Timestamp;
use std::fs::File;
use std::time::{Duration, SystemTime};

fn written(place: &Place, settings: Settings, launches: std::ops::Range<u64>) {
    let log = AuditLog::open(settings).unwrap();
    for number in launches {
        launch(&log, number);
        log.flush().unwrap();
    }
    log.close().unwrap();
    let _ = place;
}

#[test]
fn segments_follow_one_another_and_verify_as_one_log() {
    let place = Place::new();
    for round in 0..3 {
        let settings = Settings {
            segment_bytes: 16 << 10,
            ..place.settings()
        };
        written(&place, settings, round * 10..round * 10 + 10);
    }
    assert!(files(&place.logs().join("log-0001"), ".jsonl").len() > 3);
    let log = place.verify().logs[0].clone();
    assert_eq!(
        (log.standing, log.size, log.signed),
        (Standing::TailUnproven, 60, 60),
        "{log:#?}"
    );
}

#[test]
fn old_segments_go_and_what_is_left_proves_from_there_on() {
    let place = Place::new();
    let settings = Settings {
        segment_bytes: 16 << 10,
        max_bytes: 64 << 10,
        ..place.settings()
    };
    written(&place, settings, 0..60);
    let log = place.verify().logs[0].clone();
    assert_eq!(log.standing, Standing::TailUnproven, "{log:#?}");
    assert!(log.first > 0 && log.signed == log.size);
    let bytes: u64 = files(&place.logs().join("log-0001"), "")
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(bytes < 128 << 10, "{bytes}");
    for index in [log.first, log.first + 7, log.size - 1] {
        let id: RecordId = format!("log-0001:{index}").parse().unwrap();
        let proof = prove(&place.logs(), &place.key(), &id).unwrap();
        assert_eq!(proof.check(&place.key()).unwrap().size, log.size);
    }
    let gone: RecordId = "log-0001:0".parse().unwrap();
    assert!(prove(&place.logs(), &place.key(), &gone).is_err());
}

/// Records something that began and ended at that time.
fn launch_at(log: &AuditLog, number: u64, time: Timestamp) {
    let record = AuditRecord {
        started: time,
        ..record(number)
    };
    log.begin(&record).unwrap();
    let report = report(&record, Outcome::done());
    let end = Some(AuditEnd::of(&report, time));
    log.finish(&AuditRecord { end, ..record }, &report);
}

#[test]
fn records_go_that_are_older_than_they_are_kept() {
    let place = Place::with_launches(5);
    let path = place.file(".jsonl");
    let old = SystemTime::now() - Duration::from_secs(1000);
    let start = File::options().write(true).open(place.file(".start"));
    start.unwrap().set_modified(old).unwrap();
    let settings = Settings {
        keep: Some(Duration::from_secs(900)),
        ..place.settings()
    };
    // The file is followed by another since it was begun long ago; what that begins with is old as well.
    let log = AuditLog::open(settings.clone()).unwrap();
    for number in 5..7 {
        launch_at(&log, number, old.into());
        log.flush().unwrap();
    }
    log.close().unwrap();
    drop(log);
    assert!(path.exists());
    written(&place, settings, 7..9);
    assert!(!path.exists());
    let log = place.verify().logs[0].clone();
    assert_eq!(log.standing, Standing::TailUnproven, "{log:#?}");
    assert!(log.first >= 10);
}

#[test]
fn what_is_left_of_a_file_that_was_being_removed_is_skipped() {
    let place = Place::new();
    let settings = Settings {
        segment_bytes: 16 << 10,
        ..place.settings()
    };
    written(&place, settings.clone(), 0..10);
    let path = place.file(".jsonl");
    let removed = std::fs::read(&path).unwrap();
    let settings = Settings {
        max_bytes: 64 << 10,
        ..settings
    };
    written(&place, settings, 10..60);
    assert!(!path.exists());
    // The records are removed last.
    std::fs::write(&path, removed).unwrap();
    let log = place.verify().logs[0].clone();
    assert_eq!(log.standing, Standing::TailUnproven, "{log:#?}");
    assert!(log.first > 0 && log.signed == log.size);
    assert!(log.notes.iter().any(|note| note.contains("were removed")));
}

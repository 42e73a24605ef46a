//! What somebody does to a log who has no key.

use crate::harness::{Place, files, overwrite};
use hotcell_audit::Standing;
use hotcell_audit::verify::ProblemKind;

fn lines(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.file(".jsonl")).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn write(place: &Place, lines: &[String]) {
    overwrite(&place.file(".jsonl"), lines.concat().as_bytes());
}

#[test]
fn an_untouched_log_without_an_anchor_is_unproven_and_never_ok() {
    let place = Place::with_launches(20);
    let found = place.verify();
    assert_eq!(found.standing, Standing::TailUnproven, "{found:?}");
    let log = &found.logs[0];
    assert_eq!((log.size, log.signed, log.unfinished), (40, 40, 0));
    assert!(log.problems.is_empty());
}

#[test]
fn every_flipped_byte_of_log_and_checkpoints_is_found() {
    let place = Place::with_launches(1);
    let kept = place.logs().join("newest/log-0001");
    for path in [
        place.file(".jsonl"),
        place.file(".checkpoints"),
        place.file(".start"),
        kept,
    ] {
        let whole = std::fs::read(&path).unwrap();
        assert!(!whole.is_empty());
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            overwrite(&path, &changed);
            let found = place.verify();
            assert_eq!(
                found.standing,
                Standing::Broken,
                "byte {at} of {}",
                path.display()
            );
        }
        overwrite(&path, &whole);
    }
    assert_eq!(place.verify().standing, Standing::TailUnproven);
}

#[test]
fn an_edited_record_is_found_where_it_is() {
    let place = Place::with_launches(20);
    let mut changed = lines(&place);
    changed[7] = changed[7].replace("team-a", "team-b");
    write(&place, &changed);
    let log = &place.verify().logs[0];
    let problem = &log.problems[0];
    assert_eq!(problem.kind, ProblemKind::Changed, "{problem}");
    assert!(problem.record.unwrap() <= 7 && problem.offset.is_some() && problem.after.is_some());
}

#[test]
fn a_removed_or_moved_or_added_record_is_found_at_its_place() {
    let place = Place::with_launches(10);
    let whole = lines(&place);
    let removed = [&whole[..5], &whole[6..]].concat();
    let mut moved = whole.clone();
    moved.swap(5, 6);
    let mut added = whole.clone();
    added.insert(5, whole[3].clone());
    for changed in [removed, moved, added] {
        write(&place, &changed);
        let problem = place.verify().logs[0].problems[0].clone();
        assert_eq!(
            (problem.kind, problem.record),
            (ProblemKind::Misplaced, Some(5)),
            "{problem}"
        );
        let offset: usize = whole[..5].iter().map(String::len).sum();
        assert_eq!(problem.offset, Some(offset as u64));
    }
}

#[test]
fn a_log_that_was_cut_is_found_even_with_its_checkpoints_cut_alike() {
    let place = Place::with_launches(10);
    let whole = lines(&place);
    write(&place, &whole[..12]);
    let found = place.verify();
    assert_eq!(found.standing, Standing::Broken);
    assert!(
        found.logs[0]
            .problems
            .iter()
            .any(|problem| problem.kind == ProblemKind::Cut)
    );
    // The copy elsewhere speaks against whoever cuts the checkpoints too.
    overwrite(&place.file(".checkpoints"), b"");
    let problem = place.verify().logs[0].problems[0].clone();
    assert_eq!(
        (problem.kind, problem.record),
        (ProblemKind::Cut, Some(12)),
        "{problem}"
    );
}

#[test]
fn what_is_added_at_the_end_is_not_signed_for_and_is_not_continued() {
    let place = Place::with_launches(3);
    let mut changed = lines(&place);
    let forged = changed[5].replace("\"sequence\":5", "\"sequence\":6");
    changed.push(forged);
    write(&place, &changed);
    let log = place.verify().logs[0].clone();
    assert_eq!(
        (log.standing, log.size, log.signed),
        (Standing::TailUnproven, 7, 6)
    );
    assert!(log.notes.iter().any(|note| note.contains("not signed for")));
}

#[test]
fn a_log_that_was_changed_is_not_continued_and_the_operator_is_told() {
    let place = Place::with_launches(3);
    let mut changed = lines(&place);
    changed[5] = changed[5].replace("team-a", "team-b");
    write(&place, &changed);
    std::fs::remove_file(place.logs().join("log-0001/head")).unwrap();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = told.clone();
    let mut settings = place.settings();
    settings.on_problem = Some(std::sync::Arc::new(move |message| {
        tell.lock().unwrap().push(message)
    }));
    let log = hotcell_audit::AuditLog::open(settings).unwrap();
    assert_eq!(log.state().log, "log-0002");
    assert!(told.lock().unwrap()[0].contains("contradicts what was signed"));
    log.close().unwrap();
    assert_eq!(place.verify().standing, Standing::Broken);
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let place = Place::with_launches(3);
    std::fs::remove_dir_all(place.logs().join("log-0001")).unwrap();
    let found = place.verify();
    assert_eq!(found.standing, Standing::Broken);
    assert!(found.problems[0].message.contains("log-0001 is gone"));
}

#[test]
fn old_files_that_are_taken_away_are_missed() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.segment_bytes = 4 << 10;
    let log = hotcell_audit::AuditLog::open(settings).unwrap();
    for number in 0..10 {
        crate::harness::launch(&log, number);
        log.flush().unwrap();
    }
    log.close().unwrap();
    assert_eq!(place.verify().standing, Standing::TailUnproven);
    let log = place.logs().join("log-0001");
    for suffix in [".jsonl", ".start", ".checkpoints"] {
        std::fs::remove_file(&files(&log, suffix)[0]).unwrap();
    }
    let found = place.verify();
    let problem = &found.logs[0].problems[0];
    assert!(problem.message.contains("no record says so"), "{problem}");
}

#[test]
fn a_log_that_is_gone_with_all_that_is_known_of_it_leaves_a_gap_in_the_numbers() {
    let place = Place::new();
    let logs = [place.open(), place.open(), place.open()];
    logs.iter().for_each(|log| log.close().unwrap());
    std::fs::remove_dir_all(place.logs().join("log-0002")).unwrap();
    let _ = std::fs::remove_file(place.logs().join("newest/log-0002"));
    let found = place.verify();
    assert_eq!(found.problems.len(), 1, "{found:#?}");
    assert_eq!(found.problems[0].kind, ProblemKind::Missing);
    assert!(found.problems[0].message.contains("log-0002 is gone"));
}

#[test]
fn a_record_that_says_that_others_were_removed_counts_only_if_it_is_signed() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.segment_bytes = 4 << 10;
    let log = hotcell_audit::AuditLog::open(settings).unwrap();
    for number in 0..10 {
        crate::harness::launch(&log, number);
        log.flush().unwrap();
    }
    log.close().unwrap();
    let directory = place.logs().join("log-0001");
    for suffix in [".jsonl", ".start", ".checkpoints"] {
        std::fs::remove_file(&files(&directory, suffix)[0]).unwrap();
    }
    let last = files(&directory, ".jsonl").pop().unwrap();
    let mut text = std::fs::read_to_string(&last).unwrap();
    text += "{\"time\":1,\"metadata\":{\"sequence\":20},\"unmapped\":{\"hotcell\":{\"phase\":\"removed\",\"before\":20}}}\n";
    overwrite(&last, text.as_bytes());
    let log = place.verify().logs[0].clone();
    assert_eq!(log.size, 21, "{log:#?}");
    let is_missed =
        |problem: &hotcell_audit::verify::Problem| problem.message.contains("no record says so");
    assert!(log.problems.iter().any(is_missed), "{log:#?}");
}

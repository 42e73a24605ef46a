//! More than one writer.

use crate::harness::{Place, ended, launch, record, report};
use hotcell_audit::Standing;
use hotcell_model::audit::Audit;
use hotcell_model::outcome::Outcome;

#[test]
fn two_writers_at_once_have_a_log_each_and_the_next_continues_the_first() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    for number in 0..50 {
        launch(&one, number);
        launch(&two, 100 + number);
    }
    assert_eq!([one.state().log, two.state().log], ["log-0001", "log-0002"]);
    one.close().unwrap();
    two.close().unwrap();
    drop((one, two));
    let again = place.open();
    launch(&again, 7);
    assert_eq!(
        (again.state().log, again.state().size),
        ("log-0001".to_owned(), 102)
    );
    again.close().unwrap();
    let found = place.verify();
    assert_eq!(found.standing, Standing::TailUnproven);
    let sizes: Vec<_> = found
        .logs
        .iter()
        .map(|log| (log.size, log.signed))
        .collect();
    assert_eq!(sizes, [(102, 102), (100, 100)]);
}

#[test]
fn many_threads_write_one_log_whole() {
    let place = Place::new();
    let log = place.open();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let log = &log;
            scope.spawn(move || (0..100).for_each(|number| launch(log, thread << 32 | number)));
        }
    });
    log.close().unwrap();
    let log = place.verify().logs[0].clone();
    assert_eq!((log.size, log.signed, log.unfinished), (800, 800, 0));
    assert!(log.problems.is_empty());
}

#[test]
fn what_a_writer_left_open_is_closed_as_unknown_by_the_next_of_any_log() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    one.begin(&record(1)).unwrap();
    two.begin(&record(2)).unwrap();
    drop((one, two));
    assert_eq!(
        place
            .verify()
            .logs
            .iter()
            .map(|log| log.unfinished)
            .sum::<u64>(),
        2
    );
    place.open().close().unwrap();
    let found = place.verify();
    assert!(
        found
            .logs
            .iter()
            .all(|log| (log.unfinished, log.unknown) == (0, 1)),
        "{found:#?}"
    );
}

#[test]
fn nothing_is_recorded_in_a_log_that_is_closed() {
    let place = Place::new();
    let log = place.open();
    log.close().unwrap();
    log.close().unwrap();
    assert!(
        log.begin(&record(1))
            .unwrap_err()
            .to_string()
            .contains("closed")
    );
}

#[test]
fn each_record_is_signed_for_at_once_where_that_is_asked_for() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.durability = hotcell_audit::Durability::EachRecord;
    let log = hotcell_audit::AuditLog::open(settings).unwrap();
    launch(&log, 1);
    assert_eq!(place.verify().logs[0].signed, 2);
}

#[test]
fn an_end_of_which_even_the_first_of_each_list_is_too_long_is_cut_until_it_fits() {
    let place = Place::new();
    let log = place.open();
    let record = record(1);
    log.begin(&record).unwrap();
    let mut report = report(&record, Outcome::done());
    report.arguments[0].shape = vec![u64::MAX; 8 << 10];
    log.finish(&ended(&record, &report), &report);
    log.close().unwrap();
    let found = place.verify().logs[0].clone();
    assert_eq!(
        (found.size, found.signed, found.unfinished, found.gaps),
        (2, 2, 0, 0),
        "{found:#?}"
    );
    assert!(found.problems.is_empty() && found.notes.is_empty());
}

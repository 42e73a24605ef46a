//! Files that cannot be used, and what is said of them.

use crate::harness::*;
use hotcell_ledger::{Ledger, LedgerError, ReserveError, StateError};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn refusal(path: &Path) -> String {
    Ledger::open(path).unwrap_err().to_string()
}

/// A bench whose file has been begun and closed.
fn begun() -> Bench {
    let bench = Bench::new();
    drop(bench.open());
    bench
}

#[test]
fn the_file_and_its_directory_are_their_owners_alone() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(100), 1).unwrap();
    let directory = bench.path.parent().unwrap();
    assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let expected = ["budgets.sqlite", "budgets.sqlite-shm", "budgets.sqlite-wal"];
    assert_eq!(names, expected);
}

#[test]
fn files_and_directories_open_to_others_are_refused() {
    let bench = begun();
    fs::set_permissions(&bench.path, Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&bench.path).ends_with("is open to others: chmod 600"));
    let directory = bench.path.parent().unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    assert!(refusal(&bench.path).ends_with("is open to others: chmod 700"));
}

#[test]
fn symbolic_links_are_refused() {
    let bench = begun();
    let directory = bench.path.parent().unwrap();
    let link = directory.join("link.sqlite");
    symlink(&bench.path, &link).unwrap();
    assert!(refusal(&link).contains("symbolic link"));
    let beside = directory.join("budgets.sqlite-wal");
    symlink("/nowhere", &beside).unwrap();
    assert!(refusal(&bench.path).contains("budgets.sqlite-wal must be your own"));
    let way = directory.parent().unwrap().join("way");
    symlink(directory, &way).unwrap();
    assert!(refusal(&way.join("budgets.sqlite")).contains("is no directory, or a symbolic link"));
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let bench = begun();
    // Root gives its file away; whoever is not root has no need to.
    let path = match std::os::unix::fs::chown(&bench.path, Some(1), None) {
        Ok(()) => &bench.path,
        Err(_) => Path::new("/etc/budgets.sqlite"),
    };
    assert!(refusal(path).contains("belongs to another user"));
}

#[test]
fn what_is_no_file_of_budgets_is_left_as_it_is() {
    for content in [
        "",
        "not a database, and long enough to have a header of one hundred bytes..............................................",
    ] {
        let bench = begun();
        fs::write(&bench.path, content).unwrap();
        let error = Ledger::open(&bench.path).unwrap_err();
        assert!(
            matches!(error, LedgerError::State(StateError::Foreign { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(&bench.path).unwrap(), content);
    }
    let bench = begun();
    let file = rusqlite::Connection::open(&bench.path).unwrap();
    file.execute_batch("PRAGMA application_id = 7").unwrap();
    drop(file);
    assert!(refusal(&bench.path).contains("is no file of budgets"));
}

#[test]
fn a_newer_schema_is_refused_with_both_numbers() {
    let bench = begun();
    let file = rusqlite::Connection::open(&bench.path).unwrap();
    file.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(file);
    let says = "has schema 2, and this build knows 1: use the newer build, or name another place";
    assert!(refusal(&bench.path).ends_with(says));
}

#[test]
fn damage_is_said_and_nothing_is_launched() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(100), 1).unwrap();
    drop(ledger);
    let mut bytes = fs::read(&bench.path).unwrap();
    // All but the header's page.
    bytes[4096..].fill(0x5a);
    fs::write(&bench.path, bytes).unwrap();
    let says = match Ledger::open(&bench.path) {
        Err(error) => error.to_string(),
        Ok(ledger) => {
            let wanted = fuel(1);
            let reserved = ledger.reserve(&tenant(), &fuel_budget(slow(100)), &wanted);
            reserved.unwrap_err().to_string()
        }
    };
    assert!(says.contains("is damaged: end every process"), "{says}");
}

#[test]
fn a_row_that_is_never_written_is_damage() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(100), 50).unwrap();
    let file = rusqlite::Connection::open(&bench.path).unwrap();
    for change in ["size = -1", "refill = 0", "part = per_ns", "per_ns = 5"] {
        let change = format!("SAVEPOINT before; UPDATE bucket SET {change}; RELEASE before");
        file.execute_batch(&change).unwrap();
        let error = ledger
            .levels(&tenant(), &fuel_budget(slow(100)))
            .unwrap_err();
        assert!(
            matches!(error, LedgerError::State(StateError::Damaged { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn a_lost_file_is_not_begun_anew_beside_what_it_left() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(100), 50).unwrap();
    let budgets = fuel_budget(slow(100));
    fs::remove_file(&bench.path).unwrap();
    let error = ledger.reserve(&tenant(), &budgets, &fuel(50)).unwrap_err();
    let is_replaced = matches!(
        error,
        ReserveError::Ledger(LedgerError::State(StateError::Replaced { .. }))
    );
    assert!(is_replaced, "{error}");
    let error = Ledger::open(&bench.path).unwrap_err();
    assert!(
        matches!(error, LedgerError::State(StateError::Missing { .. })),
        "{error}"
    );
}

#[test]
fn a_process_that_keeps_the_file_locked_is_not_waited_for_without_end() {
    let bench = Bench::new();
    let ledger = bench.open();
    let file = rusqlite::Connection::open(&bench.path).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = ledger
        .reserve(&tenant(), &fuel_budget(slow(100)), &fuel(1))
        .unwrap_err();
    assert!(error.to_string().contains("has kept"), "{error}");
    // A charge that cannot be written is an error, and is written before anything is drawn.
    file.execute_batch("ROLLBACK").unwrap();
    let reservation = reserve(&ledger, slow(100), 10).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    reservation.charge(&fuel(150)).unwrap_err();
    file.execute_batch("ROLLBACK").unwrap();
    assert_eq!(reserve(&ledger, slow(100), 1).unwrap_err().left, -50);
    assert_eq!(bench.left(slow(100)), -50);
}

#[test]
fn many_may_begin_it_at_once() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| spend(&bench.open(), slow(100), 3).unwrap());
        }
    });
    assert_eq!(bench.left(slow(100)), 76);
}

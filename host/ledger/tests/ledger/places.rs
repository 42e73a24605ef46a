//! Places over several ledgers and processes.

use crate::harness::*;
use hotcell_ledger::{EnterError, Ledger, Place, PlaceKind};
use std::io::{BufRead, BufReader};

const RUNNING: PlaceKind = PlaceKind::Running;

fn enter(ledger: &Ledger, maximum: u64) -> Option<Place> {
    match ledger.enter(&tenant(), RUNNING, maximum) {
        Ok(place) => Some(place),
        Err(EnterError::Full(_)) => None,
        Err(EnterError::Ledger(error)) => panic!("{error}"),
    }
}

#[test]
fn no_more_run_than_may_and_kinds_are_apart() {
    let bench = Bench::new();
    let ledgers = [bench.open(), bench.open(), bench.open()];
    for maximum in [0, 1, 2, 7, 40] {
        let mut places = Vec::new();
        while let Some(place) = ledgers.iter().find_map(|ledger| enter(ledger, maximum)) {
            places.push(place);
        }
        assert_eq!(places.len() as u64, maximum);
        let refused = ledgers[0].enter(&tenant(), RUNNING, maximum).unwrap_err();
        let says = format!("all places are taken: {maximum} of at most {maximum} that are running");
        assert!(refused.to_string().starts_with(&says), "{refused}");
        let waiting = ledgers[0].enter(&tenant(), PlaceKind::Waiting, 1);
        drop((waiting.unwrap(), places));
        for ledger in &ledgers {
            ledger.return_all().unwrap();
        }
        assert_eq!(ledgers[0].taken(&tenant(), RUNNING).unwrap(), 0);
    }
}

#[test]
fn the_only_place_is_the_others_once_the_first_is_idle() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    one.return_idle().unwrap();
    let place = enter(&one, 1).unwrap();
    assert!(enter(&other, 1).is_none());
    drop(place);
    // Warm for the one, and so refused to the other for a little.
    drop(enter(&one, 1).unwrap());
    assert!(enter(&other, 1).is_none());
    for _ in 0..2 {
        bench.clock.forward(Ledger::IDLE);
        one.return_idle().unwrap();
    }
    let place = enter(&other, 1).unwrap();
    assert!(enter(&one, 1).is_none());
    drop((place, other));
    assert!(enter(&one, 1).is_some());
}

#[test]
fn a_place_in_use_is_not_given_back() {
    let bench = Bench::new();
    let (one, other) = (bench.open(), bench.open());
    let place = enter(&one, 1).unwrap();
    for _ in 0..4 {
        bench.clock.forward(Ledger::IDLE);
        one.return_idle().unwrap();
        one.return_all().unwrap();
    }
    assert!(enter(&other, 1).is_none());
    drop(place);
}

#[test]
#[ignore = "a child's part"]
fn child_keeps_a_place() {
    let Some(path) = part() else { return };
    let ledger = Ledger::open(path).unwrap();
    let _place = enter(&ledger, 2).unwrap();
    println!("\nentered");
    // Until the parent is gone, or kills.
    let _ = std::io::stdin().lines().next();
}

#[test]
fn the_places_of_a_killed_process_come_back() {
    let bench = Bench::new();
    let ledger = bench.open();
    let mut child = start("places::child_keeps_a_place", &bench.path);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "entered"));
    assert_eq!(ledger.taken(&tenant(), RUNNING).unwrap(), 1);
    let place = enter(&ledger, 2).unwrap();
    assert!(enter(&ledger, 2).is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ledger.taken(&tenant(), RUNNING).unwrap(), 1);
    let second = enter(&ledger, 2).unwrap();
    drop((place, second));
}

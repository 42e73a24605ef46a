//! Reserving and charging, in one process and by a clock that stands.

use crate::harness::*;
use hotcell_ledger::{Amounts, Budgets, Ledger, ReserveError, Resource};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

#[test]
fn a_bucket_begins_full_and_is_refilled_evenly() {
    let bench = Bench::new();
    let ledger = bench.open();
    let rate = rate(100, 30, Duration::from_secs(7));
    spend(&ledger, rate, 100).unwrap();
    let refused = reserve(&ledger, rate, 10).unwrap_err();
    assert_eq!((refused.wanted, refused.left, refused.size), (10, 0, 100));
    let wait = refused.retry_after.unwrap();
    assert_eq!(wait, Duration::from_nanos(2_333_333_334));
    bench.clock.forward(wait - NANOSECOND);
    let refused = reserve(&ledger, rate, 10).unwrap_err();
    assert_eq!(refused.retry_after, Some(NANOSECOND));
    bench.clock.forward(NANOSECOND);
    spend(&ledger, rate, 10).unwrap();
}

#[test]
fn what_never_fits_is_said_to() {
    let bench = Bench::new();
    let refused = reserve(&bench.open(), slow(100), 101).unwrap_err();
    assert_eq!(refused.retry_after, None);
    assert_eq!(
        refused.to_string(),
        "budget fuel: 101 wanted, and it never holds more than 100"
    );
}

#[test]
fn all_resources_are_reserved_or_none_and_the_longest_wait_is_named() {
    let bench = Bench::new();
    let ledger = bench.open();
    let budgets = fuel_budget(slow(1000))
        .with(Resource::Launches, slow(1))
        .with(Resource::Bytes, slow(10));
    let wanted = Amounts::new()
        .with(Resource::Launches, 1)
        .with(Resource::Fuel, 100)
        .with(Resource::CpuTime, u64::MAX)
        .with(Resource::Bytes, 10);
    let reservation = ledger.reserve(&tenant(), &budgets, &wanted).unwrap();
    reservation.charge(&wanted).unwrap();
    let before = levels(&ledger, &budgets);
    let Err(ReserveError::Refused(refused)) = ledger.reserve(&tenant(), &budgets, &wanted) else {
        panic!("two of three are empty");
    };
    assert_eq!(refused.resource, Resource::Bytes);
    assert_eq!(refused.retry_after, Some(10 * SECOND));
    assert_eq!(levels(&ledger, &budgets), before);
}

#[test]
fn what_was_not_used_is_had_again_and_what_is_not_charged_counts() {
    let bench = Bench::new();
    let ledger = bench.open();
    for _ in 0..50 {
        reserve(&ledger, slow(100), 80)
            .unwrap()
            .charge(&fuel(1))
            .unwrap();
        if levels(&ledger, &fuel_budget(slow(100)))[0].left < 10 {
            break;
        }
    }
    drop(ledger);
    let left = bench.left(slow(100));
    assert!((0..100).contains(&left), "{left}");
    let ledger = bench.open();
    drop(reserve(&ledger, slow(100), u64::try_from(left).unwrap()).unwrap());
    drop(ledger);
    assert_eq!(bench.left(slow(100)), 0);
}

#[test]
fn a_clean_end_gives_back_the_lease() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(1600), 10).unwrap();
    let level = levels(&ledger, &fuel_budget(slow(1600)))[0];
    assert_eq!((level.left, level.leased), (1600 - 10 - 99, 99));
    drop(ledger);
    assert_eq!(bench.left(slow(1600)), 1590);
}

#[test]
fn a_warm_launch_writes_nothing() {
    let bench = Bench::new();
    let (ledger, rate) = (bench.open(), slow(1600));
    spend(&ledger, rate, 1).unwrap();
    let before = levels(&ledger, &fuel_budget(rate))[0];
    for _ in 0..before.leased {
        spend(&ledger, rate, 1).unwrap();
    }
    let after = levels(&ledger, &fuel_budget(rate))[0];
    assert_eq!((after.left, after.leased), (before.left, 0));
}

#[test]
fn debt_is_paid_before_anything_else_is_had() {
    let bench = Bench::new();
    let (ledger, other, rate) = (bench.open(), bench.open(), slow(100));
    reserve(&ledger, rate, 50)
        .unwrap()
        .charge(&fuel(180))
        .unwrap();
    let refused = reserve(&other, rate, 1).unwrap_err();
    assert_eq!(
        (refused.left, refused.retry_after),
        (-80, Some(81 * SECOND))
    );
    assert_eq!(
        refused.to_string(),
        "budget fuel: 1 wanted, and 80 of debt; try again in 81s"
    );
    bench.clock.forward(81 * SECOND);
    spend(&other, rate, 1).unwrap();
}

#[test]
fn an_idle_lease_goes_back_and_a_used_one_stays() {
    let bench = Bench::new();
    let (ledger, rate) = (bench.open(), slow(1600));
    let leased = |ledger: &Ledger| levels(ledger, &fuel_budget(rate))[0].leased;
    ledger.return_idle().unwrap();
    spend(&ledger, rate, 10).unwrap();
    bench.clock.forward(Ledger::IDLE);
    ledger.return_idle().unwrap();
    assert_eq!(leased(&ledger), 99);
    bench.clock.forward(Ledger::IDLE - NANOSECOND);
    ledger.return_idle().unwrap();
    assert_eq!(leased(&ledger), 99);
    bench.clock.forward(NANOSECOND);
    ledger.return_idle().unwrap();
    assert_eq!(leased(&ledger), 0);
    assert_eq!(bench.left(rate), 1594);
}

#[test]
fn in_no_span_more_is_spent_than_contents_refill_and_leases() {
    let bench = Bench::new();
    let (one, other, rate) = (bench.open(), bench.open(), slow(1600));
    for ledger in [&one, &other] {
        spend(ledger, rate, 1).unwrap();
    }
    let leases: u64 = [&one, &other]
        .map(|ledger| levels(ledger, &fuel_budget(rate))[0].leased)
        .iter()
        .sum();
    bench.clock.forward(10_000 * SECOND);
    let mut spent = 0;
    for ledger in [&one, &other, &one] {
        while spend(ledger, rate, 1).is_ok() {
            spent += 1;
        }
    }
    assert_eq!(spent, 1600 + leases);
    assert!(leases <= 2 * 1600 / 16);
}

#[test]
fn a_clock_set_back_refuses_nobody_for_long_and_gives_nothing_twice() {
    let bench = Bench::new();
    let (ledger, rate) = (bench.open(), slow(100));
    spend(&ledger, rate, 100).unwrap();
    bench.clock.back(Duration::from_secs(86_400 * 365));
    // Even where nobody gets anything, the new time is the one that counts.
    assert_eq!(reserve(&ledger, rate, 5).unwrap_err().left, 0);
    bench.clock.forward(5 * SECOND);
    spend(&ledger, rate, 5).unwrap();
    bench.clock.back(3 * SECOND);
    let refused = reserve(&ledger, rate, 1).unwrap_err();
    assert_eq!(refused.retry_after, Some(4 * SECOND));
    bench.clock.forward(Duration::from_secs(86_400 * 365 * 50));
    assert_eq!(levels(&ledger, &fuel_budget(rate))[0].left, 100);
}

#[test]
fn another_rate_keeps_the_level() {
    let bench = Bench::new();
    let ledger = bench.open();
    spend(&ledger, slow(100), 40).unwrap();
    ledger.return_all().unwrap();
    let left = |rate| levels(&ledger, &fuel_budget(rate))[0].left;
    assert_eq!(left(slow(1000)), 60);
    assert_eq!(left(slow(10)), 10);
    // A refusal is enough for the file to know of it.
    reserve(&ledger, slow(1000), 500).unwrap_err();
    bench.clock.forward(400 * SECOND);
    assert_eq!(left(slow(1000)), 460);
}

#[test]
fn a_debt_under_an_older_rate_leaves_the_newer_one() {
    let bench = Bench::new();
    let ledger = bench.open();
    let old = reserve(&ledger, slow(10), 10).unwrap();
    reserve(&ledger, slow(1000), 500).unwrap_err();
    bench.clock.forward(600 * SECOND);
    old.charge(&fuel(20)).unwrap();
    assert_eq!(levels(&ledger, &fuel_budget(slow(1000)))[0].left, 590);
}

#[test]
fn tenants_have_nothing_of_each_other_and_full_ones_leave_no_trace() {
    let bench = Bench::new();
    let ledger = bench.open();
    ledger.return_idle().unwrap();
    for number in 0..600 {
        let tenant = format!("t{number}").parse().unwrap();
        let reservation = ledger
            .reserve(&tenant, &fuel_budget(slow(20)), &fuel(20))
            .unwrap();
        reservation.charge(&fuel(20)).unwrap();
    }
    let rows = || {
        let file = rusqlite::Connection::open(&bench.path).unwrap();
        let count = file.query_row("SELECT count(*) FROM bucket", [], |row| {
            row.get::<_, i64>(0)
        });
        count.unwrap()
    };
    assert_eq!(rows(), 600);
    for _ in 0..3 {
        bench.clock.forward(60 * SECOND);
        ledger.return_idle().unwrap();
    }
    assert_eq!(rows(), 0);
}

#[test]
fn what_has_no_budget_is_not_looked_at() {
    let bench = Bench::new();
    let ledger = bench.open();
    let wanted = fuel(u64::MAX);
    let reservation = ledger.reserve(&tenant(), &Budgets::new(), &wanted).unwrap();
    reservation.charge(&wanted).unwrap();
}

#[test]
fn times_and_counts_of_each_resource_are_kept_apart() {
    let bench = Bench::new();
    let ledger = bench.open();
    for (position, resource) in Resource::ALL.into_iter().enumerate() {
        let budgets = Budgets::new().with(resource, slow(15));
        let wanted = Amounts::new().with(resource, position as u64);
        let reservation = ledger.reserve(&tenant(), &budgets, &wanted).unwrap();
        reservation.charge(&wanted).unwrap();
    }
    let all: Budgets = Resource::ALL
        .into_iter()
        .map(|one| (one, slow(15)))
        .collect();
    let left: Vec<i64> = levels(&ledger, &all)
        .iter()
        .map(|level| level.left)
        .collect();
    assert_eq!(left, [15, 14, 13, 12, 11, 10]);
}

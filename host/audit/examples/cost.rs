//! What records cost: microseconds of whoever launches, and records a second, in each durability.
//!
//! `cargo run --release -p hotcell-audit --example cost`

#[expect(dead_code, reason = "tests use the rest")]
#[path = "../tests/audit/harness.rs"]
mod harness;

use harness::{Place, ended, record, report};
use hotcell_audit::{AuditLog, Durability};
use hotcell_model::audit::Audit;
use hotcell_model::outcome::Outcome;
use std::time::{Duration, Instant};

fn main() {
    for (name, durability, launches) in [
        (
            "batched, 100 ms",
            Durability::Batched(Duration::from_millis(100)),
            50_000,
        ),
        ("each record", Durability::EachRecord, 300),
    ] {
        let place = Place::new();
        let mut settings = place.settings();
        settings.durability = durability;
        let log = AuditLog::open(settings).expect("a log");
        let mut costs = Vec::new();
        let all = Instant::now();
        for number in 0..launches {
            let record = record(number);
            let report = report(&record, Outcome::done());
            let record = ended(&record, &report);
            let begun = Instant::now();
            log.begin(&record).expect("a record");
            let begin = begun.elapsed();
            log.finish(&record, &report);
            costs.push((begun.elapsed(), begin));
        }
        log.close().expect("a closed log");
        let rate = 2.0 * f64::from(u32::try_from(launches).unwrap_or(u32::MAX))
            / all.elapsed().as_secs_f64();
        costs.sort();
        let (both, begin) = costs[costs.len() / 2];
        let (high, _) = costs[costs.len() * 99 / 100];
        println!(
            "{name}: begin {begin:?}, both {both:?}, 99 in 100 below {high:?}, {rate:.0} records a second"
        );
        let verified = Instant::now();
        let found = place.verify();
        println!("  {:?} in {:?}", found.standing, verified.elapsed());
    }
}

//! Several processes at one bucket.

use crate::harness::*;
use hotcell_ledger::{Ledger, Rate};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

const PROCESSES: usize = 4;
const THREADS: u64 = 2;
const LASTS: Duration = Duration::from_millis(1200);

fn bucket() -> Rate {
    rate(20_000, 30_000, Duration::from_secs(1))
}

/// Launches of all sizes for a while; says what they used.
fn hammer(ledger: &Ledger, seed: u64) -> u64 {
    let (end, mut used, mut chance) = (Instant::now() + LASTS, 0, seed);
    while Instant::now() < end {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wanted = 1 + (chance >> 33) % 200;
        let uses = 1 + (chance >> 40) % wanted;
        match reserve(ledger, bucket(), wanted) {
            Ok(reservation) => {
                reservation.charge(&fuel(uses)).unwrap();
                used += uses;
            }
            Err(refused) => {
                let wait = refused.retry_after.unwrap();
                std::thread::sleep(wait.min(Duration::from_millis(1)));
            }
        }
    }
    used
}

#[test]
#[ignore = "a child's part"]
fn child_hammers() {
    let Some(path) = part() else { return };
    let ledger = Ledger::open(path).unwrap();
    let seed = u64::from(std::process::id());
    let used: u64 = std::thread::scope(|scope| {
        let ledger = &ledger;
        let start = |thread| scope.spawn(move || hammer(ledger, 1000 * seed + thread));
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    ledger.return_all().unwrap();
    let mut out = std::io::stdout();
    out.write_all(format!("\ncharged {used}\n").as_bytes())
        .unwrap();
}

#[test]
fn processes_together_never_have_more_than_contents_and_refill() {
    let bench = Bench::new();
    let began = SystemTime::now();
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| start("processes::child_hammers", &bench.path))
        .collect();
    let mut used = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        used += numbers(&output.stdout).sum::<u64>();
    }
    let lasted = began.elapsed().unwrap();
    let refilled = lasted.as_nanos() * 30_000 / 1_000_000_000;
    let most = 20_000 + u64::try_from(refilled).unwrap() + 1;
    assert!(used <= most, "{used} used, {most} there");
    // They had what there was, but for what came in while they started and ended.
    let least = 20_000 + 30_000 * u64::try_from(LASTS.as_millis()).unwrap() / 1000 / 2;
    assert!(used >= least, "{used} used, {least} were to be had");
}

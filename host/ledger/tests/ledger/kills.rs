//! Processes that are killed at any moment.

use crate::harness::*;
use hotcell_ledger::{Ledger, Rate};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

const ROUNDS: u64 = 60;
/// What a launch reserves at most.
const LARGEST: u64 = 500;
/// What a launch uses above that at most: more than a lease, so that it is written.
const OVERRUN: u64 = SIZE / 8;
const SIZE: u64 = 1 << 26;

/// By the standing clock of parent and children it does not fill.
fn bucket() -> Rate {
    slow(SIZE)
}

#[test]
#[ignore = "a child's part"]
fn child_charges_until_it_is_killed() {
    let Some(path) = part() else { return };
    let ledger = Ledger::open_with_clock(path, StandingClock::new()).unwrap();
    let mut chance = u64::from(std::process::id());
    let mut out = std::io::stdout().lock();
    out.write_all(b"\n").unwrap();
    loop {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wanted = 1 + (chance >> 33) % LARGEST;
        let used = match chance >> 57 {
            0 => wanted + (chance >> 30) % OVERRUN,
            _ => (chance >> 45) % wanted,
        };
        let Ok(reservation) = reserve(&ledger, bucket(), wanted) else {
            // In debt: nothing but the end comes.
            std::thread::park();
            continue;
        };
        reservation.charge(&fuel(used)).unwrap();
        out.write_all(format!("charged {used}\n").as_bytes())
            .unwrap();
        // So that the file is being written at any moment.
        if (chance >> 50) % 4 == 0 {
            ledger.return_all().unwrap();
        }
    }
}

#[test]
fn a_kill_gives_nothing_away_and_loses_no_charge() {
    let (rate, mut chance) = (bucket(), 7u64);
    for round in 0..ROUNDS {
        let bench = Bench::new();
        drop(bench.open());
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let lasts = Duration::from_micros((chance >> 33) % 20_000);
        let charged = charged_before_the_kill(&bench, lasts, round % 3 > 0);
        assert!(charged > 0 || round % 3 == 0);
        let left = i128::from(bench.left(rate));
        let gone = u64::try_from(i128::from(SIZE) - left).unwrap();
        assert!(
            gone >= charged,
            "round {round}: {charged} charged, {gone} gone"
        );
        // One lease, and the launch that was not heard of any more.
        let most = charged + SIZE / 16 + LARGEST + OVERRUN;
        assert!(
            gone <= most,
            "round {round}: {charged} charged, {gone} gone"
        );
    }
}

/// What a child has charged and said so until it was killed: so long after its first charge, or after its start.
fn charged_before_the_kill(bench: &Bench, lasts: Duration, is_awaited: bool) -> u64 {
    let mut child = start("kills::child_charges_until_it_is_killed", &bench.path);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (first, is_first) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        while out.read_until(b'\n', &mut text).unwrap() > 0 {
            if text.ends_with(b"\n") && numbers(&text).next().is_some() {
                let _ = first.send(());
                break;
            }
        }
        out.read_to_end(&mut text).unwrap();
        numbers(&text).sum()
    });
    if is_awaited {
        is_first.recv().unwrap();
    }
    std::thread::sleep(lasts);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

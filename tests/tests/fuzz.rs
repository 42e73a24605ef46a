//! Mutated components through everything that reads one before it runs: no panic, and no long wait.
//!
//! The seed is fixed, so a failure can be had again; `HOTCELL_FUZZ_SECONDS` makes it go on for longer.

use hotcell::limit::Limits;
use hotcell::manifest::Weight;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Component};
use hotcell_manifest::Manifest;
use hotcell_tests::{Guest, honest_request};
use std::time::{Duration, Instant};

/// What one input may take: a multiple of what the largest honest one takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The generator of Marsaglia's *Xorshift RNGs* (2003), with the shifts 13, 7, 17.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound.max(1)).unwrap_or(0)
    }

    /// Changes bytes in one of the ways in which files get broken, by accident or on purpose.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let byte = self.next().to_le_bytes()[0];
            match self.below(7) {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[at] ^= 1 << (byte & 7),
                1 => bytes[at] = byte,
                2 => bytes[at] = [0, 0x7f, 0x80, 0xff][usize::from(byte & 3)],
                3 => bytes.truncate(at),
                4 => bytes.insert(at, byte),
                5 => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    let end = (at + 1 + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
    }
}

/// Calls `one` with mutations of `seeds` until the time is up; returns how many there were.
pub(crate) fn fuzz(seed: u64, seeds: &[Vec<u8>], mut one: impl FnMut(Vec<u8>)) -> u64 {
    let seconds = std::env::var("HOTCELL_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5);
    let (begin, mut random, mut rounds) = (Instant::now(), Random(seed), 0);
    while begin.elapsed() < Duration::from_secs(seconds) {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        random.mutate(&mut bytes);
        let (began, len) = (Instant::now(), bytes.len());
        one(bytes);
        assert!(
            began.elapsed() < PATIENCE,
            "round {rounds}: {len} bytes took {:?}",
            began.elapsed()
        );
        rounds += 1;
    }
    rounds
}

fn components() -> Vec<Vec<u8>> {
    let names = [
        "honest",
        "table_growth",
        "memory_over_several",
        "log_forgery",
        "wants_random",
    ];
    let mut seeds: Vec<Vec<u8>> = names.map(|name| Guest::named(name).bytes()).to_vec();
    seeds.push(Guest::named("honest").split().bytes());
    seeds
}

#[test]
fn mutated_components_are_described_or_refused_in_one_line() {
    let cell = Cell::in_process().build().unwrap();
    let limits = Limits::defaults(Weight::Normal);
    let (mut described, mut refused) = (0u64, 0u64);
    let rounds = fuzz(0x5eed_0001, &components(), |bytes| {
        match cell.describe(&Component::new(bytes), &limits) {
            Ok(_) => described += 1,
            Err(outcome) => {
                let is_told = !outcome.message.is_empty();
                assert!(
                    is_told && outcome.kind != OutcomeKind::HostFault,
                    "{outcome:?}"
                );
                if let Some(breach) = outcome.breach() {
                    assert!(breach.amount.value() > breach.maximum);
                }
                refused += 1;
            }
        }
    });
    assert!(
        rounds > 100 && described > 0 && refused > 0,
        "{rounds}, {described}, {refused}"
    );
}

#[test]
fn mutated_components_that_are_run_end_in_an_outcome_that_is_not_the_hosts_fault() {
    let cell = Cell::in_process().build().unwrap();
    fuzz(0x5eed_0002, &components(), |bytes| {
        let request = honest_request().limit(hotcell::limit::Limit::Fuel, 100_000);
        let ended = cell.run(&Component::new(bytes.clone()), request);
        let kind = ended.outcome.kind;
        let hosts = matches!(
            kind,
            OutcomeKind::HostFault | OutcomeKind::Budget | OutcomeKind::Io
        );
        assert!(!hosts, "{:?} by {bytes:?}", ended.outcome);
        assert!(
            !ended.outcome.message.chars().any(char::is_control),
            "{:?}",
            ended.outcome
        );
    });
}

#[test]
fn mutated_manifests_are_read_or_refused() {
    let guest = Guest::named("honest").split();
    let seeds = [
        guest.manifest(),
        guest
            .clone()
            .record(|record| {
                record.signature = "(m,k),(k,n)->(m,n,3)".into();
                record.cost = Some("max(2*m, log2ceil(n)) / (k + 1)".into());
                record.limits.timeout = Some("200ms".into());
            })
            .manifest(),
    ];
    let mut read = 0u64;
    let rounds = fuzz(0x5eed_0003, &seeds, |bytes| {
        if let Ok(manifest) = Manifest::decode(&bytes) {
            let again = Manifest::decode(&manifest.encode()).expect("what was read can be written");
            assert_eq!(again, manifest);
            read += 1;
        }
    });
    assert!(rounds > 1000 && read > 0, "{rounds}, {read}");
}

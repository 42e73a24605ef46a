//! The pass against Cranelift's own canonicalisation, on small modules by hand and on generated ones.

mod dense;
mod effort;
mod harness;
mod random;
mod rules;
mod smith;
mod whole;

use harness::Harness;
use random::Random;
use std::time::{Duration, Instant};

/// How long generated modules are tried, each kind.
fn budget() -> Duration {
    let seconds = std::env::var("HOTCELL_FUZZ_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(5))
}

/// Tries modules until the time is up; how many, how many ran, and of every 32nd how many differ if they are left as they are.
fn mutated(mut make: impl FnMut(&mut Random) -> Option<Vec<u8>>) -> [u64; 3] {
    let first = std::env::var("HOTCELL_FUZZ_SEED").ok();
    let first: u64 = first.and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    let (harness, begin, mut counts) = (Harness::new(), Instant::now(), [0; 3]);
    while begin.elapsed() < budget() {
        let seed = first + counts[0];
        counts[0] += 1;
        let Some(module) = make(&mut Random::new(seed)) else {
            continue;
        };
        let Some(seen) = harness.compare(&module, seed) else {
            continue;
        };
        counts[1] += 1;
        if counts[0] % 32 == 0 && harness.differs_untreated(&module, seed, &seen) {
            counts[2] += 1;
        }
    }
    println!("{counts:?} from seed {first}");
    counts
}

#[test]
fn mutated_arithmetic_gives_the_bits_of_cranelifts_canonicalisation() {
    let [tried, ran, differ] = mutated(|random| Some(dense::module(random)));
    assert!(ran * 2 > tried, "{ran} of {tried} ran");
    assert!(
        differ * 8 >= tried / 32,
        "{differ} of {tried} differ untreated"
    );
}

#[test]
fn mutated_modules_of_every_form_give_the_bits_of_cranelifts_canonicalisation() {
    let [tried, ran, _] = mutated(smith::module);
    assert!(ran > 0, "{ran} of {tried} ran");
}

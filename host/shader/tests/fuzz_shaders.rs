//! Fuzzing of admission and the fuel pass, on the stable toolchain and from a fixed seed.
//!
//! Shaders of both corpora are mutated by bytes and by tokens. No text may make admission or the pass panic, and
//! what is admitted must be valid once it is instrumented. The slowest admission is printed with its text: it is
//! where to look for bombs. `HOTCELL_FUZZ_SECONDS` sets the budget (default 5).

#[expect(dead_code, reason = "the corpus' own tests use the rest")]
#[path = "corpus/header.rs"]
mod header;

use header::{Shader, load};
use hotcell_shader::admission::{AdmissionLimits, admit};
use hotcell_shader::fuel::{FuelOptions, InstrumentError, instrument};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

const SEED: u64 = 0x5eed_0006_90f5;
/// What one text may take in an unoptimised build.
const PATIENCE: Duration = Duration::from_secs(20);

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("it fits");
        usize::try_from(self.next() % bound).expect("it is below a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Words, numbers, signs and blanks; together they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |char: char| match first {
            _ if first.is_alphanumeric() || first == '_' => char.is_alphanumeric() || char == '_',
            _ if first.is_whitespace() => char.is_whitespace(),
            _ => false,
        };
        let end = rest[first.len_utf8()..].find(|char| !same(char));
        let end = end.map_or(rest.len(), |end| end + first.len_utf8());
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// What is put in where a token was.
const SPLICES: &[&str] = &[
    "0u",
    "1u",
    "-1",
    "4294967295u",
    "2147483647",
    "0.0",
    "1e38",
    "loop {",
    "}",
    "{",
    "(",
    ")",
    "break;",
    "continue;",
    "return;",
    "workgroupBarrier();",
    "continuing {",
    "break if true;",
    "&",
    "*",
    "[",
    "]",
    "array<u32, 65536>",
    "vec4u",
    "atomic<u32>",
    "subgroupAdd(1u)",
    "workgroupUniformLoad(",
    "switch",
    "ptr",
    "var<workgroup> w: array<u32, 4>;",
    "const",
    "override",
    "@workgroup_size(1)",
    "enable f16;",
    "<",
    ">",
];

fn mutate_tokens(rng: &mut Rng, text: &str, other: &str) -> String {
    let (mut kept, others) = (tokens(text), tokens(other));
    for _ in 0..=rng.below(4) {
        if kept.is_empty() {
            break;
        }
        let (at, to) = (rng.below(kept.len()), rng.below(kept.len()));
        match rng.below(6) {
            0 => drop(kept.remove(at)),
            1 => kept.insert(at, kept[to]),
            2 => kept.swap(at, to),
            3 => kept[at] = *rng.pick(SPLICES),
            4 => kept[at] = *rng.pick(&others),
            _ => {
                let start = rng.below(others.len());
                let end = (start + 1 + rng.below(40)).min(others.len());
                kept.splice(at..at, others[start..end].iter().copied());
            }
        }
    }
    kept.concat()
}

fn mutate_bytes(rng: &mut Rng, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len());
        let byte = rng.next().to_le_bytes()[0];
        match rng.below(4) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => {
                let end = (at + rng.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Admits and instruments a text; whether it was taken.
fn read(seed: &Shader, wgsl: &str, options: FuelOptions) -> bool {
    let entry = seed.entries().first().copied().unwrap_or("main");
    let Ok(admitted) = admit(
        wgsl,
        entry,
        &seed.constants(),
        &AdmissionLimits::by_default(),
    ) else {
        return false;
    };
    let instrumented = match instrument(&admitted, options) {
        Err(InstrumentError::TooManyTurns { .. }) => return false,
        instrumented => instrumented.expect("what is admitted can be instrumented"),
    };
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&instrumented.module)
        .expect("what is instrumented is valid");
    true
}

fn budget() -> Duration {
    let seconds = std::env::var("HOTCELL_FUZZ_SECONDS");
    Duration::from_secs(seconds.map_or(5, |text| text.parse().expect("a number of seconds")))
}

#[test]
fn no_text_makes_admission_or_the_pass_panic() {
    let mut seeds = load("honest");
    seeds.extend(load("hostile"));
    let (mut rng, end) = (Rng(SEED), Instant::now() + budget());
    let (mut texts, mut accepted, mut slowest) = (0u64, 0u64, (Duration::ZERO, String::new()));
    while Instant::now() < end {
        let (seed, other) = (rng.pick(&seeds), rng.pick(&seeds));
        let wgsl = match rng.below(4) {
            0 => mutate_bytes(&mut rng, &seed.wgsl),
            _ => mutate_tokens(&mut rng, &seed.wgsl, &other.wgsl),
        };
        let (profile, force) = (rng.below(2) == 0, rng.below(4) == 0);
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            read(
                seed,
                &wgsl,
                FuelOptions {
                    profile,
                    force,
                    turns: profile.then_some(65_535),
                    has_subgroups: force,
                },
            )
        }));
        let elapsed = start.elapsed();
        let was_accepted = outcome.unwrap_or_else(|_| panic!("panic on {}:\n{wgsl}", seed.name));
        assert!(elapsed < PATIENCE, "{elapsed:?} for {}:\n{wgsl}", seed.name);
        texts += 1;
        accepted += u64::from(was_accepted);
        if elapsed > slowest.0 {
            slowest = (elapsed, format!("{}:\n{wgsl}", seed.name));
        }
    }
    println!(
        "{texts} texts, {accepted} admitted, slowest {:?} for {}",
        slowest.0, slowest.1
    );
    assert!(
        accepted > 0 && accepted < texts,
        "the mutations are too mild or too wild"
    );
}

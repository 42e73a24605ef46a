//! Fuzzing of everything that reads a file, on the stable toolchain and from a fixed seed.
//!
//! Valid files are mutated, by structure and blindly, and read. No input may panic, be read as something of
//! another size than its header says, or make the decoders hold more than the limit allows: a counting allocator
//! proves the last. `HOTCELL_FUZZ_SECONDS` sets the budget (default 5).

mod allocator;
mod mutate;
mod seeds;

use hotcell_formats::{Locator, ReadLimits, open};
use mutate::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

const SEED: u64 = 0x5eed_f11e;
const LIMITS: ReadLimits = ReadLimits { max_bytes: 1 << 20 };

/// Reads one file as the command would; whether it was accepted.
fn read(path: &Path, locator: &Locator) -> bool {
    let Ok(reader) = open(locator, &LIMITS) else {
        return false;
    };
    let size_bytes = reader.ty().size_bytes();
    if let Ok(Some((file, offset))) = reader.as_file_range() {
        let file_bytes = file.metadata().expect("the file is open").len();
        assert!(offset + size_bytes <= file_bytes, "a range beyond {path:?}");
    }
    match reader.read_all() {
        Ok(data) => {
            assert!(data.len() as u64 == size_bytes && size_bytes <= LIMITS.max_bytes);
            true
        }
        Err(_) => false,
    }
}

/// Writes the input, reads it, and returns whether it was accepted and the most bytes held meanwhile.
fn check(directory: &Path, target: &seeds::Seed, input: &[u8]) -> (bool, usize) {
    let path = directory.join(target.file);
    std::fs::write(&path, input).expect("the directory is ours");
    let text = format!("@{}{}", path.display(), target.member);
    let locator = Locator::parse(&text).expect("the name is fixed");
    let before = allocator::start();
    let outcome = catch_unwind(AssertUnwindSafe(|| read(&path, &locator)));
    let peak = allocator::peak() - before;
    // A file that is new each time: file systems flush one that is truncated and written again.
    std::fs::remove_file(&path).expect("the directory is ours");
    let accepted = outcome.unwrap_or_else(|_| panic!("panic on {}: {input:02x?}", target.file));
    assert!(
        peak <= target.kind.peak_bytes(LIMITS),
        "{peak} bytes held for {}: {input:02x?}",
        target.file
    );
    (accepted, peak)
}

fn budget() -> Duration {
    let seconds = std::env::var("HOTCELL_FUZZ_SECONDS");
    Duration::from_secs(seconds.map_or(5, |text| text.parse().expect("a number of seconds")))
}

#[test]
fn no_file_panics_or_holds_more_than_the_limit() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let seeds = seeds::all();
    for seed in &seeds {
        let (accepted, _) = check(directory.path(), seed, &seed.bytes);
        assert!(accepted, "the valid file {} was refused", seed.name);
    }
    let (mut rng, end) = (Rng::new(SEED), Instant::now() + budget());
    let (mut iterations, mut accepted, mut highest) = (0u64, 0u64, 0);
    while Instant::now() < end {
        let seed = rng.pick(&seeds);
        let input = mutate::mutate(&mut rng, seed);
        let (was_accepted, peak) = check(directory.path(), seed, &input);
        iterations += 1;
        accepted += u64::from(was_accepted);
        highest = highest.max(peak);
    }
    println!("{iterations} inputs, {accepted} accepted, {highest} bytes held at most");
    assert!(
        accepted > 0 && accepted < iterations,
        "the mutations are too mild or too wild"
    );
}

//! `cargo xtask nightly`: what is slow and rarely tells anything new, on the way to a release.

use crate::attack::AttackChore;
use crate::bench::BenchChore;
use crate::process::{cargo, run};
use crate::python::PythonTestChore;
use crate::workers::build_host;
use anyhow::Result;
use clap::Args;

/// The tests that take longer when asked to, by a part of their names.
const SLOW: [&str; 10] = [
    "mutated",
    "no_text_makes",
    "no_file_panics",
    "interpreted_shaders",
    "barriers_are_met",
    "a_device_does",
    "soak",
    "chunks_that_fail",
    "no_launch_finds",
    "thousands_of_launches",
];

/// Run the whole attack corpus, every measurement once, the Python package's tests with its engines, long fuzzing, many generated shaders and many rounds of what
/// threads can get wrong.
#[derive(Args)]
pub(crate) struct NightlyChore {
    /// Seconds for each fuzz target
    #[arg(long, default_value_t = 600)]
    fuzz_seconds: u32,
    /// Rounds of each way in which one of many chunks can fail
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Launches of each kernel on a busy machine
    #[arg(long, default_value_t = 1_000)]
    soak: u32,
    /// Launches that look for what earlier ones had in mapped arrays
    #[arg(long, default_value_t = 100_000)]
    mapped_launches: u32,
    /// Launches through the daemon
    #[arg(long, default_value_t = 20_000)]
    daemon_launches: u32,
    /// Generated shaders
    #[arg(long, default_value_t = 10_000)]
    shaders: u32,
}

impl NightlyChore {
    /// Runs them one after the other; the first that fails ends the chore.
    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        AttackChore::default().run()?;
        BenchChore::quick().run()?;
        PythonTestChore::thorough().run()?;
        let mut tests = cargo();
        tests
            .env("HOTCELL_FUZZ_SECONDS", self.fuzz_seconds.to_string())
            .env("HOTCELL_CHUNK_ROUNDS", self.rounds.to_string())
            .env("HOTCELL_SOAK_RUNS", self.soak.to_string())
            .env("HOTCELL_MAPPED_LAUNCHES", self.mapped_launches.to_string())
            .env("HOTCELL_DAEMON_LAUNCHES", self.daemon_launches.to_string())
            .env("HOTCELL_SHADERS", self.shaders.to_string())
            .args([
                "test",
                "--release",
                "--workspace",
                "--exclude",
                "xtask",
                "--locked",
            ])
            .args(["--lib", "--bins", "--tests", "--"])
            .args(SLOW);
        run(&mut tests)
    }
}

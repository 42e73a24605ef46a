//! The project's chores: `cargo xtask <chore>`. CONTRIBUTING.md lists them.

mod bench;
mod check;
mod demo;
mod kernels;
mod process;
mod test;
mod twins;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's chores.
#[derive(Parser)]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build host and kernels, run kernels on real input, leave pictures and arrays in demo/
    Demo,
    /// Run every test
    Test(test::TestChore),
    /// Put each kernel's component at target/kernels/NAME.wasm
    Kernels(kernels::KernelsChore),
    /// Build each kernel's native twins into target/twins/{baseline,native}
    Twins,
    /// Measure, and print the tables of docs/performance.md
    Bench(bench::BenchChore),
    /// Formatting, lints, documentation and licences
    Check,
}

fn main() -> ExitCode {
    let done = match Xtask::parse().chore {
        Chore::Demo => demo::demo(),
        Chore::Test(chore) => chore.run(),
        Chore::Kernels(chore) => chore.run(),
        Chore::Bench(chore) => chore.run(),
        Chore::Twins => twins::build_all(),
        Chore::Check => check::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

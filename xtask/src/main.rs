//! The project's chores: `cargo xtask <chore>`. CONTRIBUTING.md lists them.

mod attack;
mod bench;
mod check;
mod circles;
mod demo;
mod install;
mod kernels;
mod licenses;
mod nightly;
mod process;
mod python;
mod test;
mod twins;
mod unprivileged;
mod wheel;
mod workers;

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
    /// Run the tests of the walls again, as the user nobody
    TestUnprivileged(unprivileged::UnprivilegedChore),
    /// Put each kernel's component at target/kernels/NAME.wasm
    Kernels(kernels::KernelsChore),
    /// Put the confined processes at target/libexec/hotcell, where the command finds them
    Workers,
    /// Put the command, its workers and its documents below a prefix
    Install(install::InstallChore),
    /// Build the Python package: the library, the workers and the command in one wheel
    Wheel(wheel::WheelChore),
    /// Install the wheel into a fresh virtual environment, and run the package's tests there
    TestPython(python::PythonTestChore),
    /// Build each kernel's native twins into target/twins/{baseline,native}
    Twins,
    /// Measure, and print the tables of docs/performance.md
    Bench(bench::BenchChore),
    /// Attack an installed hotcell with the whole corpus, and leave a dated report in target/attack
    Attack(attack::AttackChore),
    /// What is slow and rarely tells anything new: the whole attack corpus, long fuzzing, many rounds
    Nightly(nightly::NightlyChore),
    /// Formatting, lints, documentation and licences
    Check,
}

fn main() -> ExitCode {
    if let Err(error) = workers::wrap_rustc() {
        eprintln!("xtask: {error:#}");
        return ExitCode::FAILURE;
    }
    let done = match Xtask::parse().chore {
        Chore::Demo => demo::demo(),
        Chore::Test(chore) => chore.run(),
        Chore::TestUnprivileged(chore) => chore.run(),
        Chore::Kernels(chore) => chore.run(),
        Chore::Bench(chore) => chore.run(),
        Chore::Attack(chore) => chore.run(),
        Chore::Install(chore) => chore.run(),
        Chore::Nightly(chore) => chore.run(),
        Chore::Wheel(chore) => chore.run(),
        Chore::TestPython(chore) => chore.run(),
        Chore::Workers => workers::build_all(),
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

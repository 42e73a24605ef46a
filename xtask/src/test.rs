//! `cargo xtask test`

use crate::process::{cargo, run};
use crate::workers::build_host;
use crate::{kernels, twins};
use anyhow::Result;
use clap::Args;

/// Run every test.
#[derive(Args)]
pub(crate) struct TestChore {
    /// Passed on to the tests: a filter, or --nocapture
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl TestChore {
    /// Builds the command and the kernels, which the tests run, and then runs the tests.
    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        kernels::build_all()?;
        twins::build_baseline()?;
        let mut tests = cargo();
        tests.args(test(&["--lib", "--bins", "--tests"]));
        run(tests.arg("--").args(&self.arguments))?;
        // The kernels have no examples in their documentation, and are half of the workspace.
        let mut examples = cargo();
        examples.args(test(&["--doc"]));
        for kernel in [kernels::names()?, kernels::gpu_names()?].concat() {
            examples.args(["--exclude", &kernel]);
        }
        run(examples.arg("--").args(&self.arguments))?;
        // The C symbols of native twins, which no other build of the workspace has.
        let mut symbols = cargo();
        symbols.args(["test", "--release", "--locked", "--package"]);
        symbols.args(["hotcell-guest", "--features", "hotcell-guest/symbols"]);
        run(symbols
            .args(["--test", "symbols", "--"])
            .args(&self.arguments))?;
        // GPU sessions without their checks: containment alone must hold. All else is as it was built.
        let mut unchecked = cargo();
        unchecked.args(test(&["--features", "hotcell-gpu/unchecked"]));
        run(unchecked
            .args(["--test", "corpus", "--"])
            .args(self.arguments))
    }
}

/// cargo's words for a test of the whole workspace: every other selection has other features. `xtask` is running, so
/// that its executable cannot be replaced meanwhile.
fn test<'a>(what: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "test",
        "--release",
        "--workspace",
        "--exclude",
        "xtask",
        "--locked",
    ];
    words.extend(what);
    words
}

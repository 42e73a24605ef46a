//! `cargo xtask test`

use crate::process::{build_host, cargo, run};
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
        twins::build_all()?;
        let mut tests = cargo();
        // `xtask` is running: its executable cannot be replaced meanwhile.
        tests.args([
            "test",
            "--release",
            "--workspace",
            "--exclude",
            "xtask",
            "--locked",
            "--",
        ]);
        run(tests.args(&self.arguments))?;
        // GPU sessions without their checks: containment alone must hold.
        let mut unchecked = cargo();
        unchecked
            .args(["test", "--release", "--locked", "--package", "hotcell-gpu"])
            .args(["--features", "unchecked", "--test", "corpus", "--"]);
        run(unchecked.args(self.arguments))
    }
}

//! `cargo xtask bench`

use crate::process::{command, run, target};
use crate::workers::build_host;
use crate::{kernels, twins};
use anyhow::Result;
use clap::Args;

/// Measure, and print the tables of docs/performance.md.
#[derive(Args)]
pub(crate) struct BenchChore {
    /// Passed on to the benchmark program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl BenchChore {
    /// Measures everything a few times: to see that it can be measured.
    pub(crate) fn quick() -> Self {
        Self {
            arguments: vec!["--quick".to_owned()],
        }
    }

    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        kernels::build_all()?;
        twins::build_all()?;
        run(command(target().join("release/hotcell-bench")).args(self.arguments))
    }
}

//! `cargo xtask attack`: the regular penetration test.

use crate::kernels;
use crate::process::{command, hotcell, run, target};
use crate::workers::build_host;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Attack an installed hotcell with the whole corpus, and leave a dated report.
#[derive(Args, Default)]
pub(crate) struct AttackChore {
    /// The hotcell to attack [default: the one built here]
    #[arg(long, value_name = "PATH")]
    hotcell: Option<PathBuf>,
    /// Where the report goes [default: target/attack]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Passed on to hotcell-attack: --quick, --only, --tier, --workers, --isolation
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl AttackChore {
    /// Builds the attacker, and the attacked where no other is named.
    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        // One of them is the guest that attacks GPUs.
        kernels::build_all()?;
        let here = |path: PathBuf| std::path::absolute(path);
        let attacked = self.hotcell.map(here).transpose()?.unwrap_or_else(hotcell);
        let out = self.out.map(here).transpose()?;
        run(command(target().join("release/hotcell-attack"))
            .arg("--hotcell")
            .arg(attacked)
            .arg("--out")
            .arg(out.unwrap_or_else(|| target().join("attack")))
            .args(self.arguments))
    }
}

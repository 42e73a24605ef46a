//! `cargo xtask check`: what is wrong without running anything.

use crate::process::{cargo, run};
use anyhow::Result;

/// Formatting, lints, documentation and licences; everything but the tests.
pub(crate) fn check() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--workspace",
        "--no-deps",
        "--locked",
    ]))?;
    run(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

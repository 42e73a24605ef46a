//! `cargo xtask check`: what can be said without running the code.

use crate::circles;
use crate::process::{cargo, root, run};
use anyhow::Result;

/// Imports between rooms, formatting, lints, documentation, and the licences and sources of dependencies.
///
/// In the release profile throughout: what is checked is what is built.
pub(crate) fn check() -> Result<()> {
    circles::check(root())?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        // The programs of the workers too.
        "--features",
        "hotcell-compiler/worker,hotcell-runner/worker",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut doc = cargo();
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc.args([
        "doc",
        "--release",
        "--workspace",
        // As for clippy, so that both look at the same units.
        "--features",
        "hotcell-compiler/worker,hotcell-runner/worker",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]))?;
    // Of every platform, so that the check itself needs no network.
    run(cargo().args(["fetch", "--locked"]))?;
    run(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

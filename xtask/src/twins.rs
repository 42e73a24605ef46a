//! `cargo xtask twins`: each kernel's own source as shared libraries for the host.
//!
//! The flags are those of `hotcell build`, without what is Wasm's: optimisation, fat LTO over one unit,
//! arithmetic that wraps. Each kernel is built twice, for the architecture's baseline and for this
//! machine's CPU, since a ratio to either alone can be doubted.

use crate::kernels::names;
use crate::process::{cargo, command, run, target};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// The profile's settings, as values of cargo's `--config`.
const SETTINGS: [&str; 6] = [
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.opt-level=3",
    "profile.release.overflow-checks=false",
    "profile.release.debug=false",
    "profile.release.build-override.debug=false",
];

/// The folder's name and the compiler's flags of each level.
const LEVELS: [(&str, &str); 2] = [BASELINE, ("native", "-Ctarget-cpu=native")];
const BASELINE: (&str, &str) = ("baseline", "");

/// Builds every kernel's twins into `target/twins/{baseline,native}`.
pub(crate) fn build_all() -> Result<()> {
    build_levels(&LEVELS)
}

/// Builds every kernel's baseline twin, the one that tests compare with.
pub(crate) fn build_baseline() -> Result<()> {
    build_levels(&[BASELINE])
}

fn build_levels(levels: &[(&str, &str)]) -> Result<()> {
    let host = host_triple()?;
    let names = names()?;
    for (level, flags) in levels {
        let folder = target().join("twins").join(level);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for name in &names {
            let built = build(name, &host, flags)?;
            let twin = folder.join(library(name));
            // A new file in place of the old one: somebody may have that mapped.
            let fresh = twin.with_extension("new");
            std::fs::copy(&built, &fresh).with_context(|| built.display().to_string())?;
            std::fs::rename(&fresh, &twin).with_context(|| twin.display().to_string())?;
        }
    }
    Ok(())
}

/// Compiles one twin. An explicit target keeps the flags away from the macros, so that both levels
/// share those; a target folder of its own keeps other builds as they are.
fn build(name: &str, host: &str, flags: &str) -> Result<PathBuf> {
    let folder = target().join("twins-build");
    let mut cargo = cargo();
    cargo.args([
        "rustc",
        "--quiet",
        "--package",
        name,
        "--lib",
        "--crate-type",
        "cdylib",
        "--features",
        "hotcell-guest/symbols",
    ]);
    cargo
        .args(["--release", "--locked", "--target", host])
        .arg("--target-dir")
        .arg(&folder);
    for setting in SETTINGS {
        cargo.args(["--config", setting]);
    }
    cargo
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", flags);
    run(&mut cargo)?;
    Ok(folder.join(host).join("release").join(library(name)))
}

/// The file name of a crate's shared library.
fn library(name: &str) -> String {
    let crate_name = name.replace('-', "_");
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    format!("{prefix}{crate_name}{suffix}")
}

/// The triple that rustc builds for by itself.
fn host_triple() -> Result<String> {
    let output = command("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(triple) => Ok(triple.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}

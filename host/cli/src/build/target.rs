//! The compiler's target for Wasm: whether it is there, and how it gets there.

use super::flags::TARGET;
use anyhow::{Context as _, Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes sure that the project's compiler can compile for Wasm; gives its sysroot.
///
/// A missing target is added with rustup, to the toolchain that the project's folder selects. Where cargo
/// is told to build the standard library itself, nothing needs to be there.
///
/// # Errors
/// If there is no compiler, or no way to get the target, with what to do.
pub(crate) fn prepare(folder: &Path) -> Result<PathBuf> {
    let (sysroot, library) = ask_rustc(folder)?;
    let builds_std = env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some();
    if !library.exists() && !builds_std {
        add(folder)?;
    }
    Ok(sysroot)
}

/// The sysroot, and where the target's standard library would be.
fn ask_rustc(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args([
            "--target",
            TARGET,
            "--print",
            "sysroot",
            "--print",
            "target-libdir",
        ])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start rustc: install Rust with rustup (https://rustup.rs)")?;
    let text = String::from_utf8(output.stdout).context("rustc's paths are not UTF-8")?;
    match text.lines().collect::<Vec<_>>()[..] {
        [sysroot, library] if output.status.success() => Ok((sysroot.into(), library.into())),
        _ => bail!("rustc does not know the target {TARGET}"),
    }
}

fn add(folder: &Path) -> Result<()> {
    let status = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            bail!("`rustup target add {TARGET}` failed: run it yourself where there is a network")
        }
        Err(_) => bail!(
            "the Rust target {TARGET} is missing: install rustup, or on Debian rustc-web, cargo-web and \
             rust-web-src and set RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort"
        ),
    }
}

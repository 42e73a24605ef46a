//! The compiler's target for Wasm: whether it is there, and how it gets there.

use crate::flags::Target;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::string::FromUtf8Error;
use std::{env, io};

/// The project's compiler.
#[derive(Debug)]
pub struct Toolchain {
    /// Where it is installed.
    pub(crate) sysroot: PathBuf,
    /// Its version's hash, where the standard library's source is installed beside it: that source then
    /// stands in messages in place of `/rustc/HASH`.
    pub(crate) source_of: Option<String>,
}

/// Why a project cannot be compiled for Wasm on this machine.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// There is no compiler.
    #[error("cannot start rustc: install Rust with rustup (https://rustup.rs)")]
    Start(#[source] io::Error),
    /// The compiler is too old, or is none.
    #[error("rustc does not know the target {0}")]
    UnknownTarget(&'static str),
    /// The compiler's folders cannot be named.
    #[error("rustc's paths are not UTF-8")]
    NotUtf8(#[source] FromUtf8Error),
    /// The compiler answers something else than what it was asked.
    #[error("rustc does not say where it is installed")]
    NoSysroot,
    /// rustup could not add the target.
    #[error("`rustup target add {0}` failed: run it yourself where there is a network")]
    Rustup(&'static str),
    /// The target is not there, and nor is rustup.
    #[error(
        "the Rust target {0} is missing: install rustup, or on Debian rustc-web, cargo-web and \
         rust-web-src and set RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort"
    )]
    NoTarget(&'static str),
}

impl Toolchain {
    /// Makes sure that the project's compiler can compile for Wasm.
    ///
    /// A missing target is added with rustup, to the toolchain that the project's folder selects. Where cargo
    /// is told to build the standard library itself, nothing needs to be there.
    ///
    /// # Errors
    /// If there is no compiler, or no way to get the target, with what to do.
    pub fn prepare(folder: &Path, target: Target) -> Result<Self, ToolchainError> {
        let triple = target.triple();
        let print = ["--print", "sysroot", "--print", "target-libdir"];
        let asked = [&["--target", triple], &print[..]].concat();
        let answer = ask_rustc(folder, triple, &asked)?;
        let [sysroot, library] = answer.lines().collect::<Vec<_>>()[..] else {
            return Err(ToolchainError::NoSysroot);
        };
        let builds_std = env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some();
        if !Path::new(library).exists() && !builds_std {
            add(folder, triple)?;
        }
        let mut toolchain = Self {
            sysroot: sysroot.into(),
            source_of: None,
        };
        if toolchain.source().exists() {
            let version = ask_rustc(folder, triple, &["-vV"])?;
            let hash = version
                .lines()
                .find_map(|line| line.strip_prefix("commit-hash: "));
            toolchain.source_of = hash.map(str::to_owned);
        }
        Ok(toolchain)
    }

    /// The standard library's source, if it is installed.
    pub(crate) fn source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }
}

fn ask_rustc(
    folder: &Path,
    triple: &'static str,
    arguments: &[&str],
) -> Result<String, ToolchainError> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(arguments)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(ToolchainError::Start)?;
    if !output.status.success() {
        return Err(ToolchainError::UnknownTarget(triple));
    }
    String::from_utf8(output.stdout).map_err(ToolchainError::NotUtf8)
}

fn add(folder: &Path, triple: &'static str) -> Result<(), ToolchainError> {
    let status = Command::new("rustup")
        .args(["target", "add", triple])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(ToolchainError::Rustup(triple)),
        Err(_) => Err(ToolchainError::NoTarget(triple)),
    }
}

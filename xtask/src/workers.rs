//! `cargo xtask workers`: the confined processes, each built on its own.
//!
//! Cargo unifies features over what is built together, and would put a compiler into the runner. Compiler and
//! runner are static: they start faster, and there is no loader left in a process whose code must never change.
//! The GPU worker loads its driver, and is an ordinary program of the workspace.

use crate::process::{cargo, root, run, target};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Code at fixed addresses and without a loader: the program is in memory sooner.
const RUSTFLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static";
/// A triple of its own keeps these flags away from build scripts and macros.
#[cfg(target_arch = "aarch64")]
const TRIPLE: &str = "aarch64-unknown-linux-gnu";
#[cfg(not(target_arch = "aarch64"))]
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

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

/// Builds them, checks what is in them, and puts them where the command looks.
pub(crate) fn build_all() -> Result<()> {
    let directory = directory();
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    for (package, program) in PROGRAMS {
        let built = build(package, program)?;
        check_compiler(&built, program == "hotcell-compiler")?;
        install(&built, &directory.join(program))?;
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
    let target = target().join("workers");
    let mut build = cargo();
    build
        .env("RUSTFLAGS", RUSTFLAGS)
        .args([
            "build",
            "--profile",
            "worker",
            "--locked",
            "--features",
            "worker",
        ])
        .args(["--package", package, "--bin", program, "--target", TRIPLE])
        .arg("--target-dir")
        .arg(&target);
    run(&mut build)?;
    Ok(target.join(TRIPLE).join("worker").join(program))
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

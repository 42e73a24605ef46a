//! Every kernel at its listed sizes, through the real command and in every metering mode.
//!
//! Each result is held against the kernel's native twin: to the bit where `cases.toml` says so, else
//! within the case's tolerance. Each kernel crate's own tests hold the native form against its
//! `reference` at the listed size, and so the result is held against the reference too.

mod deterministic;
mod foretold;
mod gpu;
mod pictures;
mod streaming;

use anyhow::{Context, Result, ensure};
use hotcell::Metering;
use hotcell_cases::compare::compare;
use hotcell_cases::{Argument, Arguments, Case, Level, Twin};
use hotcell_formats::{Locator, ReadLimits};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One test for each kernel, and a test that none is missing.
macro_rules! kernels {
    ($($name:ident),* $(,)?) => {
        mod passes_its_checks_in_every_mode {
            $(#[test]
            fn $name() {
                super::check(stringify!($name)).unwrap_or_else(|error| panic!("{error:#}"));
            })*
        }

        #[test]
        fn every_kernel_has_its_test() {
            assert_eq!(hotcell_cases::kernels().unwrap(), [$(stringify!($name)),*]);
        }
    };
}

kernels! {
    attention, dot, edges, fft, floyd_warshall, gemm, histogram, jacobi_2d, julia, layernorm,
    mandelbrot, monte_carlo, mpm88, nbody, prefix_scan, radix_sort, saxpy, sha256, softmax, spmv, sum,
}

/// Runs every case of a kernel.
fn check(kernel: &str) -> Result<()> {
    let twin = Twin::load(kernel, Level::Baseline)?;
    let folder = tempfile::tempdir()?;
    for case in Case::load(kernel)? {
        let entry = twin.manifest().kernel(&case.entry).context("the entry")?;
        let given = case.arguments(kernel, entry)?;
        let mut wanted = given.clone();
        twin.run(&mut wanted)?;
        write_inputs(folder.path(), &given)?;
        for metering in Metering::ALL {
            run(kernel, metering, folder.path(), &given)
                .and_then(|()| check_outputs(folder.path(), &case, &wanted))
                .with_context(|| format!("{kernel}, case {}, {metering}", case.name))?;
        }
    }
    Ok(())
}

fn check_outputs(folder: &Path, case: &Case, wanted: &Arguments) -> Result<()> {
    for output in wanted.outputs() {
        let tolerance = case.twin_tolerance(&output.name);
        let path = output_file(folder, output);
        let got = read(&path, &output.ty)?;
        // The next mode must not pass on this one's file.
        std::fs::remove_file(&path)?;
        compare(&output.ty, &got, output.data.bytes(), tolerance)
            .with_context(|| format!("output `{}`", output.name))?;
    }
    Ok(())
}

/// Runs the command on the arguments' files.
fn run(kernel: &str, metering: Metering, folder: &Path, arguments: &Arguments) -> Result<()> {
    let mut command = hotcell(folder);
    command
        .arg("run")
        .arg(hotcell_cases::component(kernel))
        .arg(arguments.kernel.name());
    command.args([
        "--quiet",
        "--timeout",
        "120s",
        "--metering",
        metering.name(),
    ]);
    add_arguments(&mut command, folder, arguments);
    succeed(&mut command)
}

/// Names everything that the launch is given and gives.
fn add_arguments(command: &mut Command, folder: &Path, arguments: &Arguments) {
    for (name, extent) in &arguments.dims {
        command.args(["--dim", &format!("{name}={extent}")]);
    }
    for (name, value) in &arguments.scalars {
        command.args(["--in", &format!("{name}={value}")]);
    }
    for input in arguments.inputs() {
        let path = input_file(folder, input);
        command.args(["--in", &format!("{}=@{}", input.name, path.display())]);
    }
    for output in arguments.outputs() {
        let path = output_file(folder, output);
        command.args(["--out", &format!("{}=@{}", output.name, path.display())]);
    }
}

/// The release build of the command, with cache and state of its own in `folder`.
fn hotcell(folder: &Path) -> Command {
    let mut command = Command::new(hotcell_cases::target().join("release/hotcell"));
    command
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_STATE_HOME", folder.join("state"));
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .context("target/release/hotcell: `cargo xtask test` builds it")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        errors.trim()
    );
    Ok(())
}

fn input_file(folder: &Path, argument: &Argument) -> PathBuf {
    folder.join(format!("in-{}.npy", argument.name))
}

fn output_file(folder: &Path, argument: &Argument) -> PathBuf {
    folder.join(format!("out-{}.npy", argument.name))
}

fn write_inputs(folder: &Path, arguments: &Arguments) -> Result<()> {
    for input in arguments.inputs() {
        let mut file = npy_header(&input.ty);
        file.extend_from_slice(input.data.bytes());
        std::fs::write(input_file(folder, input), file)?;
    }
    Ok(())
}

fn read(path: &Path, ty: &ArrayType) -> Result<Vec<u8>> {
    let reader = hotcell_formats::open(&Locator::Npy(path.to_owned()), &ReadLimits::default())?;
    ensure!(reader.ty() == ty, "{} where {ty} is wanted", reader.ty());
    Ok(reader.read_all()?)
}

/// What stands before the data in a `.npy` of version 1.0, as NumPy writes it.
fn npy_header(ty: &ArrayType) -> Vec<u8> {
    let descr = match ty.dtype() {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I32 => "<i4",
        DType::U32 => "<u4",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::Complex64 => "<c8",
        other => panic!("no kernel reads {other}"),
    };
    let extents: String = ty
        .shape()
        .iter()
        .map(|extent| format!("{extent}, "))
        .collect();
    let dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version, length and text fill a multiple of 64, the last byte is a line's end.
    let len = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(u16::try_from(len).expect("a short header").to_le_bytes());
    header.extend(format!("{dictionary:<width$}\n", width = len - 1).bytes());
    header
}

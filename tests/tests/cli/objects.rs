//! Kernels in C and Fortran, of objects.

use super::build::{floats, hotcell, root, succeeds};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn write_floats(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let npy = hotcell_tests::npy("<f4", &[values.len() as u64], &bytes);
    fs::write(path, npy).unwrap();
}

/// Compiles a source of `examples/objects`; none where the compiler is not there.
fn object_of(folder: &Path, compile: &str) -> bool {
    let made = Command::new("sh")
        .args(["-c", compile])
        .env("EXAMPLES", root().join("examples/objects"))
        .current_dir(folder)
        .output()
        .unwrap();
    let missing = made.status.code() == Some(127);
    if !missing {
        succeeds(made);
    }
    !missing
}

#[test]
fn an_object_of_c_is_built_without_a_linker_and_runs_confined() {
    let folder = TempDir::new().unwrap();
    let compile = "clang --target=wasm32 -O3 -msimd128 -mbulk-memory -ffreestanding -Wall -Wextra -Werror -Wno-sign-compare \
                   -c \"$EXAMPLES/unit_range.c\"";
    if !object_of(folder.path(), compile) {
        hotcell_tests::skip("clang is not installed: apt-get install clang");
        return;
    }
    let manifest = root().join("examples/objects/unit_range.toml");
    let manifest = manifest.to_str().unwrap();
    let said = succeeds(hotcell(
        folder.path(),
        &["build", "unit_range.o", "--manifest", manifest],
    ));
    assert!(said.contains("unit_range (n)->(n)"), "{said}");

    write_floats(&folder.path().join("x.npy"), &[3.0, 1.0, 2.0, 5.0]);
    let run = |entry: &str, more: &str| {
        let line =
            format!("run unit_range.wasm {entry} --in x=@x.npy --out out=@out.npy --quiet{more}");
        hotcell(folder.path(), &line.split(' ').collect::<Vec<_>>())
    };
    for more in ["", " --isolation in-process", " --metering deterministic"] {
        succeeds(run("unit_range", more));
        assert_eq!(
            floats(&folder.path().join("out.npy"), 4),
            [0.5, 0.0, 0.25, 1.0]
        );
        succeeds(run("ranks", more));
    }
    // Its own words for why it failed are the launch's.
    write_floats(&folder.path().join("x.npy"), &[2.0, 2.0]);
    let failed = run("unit_range", "");
    assert_eq!(failed.status.code(), Some(10));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.contains("there is no range to map"), "{said}");
    // Nothing of no elements is asked for.
    write_floats(&folder.path().join("x.npy"), &[]);
    succeeds(run("unit_range", ""));
    succeeds(run("ranks", ""));

    let without = hotcell(folder.path(), &["build", "unit_range.o"]);
    assert_eq!(without.status.code(), Some(16));
    assert!(String::from_utf8_lossy(&without.stderr).contains("no manifest"));
}

#[test]
fn an_object_of_fortran_is_built_and_runs() {
    let folder = TempDir::new().unwrap();
    let compile = "flang-new-19 -fc1 -triple i386-unknown-linux-gnu -emit-llvm -O2 -o smooth.ll \"$EXAMPLES/smooth.f90\" && \
                   sed '/^target /d; s/\"target-cpu\"=\"[^\"]*\"//; s/\"target-features\"=\"[^\"]*\"//; s/\"tune-cpu\"=\"[^\"]*\"//' smooth.ll | \
                   opt-19 -O3 -mtriple=wasm32-unknown-unknown -mattr=+simd128,+bulk-memory | \
                   llc-19 -O3 -mtriple=wasm32-unknown-unknown -mattr=+simd128,+bulk-memory -filetype=obj -o smooth.o";
    // A compiler of 800 MB: the nightly chore has it, and whoever installs it.
    if !object_of(folder.path(), compile) {
        eprintln!("skipped: flang-new-19 is not installed");
        return;
    }
    let manifest = root().join("examples/objects/smooth.toml");
    let manifest = manifest.to_str().unwrap();
    succeeds(hotcell(
        folder.path(),
        &["build", "smooth.o", "--manifest", manifest],
    ));
    write_floats(&folder.path().join("x.npy"), &[3.0, 0.0, 6.0, 9.0]);
    let run = "run smooth.wasm --in x=@x.npy --out out=@out.npy --quiet";
    succeeds(hotcell(folder.path(), &run.split(' ').collect::<Vec<_>>()));
    assert_eq!(
        floats(&folder.path().join("out.npy"), 4),
        [2.0, 3.0, 5.0, 8.0]
    );
}

//! `hotcell new` and `hotcell build`, as an author uses them: far from the checkout, and without the SDK.
//!
//! Projects share a target folder, so that what they depend on is compiled once; each test's packages have
//! names of their own, since the folder holds one module a name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command under test, in a folder.
pub(super) fn hotcell(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(root().join("target/release/hotcell"));
    in_folder(&mut command, folder).args(arguments);
    command.output().expect("`hotcell` starts")
}

fn in_folder<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    command.current_dir(folder).env("CARGO_TARGET_DIR", target)
}

/// Standard output of a command that must succeed.
pub(super) fn succeeds(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A new project, with the versions that this repository's lock file has, so that nothing is downloaded.
fn project(folder: &Path, name: &str) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    succeeds(hotcell(folder, &["new", name]));
    let project = folder.join(name);
    fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    project
}

/// Builds a project and gives the component's bytes.
fn build(project: &Path) -> Vec<u8> {
    let out = project.join("out.wasm");
    let out_text = out.to_str().unwrap();
    succeeds(hotcell(project, &["build", "--offline", "--out", out_text]));
    fs::read(out).unwrap()
}

/// The last floats of an `.npy` file.
pub(super) fn floats(npy: &Path, count: usize) -> Vec<f32> {
    let bytes = fs::read(npy).unwrap();
    let (values, _) = bytes[bytes.len() - 4 * count..].as_chunks::<4>();
    values
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect()
}

#[test]
fn new_project_tests_builds_and_runs_far_from_the_checkout() {
    let folder = TempDir::new().unwrap();
    let project = project(folder.path(), "far-away");
    let mut cargo = Command::new("cargo");
    let tests = in_folder(&mut cargo, &project).args(["test", "--offline"]);
    assert!(succeeds(tests.output().unwrap()).contains("2 passed"));

    build(&project);
    let run = "run out.wasm --in factor=2.5 --in x=@x.npy --out out=@out.npy --quiet";
    succeeds(hotcell(&project, &run.split(' ').collect::<Vec<_>>()));
    let wanted = [0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5];
    assert_eq!(floats(&project.join("out.npy"), 8), wanted);
}

#[test]
fn same_source_gives_the_same_bytes_wherever_it_lies_and_does_not_say_where() {
    let folder = TempDir::new().unwrap();
    let [here, there] = ["here", "a longer way/there"].map(|place| {
        let place = folder.path().join(place);
        build(&project(&place, "placeless"))
    });
    assert!(here == there, "two folders, two components");
    let text = String::from_utf8_lossy(&here);
    let home = std::env::home_dir().unwrap();
    for place in [folder.path(), &home, Path::new(env!("CARGO_TARGET_TMPDIR"))] {
        assert!(
            !text.contains(place.to_str().unwrap()),
            "{}",
            place.display()
        );
    }
    assert!(
        text.contains("/rustc/") && text.contains("library/std/src/panicking.rs"),
        "panics name the standard library's files"
    );
}

#[test]
fn source_that_does_not_compile_leaves_the_old_component() {
    let folder = TempDir::new().unwrap();
    let project = project(folder.path(), "unfinished");
    let old = build(&project);
    let source = project.join("src/lib.rs");
    fs::write(&source, "this is no Rust").unwrap();
    let output = hotcell(&project, &["build", "--offline", "--out", "out.wasm"]);
    assert_eq!(output.status.code(), Some(16));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not compile"));
    assert!(fs::read(project.join("out.wasm")).unwrap() == old);
}

#[test]
fn repeated_loops_change_no_result_and_a_measurement_changes_no_component() {
    let folder = TempDir::new().unwrap();
    let project = project(folder.path(), "roundabout");
    let plain = build(&project);
    let run = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        succeeds(hotcell(&project, &words))
    };
    let said = run("build --offline --repeat 4 --out four.wasm");
    let is_said = said.contains("repeated 4×") && !said.contains(" 0 loops");
    assert!(is_said, "{said}");
    let launch = "--in factor=2.5 --in x=@x.npy --isolation in-process --no-cache";
    let results = ["out", "four"].map(|name| {
        run(&format!(
            "run {name}.wasm {launch} --out out=@{name}.npy --quiet"
        ));
        fs::read(project.join(name).with_extension("npy")).unwrap()
    });
    assert!(results[0] == results[1], "other results");

    let said = run(&format!(
        "build --offline --out out.wasm --measure -- {launch}"
    ));
    let lines: Vec<_> = said.lines().filter(|line| line.contains(" %  ")).collect();
    assert_eq!(lines.len(), 9, "{said}");
    let package = lines[0];
    assert!(
        package.contains("unroll  8, repeat  1") && package.contains("+0 %"),
        "{said}"
    );
    assert!(
        fs::read(project.join("out.wasm")).unwrap() == plain,
        "another component"
    );
}

#[test]
fn c_kernel_with_a_c_library_reads_the_file_that_it_was_given() {
    let folder = TempDir::new().unwrap();
    let guest = root().join("examples/c");
    if !Path::new("/usr/include/wasm32-wasi/stdio.h").exists() {
        return hotcell_tests::skip(
            "wasi-libc is not installed: apt-get install wasi-libc libclang-rt-dev-wasm32",
        );
    }
    let clang = Command::new("clang")
        .args("--target=wasm32-wasi -mexec-model=reactor -O2 -Wl,--strip-debug".split(' '))
        .args("-Wall -Wextra -Werror -Wno-unused-parameter -o weigh.core.wasm".split(' '))
        .arg(guest.join("weigh.c"))
        .current_dir(folder.path())
        .output();
    succeeds(clang.expect("clang is installed with wasi-libc"));
    let manifest = guest.join("weigh.toml");
    let manifest = manifest.to_str().unwrap();
    // Without the word for it WASI is refused, with what to do.
    let bare = hotcell(
        folder.path(),
        &["build", "--manifest", manifest, "weigh.core.wasm"],
    );
    assert_eq!(bare.status.code(), Some(16));
    assert!(String::from_utf8_lossy(&bare.stderr).contains("`hotcell build --wasi`"));
    let add = ["build", "--wasi", "--manifest", manifest, "weigh.core.wasm"];
    succeeds(hotcell(folder.path(), &add));

    let source = project(folder.path(), "input-of-c");
    fs::copy(source.join("x.npy"), folder.path().join("x.npy")).unwrap();
    fs::create_dir(folder.path().join("given")).unwrap();
    fs::write(folder.path().join("given/weight.txt"), "0.5\n").unwrap();
    let run = |more: &str| {
        let run = format!("run weigh.wasm --in x=@x.npy --out out=@out.npy {more}");
        hotcell(folder.path(), &run.split(' ').collect::<Vec<_>>())
    };
    let denied = run("--grant wasi");
    assert_eq!(denied.status.code(), Some(15));
    assert!(String::from_utf8_lossy(&denied.stderr).contains("files"));
    let done = run("--dir /data=given");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    succeeds(done);
    assert!(said.contains("weighs 0.5"), "{said}");
    let wanted = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5];
    assert_eq!(floats(&folder.path().join("out.npy"), 8), wanted);
    // What it was not given it does not find.
    fs::remove_file(folder.path().join("given/weight.txt")).unwrap();
    std::os::unix::fs::symlink("../x.npy", folder.path().join("given/weight.txt")).unwrap();
    assert_eq!(run("--dir /data=given").status.code(), Some(10));
}

#[test]
fn c_kernel_without_the_sdk_gets_a_manifest_and_runs() {
    let folder = TempDir::new().unwrap();
    let guest = root().join("examples/c");
    let clang = Command::new("clang")
        .args("--target=wasm32 -O3 -msimd128 -mbulk-memory -ffreestanding -nostdlib".split(' '))
        .args(
            "-Wall -Wextra -Werror -Wno-unused-parameter -Wl,--no-entry -Wl,--stack-first"
                .split(' '),
        )
        .args(["-o", "scale.core.wasm"])
        .arg(guest.join("scale.c"))
        .current_dir(folder.path())
        .output();
    let Ok(compiled) = clang else {
        assert!(std::env::var_os("CI").is_none(), "clang is needed");
        eprintln!("skipped: clang is not installed");
        return;
    };
    succeeds(compiled);
    let manifest = guest.join("kernel.toml");
    let manifest = manifest.to_str().unwrap();
    let add = ["build", "--manifest", manifest, "scale.core.wasm"];
    let said = succeeds(hotcell(folder.path(), &add));
    assert!(said.contains("scale (n)->(n), imports arrays"), "{said}");

    let again = hotcell(
        folder.path(),
        &["build", "--manifest", manifest, "scale.wasm"],
    );
    assert_eq!(again.status.code(), Some(16));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--replace"));

    let source = project(folder.path(), "input-of-c");
    fs::copy(source.join("x.npy"), folder.path().join("x.npy")).unwrap();
    let run = "run scale.wasm --in a=0.5 --in x=@x.npy --out out=@out.npy --quiet";
    succeeds(hotcell(folder.path(), &run.split(' ').collect::<Vec<_>>()));
    let wanted = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5];
    assert_eq!(floats(&folder.path().join("out.npy"), 8), wanted);
}

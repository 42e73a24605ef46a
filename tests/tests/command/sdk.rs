//! What a kernel made with the SDK says when it fails: its own words, its file and its line.

use hotcell_tests::{Command, binary, checkout, npy};
use std::path::{Path, PathBuf};

/// A kernel that fails in two ways. The panic's line is looked for, so nothing may come before it.
const SOURCE: &str = r#"use hotcell_guest::prelude::*;
#[kernel(sig = "(n)->(n)")]
pub fn panics(x: &[f32], out: &mut [f32]) {
    out[x.len() + 1] = 0.0;
}
#[kernel(sig = "(n)->(n)")]
pub fn declines(x: &[f32], _out: &mut [f32]) -> Result<(), String> {
    Err(format!("{} is not enough\n", x.len()))
}
hotcell_guest::export!(panics, declines);
"#;

/// `hotcell` as an author runs it: with the toolchain's own home, offline, and a shared target folder.
fn author(folder: &Path, arguments: &[&str]) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    let output = std::process::Command::new(binary().expect("the command is built"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("the command starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
}

fn component(folder: &Path) -> PathBuf {
    author(folder, &["new", "failing-kernel"]);
    let project = folder.join("failing-kernel");
    std::fs::copy(checkout().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    std::fs::write(project.join("src/lib.rs"), SOURCE).unwrap();
    author(&project, &["build", "--offline", "--out", "failing.wasm"]);
    project.join("failing.wasm")
}

#[test]
fn a_kernel_that_fails_says_so_in_its_own_words_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let command = Command::new();
    command.write("x.npy", npy("<f4", &[4], &[0; 16]));
    let run = |entry: &str| {
        let path = component.display();
        command.run(&format!(
            "run {path} {entry} --in x=@x.npy --quiet --report r.json"
        ))
    };
    let words = [
        "src/lib.rs:4",
        "index out of bounds: the len is 4 but the index is 5",
    ];
    run("panics").exits(11).says(&words);
    let outcome = &command.report("r.json")["outcome"];
    assert_eq!(
        (&outcome["kind"], &outcome["blame"]),
        (&"trap".into(), &"guest".into())
    );
    assert!(
        outcome["message"].as_str().unwrap().contains(words[0]),
        "{outcome}"
    );
    run("declines")
        .exits(10)
        .says(&["kernel-error: 4 is not enough\\n"]);
}

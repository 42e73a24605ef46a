//! What a kernel made with the SDK says when it fails: its own words, its file and its line.

use hotcell_tests::processes::{children_of, eventually, signal};
use hotcell_tests::{Command, binary, checkout, npy};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// A kernel whose chunks fail, all of them or one.
const CHUNKS: &str = r#"use hotcell_guest::prelude::*;
#[kernel(sig = "(n)->(n)", split = "n", cost = "64*n")]
pub fn panics(x: &[f32], out: &mut [f32]) {
    let numbers: Vec<usize> = x.iter().map(|x| *x as usize).collect();
    for (out, number) in out.iter_mut().zip(&numbers) {
        *out = numbers[number % (numbers.len() + 1)] as f32;
    }
    let at = out.len() + numbers[0];
    out[at] = 0.0;
}
#[kernel(sig = "(n)->(n)", split = "n", cost = "64*n")]
pub fn overflows(x: &[f32], out: &mut [f32]) {
    fn deeper(depth: &mut [f32]) -> f32 {
        let mut more = [depth[0] + 1.0; 64];
        let sum = deeper(&mut more);
        sum + more[depth[0] as usize % 64]
    }
    out[0] = deeper(&mut [x[0]]);
}
#[kernel(sig = "(n)->(n)", split = "n", cost = "64*n")]
pub fn never_ends(x: &[f32], out: &mut [f32]) {
    let mut at = x[0];
    while at < 1e30 {
        at = std::hint::black_box(x[0]);
    }
    out[0] = at;
}
hotcell_guest::export!(panics, overflows, never_ends);
"#;

/// How often each launch is made: 200 times where somebody has the time.
fn rounds() -> usize {
    let asked = std::env::var("HOTCELL_CHUNK_ROUNDS").ok();
    asked.and_then(|rounds| rounds.parse().ok()).unwrap_or(8)
}

#[test]
fn chunks_that_fail_beside_each_other_fail_as_the_guests_every_time() {
    let folder = tempfile::tempdir().unwrap();
    author(folder.path(), &["new", "chunks"]);
    let project = folder.path().join("chunks");
    std::fs::copy(checkout().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    std::fs::write(project.join("src/lib.rs"), CHUNKS).unwrap();
    author(&project, &["build", "--offline", "--out", "plain.wasm"]);
    author(
        &project,
        &["build", "--offline", "--debug", "--out", "debug.wasm"],
    );
    let command = Command::new();
    command.write("x.npy", npy("<f4", &[1 << 20], &vec![0; 4 << 20]));
    for component in ["plain.wasm", "debug.wasm"] {
        let path = project.join(component);
        for (entry, more, code, kind) in [
            ("panics", "", 11, "trap"),
            ("overflows", "", 11, "trap"),
            ("never_ends", "--timeout 150ms --fuel 100T", 13, "timeout"),
            ("never_ends", "--timeout 60s --fuel 100T", 18, "cancelled"),
        ] {
            for round in 0..rounds() {
                let line = format!(
                    "run {} {entry} --in x=@x.npy --threads 4 --quiet --report r.json {more}",
                    path.display()
                );
                let running = command.start(&line);
                let is_cancelled = kind == "cancelled";
                if is_cancelled {
                    // It listens to interrupts before it has a worker.
                    let works = || !children_of(running.id()).is_empty();
                    assert!(eventually(Duration::from_secs(60), works));
                    std::thread::sleep(Duration::from_millis(150));
                    signal(running.id(), Signal::INT);
                }
                running.wait().exits(code);
                let report = command.report("r.json");
                // The first that fails by itself may be done with before a second begins.
                let instances = report["usage"]["instances"].as_u64().unwrap();
                assert!(instances > 1 || kind != "timeout", "{report}");
                let outcome = &report["outcome"];
                assert_eq!(
                    outcome["kind"], kind,
                    "{component} {entry} {round}: {outcome}"
                );
                let blame = if is_cancelled { "request" } else { "guest" };
                assert_eq!(outcome["blame"], blame, "{component} {entry} {round}");
                assert!(report["alerts"].is_null(), "{component} {entry} {round}");
            }
        }
    }
}

//! Outputs appear whole, by rename, or not at all.

use super::{IN, with};
use hotcell_tests::{Command, read_npy};

const OUT: &str = "--out out=@out.npy";

/// Checks that nothing but what the test put there, and reports, is in the working directory.
#[track_caller]
fn assert_only(command: &Command, names: &[&str]) {
    let listing = command.listing();
    let rest: Vec<_> = listing
        .iter()
        .filter(|name| !name.ends_with(".wasm") && *name != "x.npy" && *name != "r.json")
        .collect();
    assert_eq!(rest, names);
}

#[test]
fn an_output_is_what_the_kernel_wrote() {
    let command = with(&["honest"]);
    command
        .run(&format!("run honest.wasm {IN} {OUT} --quiet"))
        .exits(0);
    assert_eq!(
        read_npy(command.path("out.npy")),
        read_npy(command.path("x.npy"))
    );
    assert_only(&command, &["out.npy"]);
}

#[test]
fn a_launch_that_fails_leaves_the_old_file_and_nothing_else() {
    let command = with(&[
        "divides_by_zero",
        "endless_loop",
        "bad_argument",
        "memory_in_one_step",
    ]);
    command.write("out.npy", "old");
    for (guest, more) in [
        ("divides_by_zero", ""),
        ("endless_loop", "--fuel 1M"),
        ("endless_loop", "--timeout 50ms"),
        ("bad_argument", ""),
        ("memory_in_one_step", ""),
    ] {
        let finished = command.run(&format!("run {guest}.wasm {IN} {OUT} {more}"));
        assert_ne!(finished.code, Some(0), "{guest}");
        assert_eq!(
            std::fs::read(command.path("out.npy")).unwrap(),
            b"old",
            "{guest}"
        );
        assert_only(&command, &["out.npy"]);
    }
}

#[test]
fn an_output_that_could_not_be_written_is_refused_before_the_kernel_runs() {
    let command = with(&["honest", "endless_loop"]);
    std::fs::create_dir(command.path("folder.npy")).unwrap();
    command.write("target", "the user's");
    std::os::unix::fs::symlink(command.path("target"), command.path("link.npy")).unwrap();
    for (place, word) in [
        ("nosuch/out.npy", "nosuch"),
        ("x.npy/out.npy", "x.npy"),
        ("folder.npy", "directory"),
        ("link.npy", "link"),
    ] {
        // The loop would run into its timeout if it ran at all.
        let line = format!("run endless_loop.wasm {IN} --out out=@{place} --report r.json");
        command
            .run(&line)
            .exits(3)
            .says(&["hotcell: io: output `out`: ", word]);
        let report = command.report("r.json");
        assert_eq!(report["usage"]["instances"], 0);
        assert_eq!(report["outcome"]["kind"], "io");
    }
    assert_eq!(
        std::fs::read(command.path("target")).unwrap(),
        b"the user's"
    );
    assert_only(&command, &["folder.npy", "link.npy", "target"]);
}

#[test]
fn a_type_that_a_format_cannot_hold_is_refused_before_the_kernel_runs() {
    let command = with(&["endless_loop"]);
    let line = format!("run endless_loop.wasm {IN} --out out=@out.png");
    command
        .run(&line)
        .exits(3)
        .says(&["out.png", "u8(4096)", ".npy"]);
}

#[test]
fn an_output_may_replace_the_input_it_was_made_from() {
    let command = with(&["honest"]);
    let before = read_npy(command.path("x.npy"));
    command
        .run(&format!("run honest.wasm {IN} --out out=@x.npy --quiet"))
        .exits(0);
    assert_eq!(read_npy(command.path("x.npy")), before);
    assert_only(&command, &[]);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_an_io_error() {
    // Nobody makes files in /proc, whatever their rights.
    if !std::path::Path::new("/proc/self").exists() {
        return hotcell_tests::skip("no /proc here");
    }
    let command = with(&["endless_loop"]);
    let line = format!("run endless_loop.wasm {IN} --out out=@/proc/out.npy --report r.json");
    command
        .run(&line)
        .exits(3)
        .says(&["cannot write into the directory /proc"]);
    assert_eq!(command.report("r.json")["usage"]["instances"], 0);
}

#[test]
fn a_report_that_cannot_be_written_exits_3_before_the_kernel_runs() {
    let command = with(&["honest"]);
    let finished = command
        .run(&format!(
            "run honest.wasm {IN} {OUT} --quiet --report nosuch/r.json"
        ))
        .exits(3);
    finished.says(&["report", "nosuch/r.json"]);
    assert_only(&command, &[]);
}

#[test]
fn a_report_can_be_printed() {
    let command = with(&["honest"]);
    let finished = command
        .run(&format!("run honest.wasm {IN} --report -"))
        .exits(0);
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["outcome"]["kind"], "done");
    assert_eq!(report["arguments"][0]["shape"], serde_json::json!([4096]));
}

#[test]
fn partial_results_are_written_and_marked() {
    let command = with(&["polls"]);
    let line = format!(
        "run polls.wasm {IN} {OUT} --timeout 1s --limit host_calls=1G --report r.json --quiet"
    );
    command.run(&line).exits(13).says(&["partial"]);
    assert_eq!(command.report("r.json")["outcome"]["partial"], true);
    assert_eq!(
        read_npy(command.path("out.npy"))[..17],
        [&[9; 16][..], &[0]].concat()
    );
}

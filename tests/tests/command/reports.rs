//! `hotcell report`.

use super::{IN, with};
use hotcell_tests::{Command, Finished};

/// The summary of a launch that ends with that code.
#[track_caller]
fn summary(guest: &str, options: &str, code: i32) -> String {
    let command = with(&[guest]);
    let line = format!("run {guest}.wasm {IN} --report r.json --quiet {options}");
    command.run(&line).exits(code);
    command.run("report r.json").exits(0).stdout
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_launch_that_is_done_is_summed_up() {
    let text = summary("honest", "--timeout 7s", 0);
    has(
        &text,
        &[
            "attack: done\n",
            "hostile (honest.wasm)",
            "metering     strict",
            "n=4096",
        ],
    );
    has(
        &text,
        &[
            "isolation    confined",
            "tier         ",
            "runner       ",
            "\ntimings\n",
            "compile ",
        ],
    );
    has(
        &text,
        &[
            "timeout_ns",
            "7s",
            "as asked for",
            "memory_bytes",
            "64.0 KiB",
            "256MiB",
            "default",
        ],
    );
    has(
        &text,
        &[
            "arguments\n  x            u8(4096)",
            "results\n  out          u8(4096)",
            "blake3",
        ],
    );
    assert!(
        !text.contains("alerts") && !text.contains("reached"),
        "{text}"
    );
}

#[test]
fn a_limit_that_was_reached_is_marked() {
    let text = summary("endless_loop", "--fuel 1M", 12);
    has(
        &text,
        &[
            "attack: out-of-fuel, the kernel's doing\n",
            "limit fuel: ",
            "at most 1M allowed",
        ],
    );
    let row = text.lines().find(|line| line.starts_with("  fuel"));
    assert!(row.is_some_and(|row| row.ends_with("<- reached")), "{text}");
}

#[test]
fn traps_refusals_and_logs_are_in_it() {
    has(
        &summary("divides_by_zero", "", 11),
        &["attack: trap, the kernel's doing", "divi"],
    );
    let text = summary("wants_clock", "", 15);
    has(&text, &["denied, by how the host is run", "--grant clock"]);
    has(
        &summary("log_flood", "", 0),
        &["\nlog\n", "more", "lines dropped"],
    );
}

#[test]
fn the_standard_input_is_read_for_a_dash() {
    let command = with(&["honest"]);
    let report = command.run(&format!("run honest.wasm {IN} --quiet --report -"));
    let finished = piped(&command, &report.exits(0).stdout);
    has(&finished.exits(0).stdout, &["attack: done"]);
    piped(&command, "")
        .exits(3)
        .says(&["the standard input", "empty"]);
}

/// `hotcell report -` with that input.
fn piped(command: &Command, input: &str) -> Finished {
    command.write("input.json", input);
    let path = command.path("input.json");
    command.run_with_input("report -", &path)
}

#[test]
fn what_is_no_report_is_refused_with_what_it_is() {
    let command = with(&["honest"]);
    command.write("array.json", "[1, 2]");
    command.write("newer.json", r#"{"schema": 2, "run_id": "00"}"#);
    for (file, expected) in [
        ("x.npy", "no JSON"),
        ("honest.wasm", "no JSON"),
        ("array.json", "no report of hotcell"),
        ("newer.json", "schema 2"),
        ("missing.json", "No such file"),
        (".", "directory"),
    ] {
        let finished = command.run(&format!("report {file}"));
        finished
            .exits(3)
            .says(&["cannot read the report", file, expected]);
    }
}

#[test]
fn a_forged_report_cannot_move_the_cursor() {
    let command = with(&["honest"]);
    command
        .run(&format!("run honest.wasm {IN} --report r.json --quiet"))
        .exits(0);
    let mut report = command.report("r.json");
    let forged = "\u{1b}[2Jdone\nhotcell: fine\u{202e}";
    report["outcome"]["message"] = forged.into();
    report["component"]["name"] = forged.into();
    report["component"]["entry"] = forged.into();
    report["component"]["path"] = forged.into();
    report["host"] = forged.into();
    report["dims"] = serde_json::json!({ forged: 1 });
    report["alerts"] = serde_json::json!([{ "kind": "worker-died", "message": forged }]);
    report["log"] = serde_json::json!([{ "level": "info", "message": forged }]);
    report["results"][0]["name"] = forged.into();
    command.write("r.json", report.to_string());
    let text = command.run("report r.json").exits(0).stdout;
    let deceptive = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(deceptive), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("hotcell: fine")),
        "{text}"
    );
    has(&text, &["\nalerts\n  worker-died: "]);
}

//! `rerun` and `inspect`.

use super::{IN, with};
use hotcell_manifest::{DType, Parameter, Role};
use hotcell_tests::{Command, Guest, npy};
use serde_json::{Value, json};

/// A place with the report of a run in deterministic metering.
fn receipt() -> Command {
    let command = with(&["honest"]);
    let line = format!("run honest.wasm {IN} --metering deterministic --report r.json --quiet");
    command.run(&line).exits(0);
    command
}

/// Changes the report.
fn edit(command: &Command, change: impl FnOnce(&mut Value)) {
    let mut report = command.report("r.json");
    change(&mut report);
    command.write("r.json", report.to_string());
}

#[test]
fn a_rerun_of_the_same_is_the_same() {
    let command = receipt();
    let finished = command
        .run(&format!("rerun r.json {IN} --report again.json"))
        .exits(0);
    let first = command.report("r.json");
    let fuel = &first["usage"]["fuel_used"];
    assert_eq!(
        finished.stdout.trim(),
        format!("same: done, 1 results, fuel {fuel}")
    );
    let again = command.report("again.json");
    assert_eq!(again["results"], first["results"]);
    assert_ne!(again["run_id"], first["run_id"]);
}

#[test]
fn a_rerun_on_other_inputs_is_refused() {
    let command = receipt();
    command.write("x.npy", npy("|u1", &[4096], &[1; 4096]));
    command
        .run(&format!("rerun r.json {IN}"))
        .exits(2)
        .says(&["input `x`"]);
    command.run("rerun r.json").exits(2).says(&["`x`"]);
}

#[test]
fn a_rerun_of_another_component_is_refused() {
    let command = receipt();
    command.guest("honest", &Guest::named("writes_nothing"));
    command
        .run(&format!("rerun r.json {IN}"))
        .exits(2)
        .says(&["component"]);
}

#[test]
fn a_rerun_that_ends_differently_exits_1_and_says_in_what() {
    let command = receipt();
    edit(&command, |report| {
        report["results"][0]["blake3"] = json!("00".repeat(32));
        report["usage"]["fuel_used"] = json!(1);
    });
    let finished = command.run(&format!("rerun r.json {IN}")).exits(1);
    assert!(
        finished.stdout.contains("different: bytes of result `out`"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("different: fuel"),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_failed_launch_is_a_receipt_too() {
    let command = with(&["endless_loop"]);
    let line =
        format!("run endless_loop.wasm {IN} --metering deterministic --fuel 1M --report r.json");
    command.run(&line).exits(12);
    let finished = command.run(&format!("rerun r.json {IN}")).exits(0);
    assert!(
        finished.stdout.starts_with("same: out-of-fuel"),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_report_that_is_none_is_refused() {
    let command = with(&[]);
    command.write("r.json", "{}").write("empty.json", "");
    for name in ["r.json", "empty.json", "nosuch.json"] {
        command.run(&format!("rerun {name}")).exits(3).says(&[name]);
    }
}

#[test]
fn inspect_runs_nothing() {
    let command = with(&["start_traps", "endless_loop"]);
    let finished = command.run("inspect start_traps.wasm").exits(0);
    assert!(
        finished.stdout.contains("attack  (n)->(n)"),
        "{}",
        finished.stdout
    );
    assert!(!command.artifacts().exists(), "nothing is compiled either");
    command.run("inspect endless_loop.wasm").exits(0);
}

#[test]
fn inspect_tells_imports_asked_for_from_those_granted() {
    let command = with(&["wants_clock", "log_flood"]);
    let table = command.run("inspect wants_clock.wasm").exits(0).stdout;
    assert!(table.contains("NOT granted; --grant clock"), "{table}");
    let parse = |finished: hotcell_tests::Finished| -> Value {
        serde_json::from_str(&finished.exits(0).stdout).expect("JSON")
    };
    let json = parse(command.run("inspect wants_clock.wasm --json"));
    let clock = |json: &Value| {
        let imports = json["imports"].as_array().unwrap().clone();
        imports
            .into_iter()
            .find(|i| i["name"] == "hotcell:kernel/clock@0.2.0")
            .unwrap()["granted"]
            .clone()
    };
    assert_eq!(clock(&json), false);
    assert_eq!(json["kernels"][0]["signature"], "(n)->(n)");
    assert!(json["counts"]["functions"].as_u64().unwrap() > 0);
    assert_eq!(
        clock(&parse(
            command.run("inspect wants_clock.wasm --json --grant clock")
        )),
        true
    );
}

#[test]
fn inspect_shows_hostile_words_escaped() {
    let command = with(&[]);
    let guest = Guest::named("honest").record(|record| record.doc = "fine\u{1b}[2J\u{202e}".into());
    command.guest("words", &guest);
    let finished = command.run("inspect words.wasm");
    let deceptive = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!finished.stdout.contains(deceptive) && !finished.stderr.contains(deceptive));
}

#[test]
fn scalars_at_the_edge_of_their_type_survive_a_receipt() {
    for (dtype, text) in [
        (DType::F32, "nan"),
        (DType::F32, "inf"),
        (DType::F64, "-inf"),
        (DType::F64, "-0.0"),
        (DType::F32, "1e-45"),
        (DType::U64, "18446744073709551615"),
        (DType::I64, "-9223372036854775808"),
        (DType::Bool, "true"),
    ] {
        let command = with(&[]);
        let guest = Guest::named("honest").record(|record| {
            record.parameters.push(Parameter {
                name: "a".to_owned(),
                role: Role::Scalar,
                dtype,
                default: None,
                halo: 0,
            });
        });
        command.guest("scalar", &guest);
        let line = format!("run scalar.wasm {IN} --in a={text} --quiet --report r.json");
        command.run(&line).exits(0);
        assert!(
            !command.report("r.json")["scalars"]["a"].is_null(),
            "{text}"
        );
        command.run(&format!("rerun r.json {IN}")).exits(0);
    }
}

//! What commands leave in the audit log and in metrics, by the policy.

use super::{IN, with};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

/// The records that a query finds, oldest first.
fn records(command: &hotcell_tests::Command, query: &str) -> Vec<Value> {
    let found = command.run(&format!("audit query --json {query}")).exits(0);
    let lines = found.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a record is JSON"))
        .collect()
}

/// What hotcell says in a record, in its own words.
fn said(record: &Value) -> &Value {
    &record["unmapped"]["hotcell"]
}

#[test]
fn whatever_is_asked_for_is_recorded_with_how_it_ended() {
    let command = with(&["honest", "endless_loop"]);
    command
        .run(&format!("run honest.wasm {IN} --report r.json"))
        .exits(0);
    command
        .run(&format!("run endless_loop.wasm {IN} --fuel 1M"))
        .exits(12);
    command.run("inspect honest.wasm").exits(0);
    command.run("compile honest.wasm").exits(0);
    command.run(&format!("run missing.wasm {IN}")).exits(3);
    let all = records(&command, "");
    let seen: Vec<(&str, &str, &str)> = all
        .iter()
        .map(|record| {
            let said = said(record);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let outcome = text(&said["end"]["outcome"]);
            (text(&said["verb"]), text(&said["phase"]), outcome)
        })
        .map(|(verb, phase, outcome)| (leak(verb), leak(phase), leak(outcome)))
        .collect();
    for expected in [
        ("launch", "finish", "done"),
        ("launch", "finish", "out-of-fuel"),
        ("describe", "finish", "done"),
        ("compile", "finish", "done"),
        ("launch", "finish", "io"),
    ] {
        assert!(seen.contains(&expected), "no {expected:?} in {seen:?}");
    }
    let count = |phase: &str| seen.iter().filter(|(_, seen, _)| *seen == phase).count();
    assert_eq!(count("begin"), count("finish"), "{seen:?}");
    // A report and its record agree, and no record has data.
    let report = command.report("r.json");
    let launch = all
        .iter()
        .map(said)
        .find(|said| said["run_id"] == report["run_id"] && said["phase"] == "finish");
    let launch = launch.expect("the launch is recorded");
    assert_eq!(launch["end"]["arguments"][0]["shape"][0], 4096);
    assert_eq!(launch["end"]["artifact"], report["component"]["artifact"]);
    assert_eq!(launch["end"]["outputs"], report["outputs"]);
    // Nobody else has seen the log: its end is not proven.
    let verified = command.run("audit verify").exits(1).stdout;
    assert!(verified.contains("tail unproven"), "{verified}");
    let stats = command.run("stats").exits(0).stdout;
    for part in ["attack of ", "launches", "out-of-fuel 1", "io 1"] {
        assert!(stats.contains(part), "no {part} in {stats}");
    }
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[test]
fn an_anchor_proves_the_end_and_an_edit_is_found() {
    let command = with(&["honest"]);
    let anchor = command.path("anchor");
    command.own_policy(&format!(
        "schema = 1\ntier = \"unprivileged\"\n[audit]\nanchor_file = \"{}\"\n",
        anchor.display()
    ));
    command.run(&format!("run honest.wasm {IN}")).exits(0);
    let verify = format!("audit verify --anchor {}", anchor.display());
    let verified = command.run(&verify).exits(0).stdout;
    assert!(verified.contains("proven"), "{verified}");
    // A proof of one record stands by itself.
    let id = said(&records(&command, "")[0])["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let proof = command.run(&format!("audit prove {id}")).exits(0).stdout;
    command.write("proof.json", &proof);
    command.run("audit check-proof proof.json").exits(0);
    command.write("forged.json", proof.replace("honest.wasm", "harmless.wasm"));
    assert_ne!(command.run("audit check-proof forged.json").code, Some(0));
    let log = command.state().join("audit/log-0001");
    let records = std::fs::read_dir(log)
        .unwrap()
        .map(|file| file.unwrap().path());
    let records = records.filter(|path| path.extension().is_some_and(|suffix| suffix == "jsonl"));
    let file = records.into_iter().next().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("honest.wasm", "secret.wasm", 1)).unwrap();
    command.run(&verify).exits(23);
}

#[test]
fn where_no_record_can_be_made_a_policy_decides_whether_anything_runs() {
    let command = with(&["honest"]);
    let run = |mode: &str| {
        command.own_policy(&format!(
            "schema = 1\ntier = \"unprivileged\"\n[audit]\nmode = \"{mode}\"\n"
        ));
        command.run(&format!("run honest.wasm {IN} --no-cache"))
    };
    run("off").exits(0);
    assert!(!command.state().join("audit").exists());
    run("required").exits(0);
    let audit = command.state().join("audit");
    // Open to others, whoever they are, it is nobody's to trust.
    std::fs::set_permissions(&audit, Permissions::from_mode(0o777)).unwrap();
    run("required")
        .exits(20)
        .says(&["no audit record could be made"]);
    let told = run("on").exits(0).stderr;
    assert!(told.contains("the audit log"), "{told}");
    run("off").exits(0);
    std::fs::set_permissions(&audit, Permissions::from_mode(0o700)).unwrap();
    run("required").exits(0);
}

#[test]
fn commands_add_their_counts_to_one_file() {
    let command = with(&["honest"]);
    let file = command.path("hotcell.prom");
    command.own_policy(&format!(
        "schema = 1\ntier = \"unprivileged\"\n[metrics]\ntextfile = \"{}\"\n",
        file.display()
    ));
    for launches in 1..=3 {
        command.run(&format!("run honest.wasm {IN}")).exits(0);
        let text = std::fs::read_to_string(&file).unwrap();
        let counted = text.lines().filter(|line| {
            line.starts_with("hotcell_requests_total{")
                && line.contains("verb=\"launch\"")
                && line.contains("outcome=\"done\"")
        });
        let sum: f64 = counted
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        assert_eq!(sum, f64::from(launches), "{text}");
    }
}

//! Policies as an operator has them: files, what they refuse and how, and what they come to.

use super::{IN, with};
use hotcell_tests::{Command, checkout, processes};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Observes what every launch takes more of.
pub(super) const OBSERVING: &str = "schema = 1\n[limits]\nfuel = { value = 1, mode = \"observe\" }\n\
    functions = { value = 0, mode = \"observe\" }\nhost_calls = { value = \"1M\", mode = \"observe\" }\n";
/// Serves one tenant alone, and counts its fuel.
pub(super) const STRICT_FOR_ONE: &str =
    "schema = 1\n[tenants.local]\nmetering = \"strict\"\n[tenants.local.limits]\nfuel = \"1M\"\n";

#[test]
fn a_policys_limits_are_in_force_and_a_request_stays_within_its_ceilings() {
    let command = with(&["honest", "endless_loop"]);
    command.write(
        "p.toml",
        "schema = 1\n[limits]\ntimeout_ns = \"100ms\"\n[ceilings]\ntimeout_ns = \"1s\"\n\
         [tenants.\"*\"]\n[tenants.alice.limits]\nfuel = 1000\n",
    );
    let run = |guest: &str, more: &str| {
        command.run(&format!(
            "run {guest}.wasm {IN} --policy p.toml --report r.json {more}"
        ))
    };
    run("endless_loop", "--metering fast").exits(13);
    let limit = &command.report("r.json")["limits"]["timeout_ns"];
    assert_eq!(
        (&limit["value"], &limit["source"]),
        (&100_000_000.into(), &"policy".into())
    );
    run("endless_loop", "--tenant alice").exits(12);
    let report = command.report("r.json");
    assert_eq!(report["limits"]["fuel"]["source"], "tenant");
    assert_eq!(report["tenant"], "alice");
    run("honest", "--timeout 500ms").exits(0);
    run("honest", "--timeout 2s")
        .exits(15)
        .says(&["timeout_ns", "2s", "above its ceiling of 1s"]);
}

#[test]
fn what_a_policy_does_not_grant_is_denied_with_the_line_that_would_grant_it() {
    let command = with(&["wants_clock"]);
    command.write("p.toml", "schema = 1\n[tenants.local]\n");
    command
        .run(&format!("run wants_clock.wasm {IN} --policy p.toml --grant clock"))
        .exits(15)
        .says(&[
            "hotcell:kernel/clock",
            "granted: log, control",
            "`grants = [\"log\", \"control\", \"clock\"]` under [tenants.local] of p.toml grants it",
        ]);
    // Written there, it is granted, and nobody has to ask for it by hand.
    command.write(
        "p.toml",
        "schema = 1\n[tenants.local]\ngrants = [\"log\", \"control\", \"clock\"]\n",
    );
    command
        .run(&format!("run wants_clock.wasm {IN} --policy p.toml"))
        .exits(0);
    command
        .run(&format!(
            "run wants_clock.wasm {IN} --policy p.toml --deny clock"
        ))
        .exits(15);
    command
        .run("compile wants_clock.wasm --policy p.toml --tenant bob")
        .exits(15)
        .says(&["names no tenant `bob`"]);
}

#[test]
fn tenants_kernels_and_weak_metering_are_refused_with_words() {
    let command = with(&["honest"]);
    command.write("p.toml", STRICT_FOR_ONE);
    let run = |more: &str| command.run(&format!("run honest.wasm {IN} --policy p.toml {more}"));
    run("--tenant mallory")
        .exits(15)
        .says(&["refused: p.toml names no tenant `mallory`"]);
    run("--metering fast")
        .exits(15)
        .says(&["`fast` metering was asked for, and at least `strict` is required; run it with `--metering strict`"]);
    run("").exits(0);
    command.write(
        "p.toml",
        "schema = 1\nmetering = \"deterministic\"\n[[kernels]]\nname = \"att*\"\ndeny = \"it is under review\"\n",
    );
    run("")
        .exits(15)
        .says(&["p.toml refuses this kernel: it is under review"]);
    command.write("p.toml", "schema = 1\nmetering = \"deterministic\"\n");
    run("--report r.json").exits(0);
    assert_eq!(command.report("r.json")["metering"], "deterministic");
}

#[test]
fn isolation_and_tier_are_not_weakened_by_the_command_line() {
    let command = with(&["honest"]);
    command.write("p.toml", "schema = 1\n");
    let run = |more: &str| command.run(&format!("run honest.wasm {IN} --policy p.toml {more}"));
    run("--isolation in-process")
        .exits(15)
        .says(&["p.toml requires `isolation = confined`"]);
    run("--tier insecure")
        .exits(15)
        .says(&["p.toml requires `tier = full`"]);
    command.write("p.toml", "schema = 1\nisolation = \"in-process\"\n");
    run("--isolation in-process").exits(0);
    command.write("p.toml", "schema = 1\ntier = \"insecure\"\n");
    run("").exits(0);
}

#[test]
fn observed_limits_stop_nothing_and_the_report_says_what_they_would_have() {
    let command = with(&["honest"]);
    command.write("p.toml", OBSERVING);
    command
        .run(&format!(
            "run honest.wasm {IN} --policy p.toml --report r.json"
        ))
        .exits(0);
    let report = command.report("r.json");
    let observed = report["observed"].as_array().unwrap();
    let limits: Vec<&str> = observed
        .iter()
        .map(|one| one["limit"].as_str().unwrap())
        .collect();
    assert_eq!(limits, ["fuel", "functions"]);
    assert_eq!(observed[0]["amount"]["used"], report["usage"]["fuel_used"]);
    assert_eq!(observed[0]["maximum"], 1);
    let summed = command.run("report r.json").exits(0).stdout;
    assert!(
        summed.contains("observed") && summed.contains("fuel"),
        "{summed}"
    );
    // From the cache and with everything known, it is the same.
    command
        .run(&format!(
            "run honest.wasm {IN} --policy p.toml --report r.json"
        ))
        .exits(0);
    assert_eq!(
        command.report("r.json")["observed"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_budget_bounds_what_launches_take_together_and_says_when_to_try_again() {
    let command = with(&["honest"]);
    command.write(
        "p.toml",
        "schema = 1\n[tenants.\"*\"]\n[tenants.\"*\".budgets]\nlaunches = { size = 2, refill = 1, per = \"10m\" }\n",
    );
    let run = |more: &str| {
        command.run(&format!(
            "run honest.wasm {IN} --policy p.toml --report r.json {more}"
        ))
    };
    run("").exits(0);
    run("").exits(0);
    run("")
        .exits(21)
        .says(&["budget of launches is spent: 0 of 2 are left; try again in"]);
    let cause = command.report("r.json")["outcome"]["causes"][0]["budget-spent"].clone();
    assert_eq!(
        (&cause["resource"], &cause["size"]),
        (&"launches".into(), &2.into())
    );
    let wait = cause["retry_after_ns"].as_u64().unwrap();
    assert!((1..=600_000_000_000).contains(&wait), "{wait}");
    // Each tenant has one of its own, and what is no launch is none.
    run("--tenant bob").exits(0);
    command.run("compile honest.wasm --policy p.toml").exits(0);
}

#[test]
fn an_overrun_is_owed_and_work_that_was_refused_is_charged_too() {
    let command = with(&["honest", "endless_loop"]);
    command.write(
        "p.toml",
        "schema = 1\n[tenants.local]\nrunning = 4\n[tenants.local.budgets]\ncompile_ns = { size = \"1ms\", refill = \"1ms\", per = \"10m\" }\n\
         [tenants.fuel]\nrunning = 4\n[tenants.fuel.budgets]\nfuel = { size = \"1k\", refill = \"1k\", per = \"10m\" }\n",
    );
    // The component is read before anything is found to be missing.
    command.run("run honest.wasm --policy p.toml").exits(2);
    let second = command.run(&format!("run honest.wasm {IN} --policy p.toml"));
    second
        .exits(21)
        .says(&["budget of compile_ns is spent", "are owed"]);
    let fuel = format!("run endless_loop.wasm {IN} --policy p.toml --tenant fuel --fuel 1M");
    command.run(&fuel).exits(12);
    command
        .run(&fuel)
        .exits(21)
        .says(&["budget of fuel is spent", "are owed"]);
}

#[test]
fn no_more_launches_run_at_once_than_may_and_one_that_waits_gets_its_turn() {
    let command = with(&["honest", "endless_loop"]);
    let policy =
        |waiting: u32| format!("schema = 1\n[tenants.local]\nrunning = 1\nwaiting = {waiting}\n");
    command.write("p.toml", policy(0));
    let long = format!("run endless_loop.wasm {IN} --metering fast --timeout 4s --policy p.toml");
    let short = format!("run honest.wasm {IN} --policy p.toml");
    let running = command.start(&long);
    let began = processes::eventually(Duration::from_secs(20), || {
        !processes::workers_of(running.id(), "hotcell-runner").is_empty()
    });
    assert!(began, "no runner was started");
    command
        .run(&short)
        .exits(21)
        .says(&["as many launches of the tenant are running as may, 1"]);
    command.write("p.toml", policy(1));
    command.run(&short).exits(0);
    running.wait().exits(13);
    command.run(&short).exits(0);
}

#[test]
fn accounts_that_cannot_be_used_stop_launches_that_need_them() {
    let command = with(&["honest"]);
    command.write(
        "p.toml",
        "schema = 1\n[tenants.local]\nrunning = 1\n[tenants.free]\n",
    );
    command
        .run(&format!("run honest.wasm {IN} --policy p.toml"))
        .exits(0);
    let file = command.state().join("budgets.sqlite");
    std::fs::write(&file, vec![b'x'; 4096]).unwrap();
    command
        .run(&format!("run honest.wasm {IN} --policy p.toml"))
        .exits(20)
        .says(&["the budgets cannot be used", "budgets.sqlite"]);
    // Nobody else depends on them.
    command.run(&format!("run honest.wasm {IN}")).exits(0);
    command
        .run(&format!(
            "run honest.wasm {IN} --policy p.toml --tenant free"
        ))
        .exits(0);
}

#[test]
fn as_many_launches_run_at_once_as_may_and_a_place_is_given_back() {
    let command = with(&["endless_loop"]);
    command.write("p.toml", "schema = 1\n[tenants.local]\nrunning = 4\n");
    let long = format!("run endless_loop.wasm {IN} --metering fast --timeout 3s --policy p.toml");
    let running: Vec<_> = (0..4).map(|_| command.start(&long)).collect();
    for one in running {
        one.wait().exits(13);
    }
    command
        .run(&format!(
            "run endless_loop.wasm {IN} --policy p.toml --fuel 1M"
        ))
        .exits(12);
}

#[test]
fn a_kernels_own_limits_bind_what_was_described_and_prepared_under_its_tenants() {
    let command = with(&["honest"]);
    command.write(
        "p.toml",
        "schema = 1\n[profiles.normal]\nmetering = \"deterministic\"\n[profiles.normal.ceilings]\nfunctions = 1\n",
    );
    let run = format!("run honest.wasm {IN} --policy p.toml");
    let says = ["functions", "at most 1"];
    command.run(&run).exits(19).says(&says);
    command
        .run("compile honest.wasm --policy p.toml")
        .exits(19)
        .says(&says);
    command.run(&format!("run honest.wasm {IN}")).exits(0);
    // Made under wider limits, and found: it does not fit for that.
    command.run(&format!("{run} --metering strict")).exits(15);
    command.run(&run).exits(19);
}

#[test]
fn what_a_request_asks_for_instead_is_not_told_as_observed() {
    let command = with(&["honest"]);
    command.write(
        "p.toml",
        "schema = 1\n[tenants.local.limits]\nfuel = { value = 1, mode = \"observe\" }\n",
    );
    let run = |more: &str| {
        command
            .run(&format!(
                "run honest.wasm {IN} --policy p.toml --report r.json {more}"
            ))
            .exits(0);
        command.report("r.json")["observed"].clone()
    };
    assert_eq!(run("").as_array().map(Vec::len), Some(1));
    assert_eq!(run("--fuel 1G"), Value::Null);
}

#[test]
fn a_policy_is_found_in_its_places_and_one_that_is_wrong_stops_everything() {
    let command = with(&["honest"]);
    command.own_policy("schema = 1\n[tenants.alice]\n");
    let run = format!("run honest.wasm {IN}");
    command
        .run(&run)
        .exits(15)
        .says(&["names no tenant `local`"]);
    command.run(&format!("{run} --tenant alice")).exits(0);
    command.own_policy("schema = 1\ntennants = {}\n");
    command
        .run(&run)
        .exits(2)
        .says(&["hotcell.toml:2:1: `tennants`: no such key"]);
    command.own_policy("schema = 1\n");
    let found = command.configuration().join("hotcell.toml");
    std::fs::set_permissions(&found, Permissions::from_mode(0o666)).unwrap();
    command
        .run(&run)
        .exits(3)
        .says(&["can be written by others", "chmod go-w"]);
    command
        .run(&format!("{run} --policy nosuch.toml"))
        .exits(3)
        .says(&["cannot read the policy nosuch.toml"]);
}

#[test]
fn check_tells_all_and_default_is_in_order() {
    let command = Command::new();
    let built_in = command.run("policy default").exits(0).stdout;
    command.write("p.toml", built_in);
    command.write(
        "q.toml",
        "schema = 1\n[limits]\nfuel = \"5 apples\"\ntimeout_ns = 7\n",
    );
    let checked = command.run("policy check p.toml q.toml").exits(2);
    assert_eq!(checked.stdout.trim(), "p.toml: in order");
    let lines: Vec<&str> = checked.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", checked.stderr);
    assert!(
        lines[0].contains("q.toml:3:8: `limits.fuel`"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("q.toml:4:14: `limits.timeout_ns`: `7` has no unit"),
        "{}",
        lines[1]
    );
    command.run("policy check nosuch.toml").exits(3);
}

#[test]
fn the_examples_are_in_order() {
    let command = Command::new();
    let folder = checkout().join("examples/policies");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path().display().to_string())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    command
        .run(&format!("policy check {}", files.join(" ")))
        .exits(0);
}

#[test]
fn explain_says_each_limit_and_where_it_comes_from() {
    let command = with(&["wants_clock"]);
    command.write(
        "p.toml",
        "schema = 1\n[limits]\nhost_calls = 70\nlog_bytes = { value = \"1B\", mode = \"observe\" }\n\
         [ceilings]\ntimeout_ns = \"2s\"\n[profiles.normal.ceilings]\nhost_calls = 50\n\
         [tenants.alice.limits]\nfuel = \"3M\"\n",
    );
    let explain = "policy explain wants_clock.wasm --policy p.toml --tenant alice --memory 1MiB";
    let json = command.run(&format!("{explain} --json")).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let explained = &json[0];
    assert_eq!(explained["profile"], "normal");
    assert!(
        explained["denied"]["clock"]
            .as_str()
            .unwrap()
            .contains("[tenants.alice]")
    );
    let limit = |name: &str| {
        let limits = explained["limits"].as_array().unwrap();
        limits.iter().find(|one| one["limit"] == name).unwrap()
    };
    for (name, text, from, ceiling_from) in [
        ("fuel", "3M", "tenants.alice.limits.fuel", "built-in"),
        (
            "host_calls",
            "50",
            "limits.host_calls",
            "profiles.normal.ceilings.host_calls",
        ),
        (
            "timeout_ns",
            "2s",
            "ceilings.timeout_ns",
            "ceilings.timeout_ns",
        ),
        ("memory_bytes", "1MiB", "request", "built-in"),
        ("handles", "256", "built-in default", "built-in"),
    ] {
        let limit = limit(name);
        let found = (&limit["text"], &limit["from"], &limit["ceiling_from"]);
        assert_eq!(
            found,
            (&text.into(), &from.into(), &ceiling_from.into()),
            "{name}"
        );
    }
    assert_eq!(limit("log_bytes")["observed"][1], "limits.log_bytes");
    let text = command.run(explain).exits(0).stdout;
    for line in [
        "tenant    alice",
        "denied    clock",
        "limits.log_bytes, observed only",
    ] {
        assert!(text.contains(line), "`{line}` is not in {text}");
    }
    // A launch has what was explained.
    command.run("policy explain --policy p.toml").exits(0);
    let above = command
        .run(&format!("{explain} --timeout 9s"))
        .exits(0)
        .stdout;
    assert!(
        above.contains("refused") && above.contains("above its ceiling"),
        "{above}"
    );
    command.run(&format!("{explain} --fuel apples")).exits(2);
}

#[test]
fn the_reference_in_the_documents_is_the_commands() {
    use hotcell_policy::reference::{BEGIN, END};
    let document = std::fs::read_to_string(checkout().join("docs/policy.md")).unwrap();
    let (_, rest) = document.split_once(BEGIN).expect("it begins");
    let (reference, _) = rest.split_once(END).expect("it ends");
    let made = Command::new().run("policy reference").exits(0).stdout;
    assert_eq!(
        reference.trim(),
        made.trim(),
        "put what `hotcell policy reference` prints there"
    );
}

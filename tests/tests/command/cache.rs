//! `hotcell cache` and `hotcell compile`.

use super::{IN, with};

#[test]
fn the_cache_is_listed_pruned_and_cleared() {
    let command = with(&["honest", "writes_nothing"]);
    for guest in ["honest", "writes_nothing"] {
        command
            .run(&format!("run {guest}.wasm {IN} --quiet"))
            .exits(0);
    }
    let list = command.run("cache list").exits(0).stdout;
    assert!(
        list.contains("2 artifacts") && list.contains("strict"),
        "{list}"
    );
    // Both guests are called that; they were used in this century.
    let named = list.lines().filter(|line| line.starts_with("hostile "));
    assert_eq!(named.clone().count(), 2, "{list}");
    assert!(
        named
            .clone()
            .all(|line| line.contains("  20") && line.contains(':')),
        "{list}"
    );
    let json = command.run("cache list --json").exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let entries = json.as_array().unwrap();
    assert_eq!(entries.len(), 2);
    // Room for the larger one alone: one of the two has to go.
    let sizes: Vec<u64> = entries
        .iter()
        .map(|entry| entry["bytes"].as_u64().unwrap())
        .collect();
    let room = sizes.iter().max().unwrap();
    let pruned = command
        .run(&format!("cache prune --to {room}B"))
        .exits(0)
        .stdout;
    assert_eq!(pruned.trim(), "1 removed");
    assert_eq!(
        command.run("cache clear").exits(0).stdout.trim(),
        "1 removed"
    );
    assert!(
        command
            .run("cache list")
            .exits(0)
            .stdout
            .contains("0 artifacts")
    );
    command.run("cache prune --to 5").exits(2).says(&["MiB"]);
    let path = command.run("cache path").exits(0).stdout;
    assert_eq!(path.trim(), command.artifacts().display().to_string());
}

#[test]
fn what_was_compiled_ahead_is_found() {
    let command = with(&["honest"]);
    let compiled = command.run("compile honest.wasm").exits(0).stdout;
    assert!(
        compiled.contains("compiled for strict metering in"),
        "{compiled}"
    );
    let again = command.run("compile honest.wasm").exits(0).stdout;
    assert!(again.contains("already compiled"), "{again}");
    let list = command.run("cache list").exits(0).stdout;
    assert!(list.contains("\nhostile "), "{list}");
    let report = command
        .run(&format!("run honest.wasm {IN} --report -"))
        .exits(0)
        .stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["timings"]["cache"], "hit");
}

#[test]
fn without_the_cache_nothing_is_kept() {
    let command = with(&["honest"]);
    command
        .run(&format!("run honest.wasm {IN} --no-cache --quiet"))
        .exits(0);
    assert!(!command.artifacts().exists());
}

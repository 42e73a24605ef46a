//! The penetration test itself: that it finds nothing here, and that it would find something.

use hotcell_tests::{binary, checkout, skip, tier};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `hotcell-attack` on that command.
fn attack(hotcell: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell-attack"));
    // Other tests run beside it: how promptly a compiler is stopped is for a quiet machine to say.
    command
        .args(["--leeway", "10000", "--tier", tier().name()])
        .args(["--hotcell".as_ref(), hotcell.as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .args(more);
    command.output().expect("hotcell-attack starts")
}

/// The only report of that ending in the directory.
fn report(out: &Path, ending: &str) -> String {
    let entries = std::fs::read_dir(out).expect("there are reports");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut of_ending = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    let path = of_ending.next().expect("there is a report");
    assert_eq!(of_ending.next(), None);
    let name = path.file_name().expect("it has a name").to_string_lossy();
    assert!(name.starts_with("attack-20") && name.len() > "attack-2026-01-01".len());
    std::fs::read_to_string(&path).expect("the report is text")
}

#[test]
fn a_quick_attack_finds_nothing_and_leaves_a_dated_report() {
    let out = tempfile::tempdir().unwrap();
    let hotcell = binary().expect("build the command first");
    let ended = attack(&hotcell, out.path(), &["--quick"]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let json: Value = serde_json::from_str(&report(out.path(), "json")).unwrap();
    assert_eq!(json["held"], true);
    let attacks = match hotcell_tests::gpu::has_lavapipe() {
        true => 23,
        false => {
            skip("no software Vulkan device: install mesa-vulkan-drivers and libvulkan1");
            19
        }
    };
    assert_eq!(json["attacks"].as_array().unwrap().len(), attacks);
    assert!(
        json["host"]["hotcell"]
            .as_str()
            .unwrap()
            .starts_with("hotcell ")
    );
    let text = report(out.path(), "md");
    for word in [
        "| honest |",
        "| huge.npy |",
        &format!("{attacks} attacks, 0 of which"),
        "## Walls",
        "enforced",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_command_that_survives_nothing_fails_every_attack() {
    use std::os::unix::fs::PermissionsExt;
    let out = tempfile::tempdir().unwrap();
    // It claims success, says nothing, leaves a file and a process behind.
    let fake = out.path().join("fake");
    std::fs::write(&fake, "#!/bin/sh\ntouch litter\n/bin/sleep 60 &\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = attack(&fake, out.path(), &["--only", "divides_by_zero"]);
    assert_eq!(ended.status.code(), Some(1));
    let json: Value = serde_json::from_str(&report(out.path(), "json")).unwrap();
    let faults = json["attacks"][0]["faults"].to_string();
    for word in [
        "there is no report",
        "ended otherwise",
        "litter",
        "sleep",
        "outlived",
    ] {
        assert!(faults.contains(word), "{word}: {faults}");
    }
    let walls = json["host"]["faults"].to_string();
    assert!(walls.contains("doctor speaks of 0 workers"), "{walls}");
}

#[test]
fn what_is_attacked_has_to_be_there() {
    let out = tempfile::tempdir().unwrap();
    let ended = attack(&checkout().join("nosuch"), out.path(), &[]);
    assert_eq!(ended.status.code(), Some(2));
}

//! `--dir`, and the directories of a policy.

use hotcell_tests::{Command, checkout, npy};

/// A place with a directory `given`, in which there is a file, and the probe's script.
fn place(script: &str) -> (Command, String) {
    let command = Command::new();
    command.write(
        "s.npy",
        npy("|u1", &[script.len() as u64], script.as_bytes()),
    );
    std::fs::create_dir(command.path("given")).expect("a directory");
    command.write("given/file", "inside");
    let probe = checkout().join("target/kernels/wasi-probe.wasm");
    let run = format!(
        "run {} --in script=@s.npy --dim m=64 --report r.json",
        probe.display()
    );
    (command, run)
}

#[test]
fn a_directory_of_the_command_line_brings_its_grants_and_is_read_only_unless_said() {
    let (command, run) = place("append /data/file +");
    command.run(&run).exits(15).says(&["wasi:", "--grant wasi"]);
    let told = |arguments: &str| {
        command
            .run(&format!("{run} {arguments} --out told=@told.npy"))
            .exits(0);
        let told = hotcell_tests::read_npy(command.path("told.npy"));
        String::from_utf8(told).expect("text")
    };
    assert!(told("--dir /data=given").starts_with("ReadOnlyFilesystem\n"));
    let report = command.report("r.json");
    assert_eq!(
        report["grants"],
        serde_json::json!(["log", "control", "wasi", "files"])
    );
    assert!(told("--grant wasi").starts_with("NotFound\n"));
    assert_eq!(
        command.report("r.json")["usage"]["files"],
        serde_json::Value::Null
    );
    assert!(told("--dir /data=given:rw").starts_with("done\n"));
    let files = &command.report("r.json")["usage"]["files"];
    assert_eq!(files["bytes_written"], 1);
    let file = std::fs::read_to_string(command.path("given/file")).expect("it is there");
    assert_eq!(file, "inside+");
}

#[test]
fn directories_that_are_none_are_told_with_the_right_code() {
    let (command, run) = place("begin");
    let none = format!("{run} --dir /data=nothing");
    command
        .run(&none)
        .exits(3)
        .says(&["`/data`", "No such file"]);
    let file = format!("{run} --dir /data=given/file");
    command.run(&file).exits(3).says(&["Not a directory"]);
    for wrong in [
        "/data",
        "data=given",
        "/a/../b=given",
        "/data=given --dir /data=given",
    ] {
        command.run(&format!("{run} --dir {wrong}")).exits(2);
    }
}

#[test]
fn a_policy_gives_directories_and_the_command_line_does_not() {
    let (command, run) = place("write /out/made x");
    std::fs::create_dir(command.path("results")).expect("a directory");
    let results = command.path("results");
    command.write(
        "p.toml",
        format!(
            "schema = 1\n[tenants.local]\ngrants = [\"wasi\", \"files\"]\n\
             [tenants.local.directories]\n\"/out\" = {{ path = \"{}\", write = true }}\n",
            results.display()
        ),
    );
    command.run(&format!("{run} --policy p.toml")).exits(0);
    assert!(results.join("made").exists());
    command
        .run(&format!("{run} --policy p.toml --dir /data=given"))
        .exits(2)
        .says(&["`--dir`", "p.toml"]);
    let explained = command
        .run("policy explain --policy p.toml")
        .exits(0)
        .stdout;
    let line = format!("directory /out = {} (read and write)", results.display());
    assert!(explained.contains(&line), "{explained}");
}

#[test]
fn every_limit_on_files_is_told_with_both_numbers() {
    for (limit, line, words) in [
        (
            "file_opens=2",
            "open /data/file 5",
            "limit file_opens: 3 requested, at most 2 allowed",
        ),
        (
            "file_handles=2",
            "keep /data/file 5",
            "limit file_handles: 3 requested, at most 2 allowed",
        ),
        (
            "file_bytes=4B",
            "read /data/file",
            "limit file_bytes: 6B requested, at most 4B allowed",
        ),
        (
            "file_bytes_written=4B",
            "at /data/file 1048576 x",
            "limit file_bytes_written: ",
        ),
    ] {
        let (command, run) = place(line);
        command
            .run(&format!("{run} --dir /data=given:rw --limit {limit}"))
            .exits(19)
            .says(&[words]);
    }
}

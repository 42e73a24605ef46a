//! Nothing that a command writes destroys what its user did not ask to replace, nothing that it names keeps it waiting,
//! and nobody has to read what it says.

use super::{IN, with};
use hotcell_tests::{Command, binary, read_npy};
use std::path::Path;
use std::process::{Command as Program, Stdio};

/// A place with an input under several names, and a component that would never end.
fn place() -> Command {
    let command = with(&["endless_loop", "honest"]);
    let path = |name: &str| command.path(name);
    std::fs::hard_link(path("x.npy"), path("hard.npy")).unwrap();
    std::fs::copy(path("x.npy"), path("f-3.png")).unwrap();
    std::os::unix::fs::symlink("x.npy", path("soft.npy")).unwrap();
    std::fs::hard_link(path("endless_loop.wasm"), path("k.npy")).unwrap();
    std::fs::create_dir(path("d")).unwrap();
    command
}

fn contents(command: &Command) -> Vec<(String, Vec<u8>)> {
    let bytes = |name: &String| std::fs::read(command.path(name)).unwrap_or_default();
    let names = command.listing().into_iter();
    names.map(|name| (name.clone(), bytes(&name))).collect()
}

#[test]
fn what_would_be_destroyed_is_refused_before_anything_runs() {
    let command = place();
    let before = contents(&command);
    for arguments in [
        "--report x.npy",
        "--report ./x.npy",
        "--report d/../x.npy",
        "--report hard.npy",
        "--report soft.npy",
        "--report endless_loop.wasm",
        "--report k.npy",
        "--report y.npy --out out=@y.npy",
        "--report d/../y.npy --out out=@y.npy",
        "--report f-7.png --out out=@f-{}.png",
        "--report a.npz --out out=@a.npz:y",
        "--out out=@./x.npy",
        "--out out=@hard.npy",
        "--out out=@soft.npy",
        "--out out=@k.npy",
    ] {
        let line = format!("run endless_loop.wasm {IN} --quiet {arguments}");
        command.run(&line).exits(2).says(&["would be written over"]);
        assert_eq!(contents(&command), before, "{arguments}");
    }
    let frames = "run endless_loop.wasm --in x=@f-3.png --out out=@f-{}.png";
    command
        .run(frames)
        .exits(2)
        .says(&["would be written over"]);
    assert_eq!(contents(&command), before);
}

#[test]
fn a_receipt_is_not_replaced_by_the_report_of_its_rerun() {
    let command = place();
    command
        .run(&format!("run honest.wasm {IN} --quiet --report r.json"))
        .exits(0);
    let before = contents(&command);
    for report in ["r.json", "x.npy", "honest.wasm"] {
        let line = format!("rerun r.json {IN} --report {report}");
        command.run(&line).exits(2).says(&["would be written over"]);
        assert_eq!(contents(&command), before, "{report}");
    }
}

#[test]
fn a_component_is_not_built_over_what_it_is_made_from() {
    let command = place();
    command.write("k.toml", "");
    let before = contents(&command);
    for (out, code) in [
        ("k.toml", 2),
        ("k.npy", 2),
        ("soft.npy", 3),
        ("d", 3),
        ("/dev/null", 3),
    ] {
        let line = format!("build endless_loop.wasm --manifest k.toml --replace --out {out}");
        command.run(&line).exits(code);
        assert_eq!(contents(&command), before, "{out}");
    }
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
}

#[test]
fn an_archive_is_not_replaced_for_one_of_its_arrays() {
    let command = place();
    let write = |member: &str| {
        command.run(&format!(
            "run honest.wasm {IN} --quiet --out out=@a.npz:{member}"
        ))
    };
    write("y").exits(0);
    write("y").exits(0);
    let before = contents(&command);
    write("z").exits(2).says(&["a.npz", "`y`", "lost"]);
    assert_eq!(contents(&command), before);
}

/// Runs a line of the shell in the working directory, with the command as `$H`.
fn shell(command: &Command, line: &str) -> std::process::Output {
    Program::new("timeout")
        .args(["--signal=KILL", "50", "bash", "-c", line])
        .current_dir(command.path(""))
        .env("H", binary().expect("the command is built"))
        .env("HOME", command.path("d"))
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

#[test]
fn nothing_that_is_named_keeps_the_command_waiting() {
    let command = place();
    let made = shell(&command, "mkfifo pipe pipe.npy pipe.json");
    assert!(made.status.success());
    for (line, code) in [
        ("run pipe --in x=@x.npy", 3),
        ("run /dev/zero --in x=@x.npy", 3),
        ("run /dev/ptmx --in x=@x.npy", 3),
        ("run d --in x=@x.npy", 3),
        ("inspect pipe", 3),
        ("compile pipe", 3),
        ("build pipe", 3),
        ("rerun pipe", 3),
        ("rerun /dev/zero", 3),
        ("build honest.wasm --manifest pipe", 3),
        ("run honest.wasm --in x=@pipe.npy", 3),
        ("run honest.wasm --in x=@x.npy --out out=@pipe.npy", 3),
        ("run honest.wasm --in x=@x.npy --report pipe.json", 3),
        ("run honest.wasm --in x=@x.npy --report d", 3),
        ("run honest.wasm --in x=@x.npy --report /dev/full", 3),
    ] {
        command.run(line).exits(code);
    }
}

#[test]
fn a_report_goes_where_it_can_be_read() {
    let command = place();
    let run = format!("\"$H\" run honest.wasm {IN} --quiet --report");
    for line in [
        format!("mkfifo p; cat p > r.json & {run} p; wait"),
        format!("{run} /dev/stdout > r.json"),
        format!("{run} /dev/stdout | cat > r.json"),
        format!("{run} /dev/fd/7 7> r.json"),
        format!("{run} - > r.json"),
        format!("{run} >(cat > r.json); while ! grep -q '^}}' r.json; do sleep 0.02; done"),
        format!("{run} r.json; {run} /dev/null"),
    ] {
        let _ = std::fs::remove_file(command.path("r.json"));
        let ended = shell(&command, &line);
        assert!(ended.status.success(), "{line}: {ended:?}");
        assert_eq!(
            command.report("r.json")["outcome"]["kind"],
            "done",
            "{line}"
        );
    }
    assert!(
        !Path::new("/dev/stdout")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn a_report_is_not_added_to_an_input() {
    let command = place();
    let before = contents(&command);
    for line in [
        format!("\"$H\" run honest.wasm {IN} --quiet --report - >> x.npy"),
        format!("\"$H\" run honest.wasm {IN} --quiet --report /dev/stdout >> x.npy"),
        format!("\"$H\" run honest.wasm {IN} --quiet --report /dev/fd/7 7>> x.npy"),
    ] {
        assert_eq!(shell(&command, &line).status.code(), Some(2), "{line}");
        assert_eq!(contents(&command), before);
    }
}

#[test]
fn nobody_has_to_read_what_the_command_says() {
    let command = place();
    for (arguments, codes) in [
        ("--help", &[0, 141][..]),
        ("inspect honest.wasm", &[0, 141]),
        ("inspect honest.wasm --json", &[0, 141]),
        ("doctor", &[0, 1, 22, 141]),
        ("doctor --json", &[0, 1, 22, 141]),
        ("cache list", &[0, 141]),
        ("cache path", &[0, 141]),
        ("compile honest.wasm", &[0]),
        ("cache prune", &[0]),
        (
            "run honest.wasm --in x=@x.npy --report - --out out=@o.npy",
            &[0],
        ),
        (
            "run endless_loop.wasm --in x=@x.npy --fuel 1M --report -",
            &[12],
        ),
        ("inspect nosuch.wasm", &[3]),
    ] {
        // Nobody reads, from before the command says anything.
        let both =
            format!("(sleep 0.2; exec \"$H\" {arguments}) 2>&1 | true; exit ${{PIPESTATUS[0]}}");
        let output =
            format!("(sleep 0.2; exec \"$H\" {arguments}) 2>err | true; exit ${{PIPESTATUS[0]}}");
        for line in [&both, &output] {
            let code = shell(&command, line).status.code().unwrap();
            assert!(codes.contains(&code), "{line}: {code}");
        }
        let said = std::fs::read_to_string(command.path("err")).unwrap();
        assert!(!said.contains("panicked"), "{arguments}: {said}");
    }
    assert_eq!(read_npy(command.path("o.npy")).len(), 4096);
}

#[test]
fn the_command_leaves_nothing_for_others_to_reap() {
    let command = place();
    // A process that adopts what is left, waits for the command alone, and then looks for children.
    let adopt = "import ctypes, os, subprocess, sys\n\
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n\
        subprocess.run(sys.argv[1:])\n\
        try: sys.exit(f'left: {os.waitpid(-1, os.WNOHANG)}')\n\
        except ChildProcessError: pass\n";
    command.write("adopt.py", adopt);
    for line in [
        "run honest.wasm --in x=@x.npy --quiet --no-cache",
        "inspect honest.wasm",
    ] {
        for _ in 0..10 {
            let ended = shell(&command, &format!("python3 adopt.py \"$H\" {line}"));
            let said = String::from_utf8_lossy(&ended.stderr);
            if said.contains("python3") && ended.status.code() == Some(127) {
                return hotcell_tests::skip("no python3 here");
            }
            assert!(ended.status.success(), "{line}: {said}");
        }
    }
}

#[test]
fn limits_of_the_shell_are_called_by_their_names() {
    let command = place();
    let run = format!("\"$H\" run honest.wasm {IN} --out out=@o.npy --quiet --report r.json");
    for (limit, codes, word) in [
        ("ulimit -v 16000000", &[0, 20][..], "address space"),
        ("ulimit -f 2", &[3], "ulimit -f"),
        ("ulimit -f 0", &[3], "report"),
    ] {
        let ended = shell(&command, &format!("{limit}; {run}"));
        let said = String::from_utf8_lossy(&ended.stderr);
        let code = ended.status.code().unwrap();
        assert!(codes.contains(&code), "{limit}: {code}: {said}");
        assert!(code == 0 || said.contains(word), "{limit}: {said}");
        assert!(!said.contains("SIGSYS"), "{limit}: {said}");
        if code != 0 && command.path("r.json").exists() {
            assert!(command.report("r.json")["alerts"].is_null());
        }
        assert!(
            !command
                .listing()
                .iter()
                .any(|name| name.starts_with(".hotcell"))
        );
    }
}

#[test]
fn root_of_a_namespace_that_cannot_change_groups_has_walls() {
    let command = place();
    let run = format!("unshare -Ur \"$H\" run honest.wasm {IN} --quiet --tier unprivileged");
    if !shell(&command, "unshare -Ur true").status.success() {
        return hotcell_tests::skip("no user namespaces here");
    }
    let ended = shell(&command, &run);
    assert!(ended.status.success(), "{ended:?}");
}

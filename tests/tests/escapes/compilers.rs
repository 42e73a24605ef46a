//! Compilers that turned hostile: what they answer is held against the memory, the limits and the protocol, and
//! what they make reaches nothing but a confined runner.

use super::{alerts, hostile_compiler};
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::AlertKind::{FilterKill, HostileWorker, WorkerDied};
use hotcell::{Ended, Places};
use hotcell_model::frame::{WireDescription, decode_long, encode_long};
use hotcell_model::shader::{Judged, Shader};
use hotcell_tests::processes::{children, descriptors, eventually};
use hotcell_tests::{
    Arena, Command, Guest, Hostile, alone, assert_breached, assert_ended, cell, checkout,
    description, honest_request, isolation_of, skip,
};
use std::time::{Duration, Instant};

/// Runs the honest guest behind a fake compiler.
fn run(hostile: &Hostile) -> Ended {
    let ended = hostile
        .build()
        .run(&Guest::named("honest").component(), honest_request());
    assert!(ended.results.is_empty(), "{:?}", ended.outcome);
    ended
}

/// Runs each behaviour; all must end as nobody's fault, and be seen as the worker's hostility.
fn all_hostile(behaviours: &[&str]) {
    for behaviour in behaviours {
        let ended = run(&hostile_compiler(behaviour));
        let seen = (ended.outcome.kind, ended.outcome.blame, alerts(&ended));
        let expected = (
            OutcomeKind::HostFault,
            Some(Blame::Unknown),
            vec![HostileWorker],
        );
        assert_eq!(
            seen, expected,
            "{behaviour}: {:?} {:?}",
            ended.outcome, ended.report.alerts
        );
        assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Unknown));
    }
    Arena::of(isolation_of("confined")).assert_serves();
}

#[test]
fn a_greeting_or_an_answer_out_of_shape_is_hostile() {
    all_hostile(&[
        "wrong-kind",
        "hello-cut",
        "hello-and-more",
        "hello-with-descriptors",
        "babbles spawned",
        "shouts spawned",
        "mumbles spawned",
        "babbles describe",
        "shouts describe",
        "mumbles describe",
        "smuggles describe",
        "babbles compile",
        "shouts compile",
        "mumbles compile",
        "smuggles compile",
    ]);
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_is_hostile() {
    all_hostile(&[
        "claims-too-much describe",
        "claims-the-most describe",
        "claims-nothing describe",
        "claims-one-byte describe",
        "answers-another-question describe",
        "refuses-by-no-limit describe",
        "keeps-memory-mapped describe",
        "claims-too-much compile",
        "claims-the-most compile",
        "answers-another-question compile",
        "refuses-by-no-limit compile",
        "keeps-memory-mapped compile",
    ]);
}

#[test]
fn a_compiler_that_dies_or_says_that_it_failed_is_a_host_fault() {
    for (behaviour, words) in [
        ("exits spawned", "exit code 3"),
        ("exits hello", "exit code 3"),
        ("faults describe", "SIGSEGV"),
        ("calls describe", "SIGSYS"),
        ("exits compile", "exit code 3"),
        ("faults compile", "SIGSEGV"),
        ("calls compile", "SIGSYS"),
        ("fails describe", "no reason"),
        ("fails compile", "no reason"),
    ] {
        let ended = run(&hostile_compiler(behaviour));
        assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Unknown));
        let kind = match words {
            "SIGSYS" => FilterKill,
            _ => WorkerDied,
        };
        assert_eq!(alerts(&ended), [kind], "{behaviour}");
        assert!(
            ended.outcome.message.contains(words),
            "{behaviour}: {}",
            ended.outcome.message
        );
    }
}

#[test]
fn a_compiler_that_never_answers_ends_at_the_limit_on_wall_time() {
    for behaviour in [
        "hangs describe",
        "stops describe",
        "hangs compile",
        "stops compile",
    ] {
        let hostile = hostile_compiler(behaviour);
        let begin = Instant::now();
        let request = honest_request().limit(Limit::CompileWall, 300_000_000);
        let ended = hostile
            .build()
            .run(&Guest::named("honest").component(), request);
        assert_breached(&ended, Limit::CompileWall, 300_000_000);
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{behaviour}: {:?}",
            begin.elapsed()
        );
    }
}

#[test]
fn a_compilation_that_hangs_can_be_cancelled() {
    let hostile = hostile_compiler("hangs compile");
    let cell = hostile.build();
    let launch = cell
        .start(&Guest::named("honest").component(), honest_request())
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    launch.cancel();
    assert_ended(&launch.wait(), OutcomeKind::Cancelled, Some(Blame::Request));
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn an_artifact_of_noise_never_runs_and_is_not_kept() {
    let base = tempfile::tempdir().unwrap();
    let places = Places {
        state: base.path().join("state"),
        cache: base.path().join("cache"),
    };
    for behaviour in ["", "claims-nothing compile", "claims-one-byte compile"] {
        let hostile = hostile_compiler(behaviour);
        let cell = hostile.cell().cache(places.clone()).build().unwrap();
        let ended = cell.run(&Guest::named("honest").component(), honest_request());
        assert_eq!(
            ended.outcome.kind,
            OutcomeKind::HostFault,
            "{behaviour}: {:?}",
            ended.outcome
        );
        let kept = std::fs::read_dir(base.path().join("cache/artifacts")).unwrap();
        assert_eq!(
            kept.count(),
            0,
            "{behaviour}: what does not load is not kept"
        );
    }
    let cell = cell(isolation_of("confined"))
        .cache(places)
        .build()
        .unwrap();
    Arena::with(cell).assert_serves();
}

/// The description of the honest guest, with something changed.
fn changed(change: impl FnOnce(&mut WireDescription)) -> Vec<u8> {
    let mut wire: WireDescription = decode_long(&description(&Guest::named("honest"))).unwrap();
    change(&mut wire);
    let mut bytes = Vec::new();
    encode_long(&wire, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_description_that_is_none_is_hostile_and_one_without_a_manifest_no_kernel() {
    for garbage in [
        vec![0xff; 100],
        vec![0; 100],
        [changed(|_| ()), vec![0]].concat(),
    ] {
        let ended = run(&hostile_compiler("").describes(&garbage));
        assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Unknown));
        assert_eq!(alerts(&ended), [HostileWorker]);
    }
    for manifest in [Vec::new(), vec![0xff; 64], b"\x02\0\0\0{}".to_vec()] {
        let none = changed(|wire| wire.manifest = manifest);
        let ended = run(&hostile_compiler("").describes(&none));
        assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
    }
}

fn shader() -> Shader {
    Shader {
        name: "a.wgsl".to_owned(),
        offset_bytes: u64::MAX,
        len_bytes: 1,
        judged: Judged::Entries(Vec::new()),
    }
}

#[test]
fn counts_and_imports_that_are_made_up_grant_nothing_and_break_nothing() {
    let name = "x".repeat(1 << 20);
    for description in [
        changed(|wire| wire.counts.functions = u64::MAX),
        changed(|wire| wire.counts.component_bytes = 0),
        changed(|wire| wire.imports = vec![String::new(); 100_000]),
        changed(|wire| {
            wire.imports
                .push(format!("hotcell:kernel/random@0.2.0\n{name}"))
        }),
        changed(|wire| wire.imports.push("\x1b[2J".to_owned())),
        changed(|wire| wire.shaders = vec![shader(), shader()]),
    ] {
        let ended = run(&hostile_compiler("").describes(&description));
        let message = &ended.outcome.message;
        assert_ne!(ended.outcome.kind, OutcomeKind::Done);
        assert!(
            !message.contains("panicked") && message.len() < 16 << 10,
            "{message}"
        );
        assert!(!message.chars().any(char::is_control), "{message}");
    }
}

#[test]
fn hostile_compilers_leave_no_process_and_no_descriptor() {
    alone!(hostile_compilers_leave_no_process_and_no_descriptor);
    run(&hostile_compiler("fails compile"));
    let before = descriptors();
    for behaviour in [
        "smuggles spawned",
        "smuggles describe",
        "smuggles compile",
        "keeps-memory-mapped compile",
        "claims-the-most compile",
        "exits describe",
        "mumbles describe",
        "shouts compile",
    ] {
        run(&hostile_compiler(behaviour));
        let is_clean = || children().is_empty() && descriptors() <= before;
        assert!(
            eventually(Duration::from_secs(60), is_clean),
            "{behaviour}: {:?}, {} descriptors after {before}",
            children(),
            descriptors()
        );
    }
}

#[test]
fn nothing_but_a_worker_reads_the_file_that_is_inspected() {
    let hostile = hostile_compiler("").describes(&changed(|wire| {
        // Nothing that a parser here could have found in the file.
        wire.manifest = Guest::named("honest")
            .record(|record| record.name = "invented".into())
            .manifest();
    }));
    let command = Command::new();
    command.write("noise.wasm", b"\x7fELF is no Wasm, and neither is this\0");
    let line = format!(
        "inspect noise.wasm --tier insecure --workers {}",
        hostile.path().display()
    );
    let finished = command.run(&line).exits(0);
    assert!(finished.stdout.contains("invented"), "{}", finished.stdout);
}

#[test]
fn a_confined_supervisor_is_built_without_anything_that_parses_wasm() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let line = "tree --offline -p hotcell --no-default-features --features confined -e normal --prefix none";
    let tree = std::process::Command::new(cargo)
        .args(line.split_whitespace())
        .current_dir(checkout())
        .output();
    let Ok(tree) = tree else {
        return skip("there is no cargo here to ask for the tree of dependencies");
    };
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("hotcell-sandbox"), "{tree}");
    for part in [
        "wasmparser",
        "wasmtime",
        "cranelift",
        "wasm-encoder",
        "wit-parser",
    ] {
        let found = tree.lines().find(|line| line.starts_with(part));
        assert_eq!(found, None, "the supervisor must not parse what is hostile");
    }
}

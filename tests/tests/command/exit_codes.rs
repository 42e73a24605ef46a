//! Every exit code that can be had here, each with one clear line and a report.

use super::{IN, with};
use hotcell_tests::{Command, Guest};

/// Guest, further arguments, exit code, outcome, words of the message.
type Row = (
    &'static str,
    &'static str,
    i32,
    &'static str,
    &'static [&'static str],
);

const TABLE: [Row; 17] = [
    ("honest", IN, 0, "done", &[]),
    ("honest", "", 2, "usage", &["input `x`", "missing"]),
    (
        "honest",
        "nosuch --in x=@x.npy",
        2,
        "usage",
        &["no entry `nosuch`", "attack"],
    ),
    (
        "honest",
        "--in x=@x.npy --in b=1",
        2,
        "usage",
        &["no scalar `b`"],
    ),
    ("honest", "--in x=1", 2, "usage", &["`x`", "@FILE"]),
    (
        "honest",
        "--in x=@x.npy --dim n=7",
        2,
        "usage",
        &["`n`", "4096", "7"],
    ),
    ("honest", "--in x=@nosuch.npy", 3, "io", &["nosuch.npy"]),
    ("bad_argument", IN, 10, "kernel-error", &["wrong"]),
    ("divides_by_zero", IN, 11, "trap", &["divide by zero"]),
    ("endless_recursion", IN, 11, "trap", &["stack"]),
    (
        "endless_loop",
        "--in x=@x.npy --fuel 1M",
        12,
        "out-of-fuel",
        &["1M", "--fuel"],
    ),
    (
        "endless_loop",
        "--in x=@x.npy --timeout 50ms",
        13,
        "timeout",
        &["50ms", "--timeout"],
    ),
    (
        "memory_in_one_step",
        IN,
        14,
        "memory-limit",
        &["256MiB", "--memory"],
    ),
    ("wants_clock", IN, 15, "denied", &["--grant clock"]),
    (
        "honest",
        "--in x=@x.npy --memory 64GiB",
        15,
        "denied",
        &["64GiB", "4GiB"],
    ),
    (
        "host_call_flood",
        "--in x=@x.npy --limit host_calls=10",
        19,
        "limit",
        &["host_calls", "10"],
    ),
    (
        "honest",
        "--in x=@x.npy --limit functions=1",
        19,
        "limit",
        &["functions", "1"],
    ),
];

#[test]
fn every_outcome_has_its_exit_code_one_line_and_a_report() {
    let names: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    let command = with(&names);
    for (guest, arguments, code, kind, words) in TABLE {
        let line = format!("run {guest}.wasm {arguments} --quiet --report r.json");
        let finished = command.run(&line).exits(code);
        if code == 0 {
            assert_eq!(
                (finished.stderr.as_str(), finished.stdout.as_str()),
                ("", ""),
                "{line}"
            );
        } else {
            finished.says(words).says(&["hotcell: ", kind]);
        }
        let report = command.report("r.json");
        assert_eq!(report["outcome"]["kind"], kind, "{line}");
        assert_eq!(report["schema"], 2);
        assert_eq!(report["isolation"], "confined");
        std::fs::remove_file(command.path("r.json")).unwrap();
    }
}

#[test]
fn bytes_that_are_no_kernel_exit_16() {
    let command = with(&[]);
    for (name, bytes) in [
        ("empty.wasm", Vec::new()),
        ("text.wasm", b"not wasm".to_vec()),
        ("core.wasm", b"\0asm\x01\0\0\0".to_vec()),
        ("cut.wasm", Guest::named("honest").bytes()[..200].to_vec()),
    ] {
        command.write(name, bytes);
        let line = format!("run {name} {IN} --report r.json");
        command.run(&line).exits(16).says(&["invalid-component"]);
        assert_eq!(command.report("r.json")["outcome"]["blame"], "guest");
        command
            .run(&format!("inspect {name}"))
            .exits(16)
            .says(&["hotcell: "]);
        command
            .run(&format!("compile {name}"))
            .exits(16)
            .says(&["hotcell: "]);
    }
}

#[test]
fn options_that_make_no_sense_exit_2_with_the_option() {
    let command = with(&["honest"]);
    for (arguments, word) in [
        ("--timeout 200", "--timeout"),
        ("--memory 256MB", "--memory"),
        ("--metering slow", "slow"),
        ("--threads 0", "--threads"),
        ("--grant wings", "wings"),
        ("--limit wings=1", "wings"),
        ("--isolation none", "none"),
        ("--in x", "--in"),
        ("--in x=@x.npy --in x=@x.npy", "twice"),
        ("--out out=out.npy", "--out"),
        ("--in x=@x.npy --out nosuch=@y.npy", "nosuch"),
        ("--dim n=-1", "--dim"),
    ] {
        let finished = command
            .run(&format!("run honest.wasm {arguments}"))
            .exits(2);
        assert!(
            finished.stderr.contains(word),
            "{arguments}: {}",
            finished.stderr
        );
    }
}

#[test]
fn a_component_that_is_not_there_exits_3_with_a_report() {
    let command = with(&[]);
    let finished = command.run("run nosuch.wasm --report r.json").exits(3);
    finished.says(&["nosuch.wasm", "No such file"]);
    let report = command.report("r.json");
    assert_eq!(report["outcome"]["kind"], "io");
    assert!(report["component"].get("digest").is_none());
}

#[test]
fn a_cache_that_cannot_be_used_exits_20_and_says_how_to_go_on() {
    let command = with(&["honest"]);
    command.run(&format!("run honest.wasm {IN}")).exits(0);
    let artifacts = command.artifacts();
    std::fs::remove_dir_all(&artifacts).unwrap();
    std::fs::write(&artifacts, "in the way").unwrap();
    let finished = command.run(&format!("run honest.wasm {IN}")).exits(20);
    finished.says(&["--no-cache"]);
    command
        .run(&format!("run honest.wasm {IN} --no-cache"))
        .exits(0);
}

#[test]
fn one_of_several_entries_has_to_be_named() {
    let command = with(&[]);
    let (one, two) = (
        Guest::named("honest"),
        Guest::named("honest").record(|r| r.name = "b".into()),
    );
    let both = vec![
        [
            two.manifest().split_off(component_record(&two)),
            one.manifest(),
        ]
        .concat(),
    ];
    command.guest("both", &one.sections(both));
    command
        .run(&format!("run both.wasm {IN}"))
        .exits(2)
        .says(&["several entries", "attack, b"]);
    command
        .run(&format!("run both.wasm b {IN} --quiet"))
        .exits(0);
}

/// The length of the manifest's first record, which is the component's.
fn component_record(guest: &Guest) -> usize {
    let manifest = guest.manifest();
    let len = u32::from_le_bytes([manifest[0], manifest[1], manifest[2], manifest[3]]);
    4 + usize::try_from(len).unwrap()
}

#[test]
fn a_dimension_that_no_input_fixes_is_asked_for_and_given() {
    let command = with(&[]);
    let guest = Guest::named("writes_nothing").record(|record| {
        record.signature = "->(n)".into();
        record.parameters.remove(0);
    });
    command.guest("free", &guest);
    command
        .run("run free.wasm")
        .exits(2)
        .says(&["dimension `n`", "--dim n="]);
    command
        .run("run free.wasm --dim n=3 --out out=@out.npy --quiet")
        .exits(0);
    assert_eq!(hotcell_tests::read_npy(command.path("out.npy")), [0; 3]);
    command
        .run("run free.wasm --dim n=18446744073709551615")
        .exits(2)
        .says(&["maximum 4294967295"]);
    command
        .run("run free.wasm --dim n=4096 --limit bytes_out=1KiB")
        .exits(19)
        .says(&["bytes_out"]);
}

#[test]
fn a_trap_shows_its_functions_below_the_line() {
    let command = with(&["divides_by_zero"]);
    let finished = command
        .run(&format!("run divides_by_zero.wasm {IN}"))
        .exits(11);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert!(
        lines[0].starts_with("hotcell: trap: the kernel trapped"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("    in ") && lines[1].contains("quotient"),
        "{lines:?}"
    );
}

#[test]
fn a_kernels_log_is_shown_as_its_words_and_cannot_move_the_cursor() {
    let command = with(&["log_forgery"]);
    let finished = command.run(&format!("run log_forgery.wasm {IN}")).exits(0);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "kernel warn: fine\\nhotcell: done\\r\\u{1b}[2J\\u{202e}"
    );
    assert_eq!(lines.len(), 2, "the host's own line follows: {lines:?}");
}

#[test]
fn help_names_every_command_and_every_option_of_run() {
    let command = Command::new();
    let help = command.run("--help").exits(0).stdout;
    for word in [
        "run", "inspect", "compile", "rerun", "build", "new", "cache",
    ] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(word)),
            "{word}: {help}"
        );
    }
    let help = command.run("run --help").exits(0).stdout;
    for option in [
        "--in",
        "--out",
        "--dim",
        "--timeout",
        "--fuel",
        "--memory",
        "--metering",
        "--threads",
        "--seed",
        "--grant",
        "--isolation",
        "--report",
        "--quiet",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(
        command
            .run("--version")
            .exits(0)
            .stdout
            .starts_with("hotcell ")
    );
}

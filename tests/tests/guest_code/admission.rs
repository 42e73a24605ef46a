//! What is refused before it is compiled: imports, manifests, bytes that are no kernel, counts over limits.

use hotcell::grant::{Capability, Grants};
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, Cause, OutcomeKind};
use hotcell::{Component, Ended, Metering};
use hotcell_tests::{Guest, arena, assert_breached, assert_ended, honest_request};

/// Checks that a launch was refused without compiling or running anything, with those words.
#[track_caller]
fn assert_refused(ended: &Ended, kind: OutcomeKind, blame: Blame, words: &[&str]) {
    assert_ended(ended, kind, Some(blame));
    for word in words {
        assert!(
            ended.outcome.message.contains(word),
            "`{word}`: {}",
            ended.outcome.message
        );
    }
    let timings = &ended.report.timings;
    assert_eq!((&timings.cache, timings.compile_ns), (&None, 0));
    assert_eq!(ended.report.usage.instances, 0);
}

#[track_caller]
fn assert_invalid(bytes: Vec<u8>, words: &[&str]) {
    let arena = arena!();
    let ended = arena.cell.run(&Component::new(bytes), honest_request());
    assert_refused(&ended, OutcomeKind::InvalidComponent, Blame::Guest, words);
    arena.assert_serves();
}

#[test]
fn an_import_that_is_not_granted_is_denied_with_what_is() {
    let ended = arena!().attack("wants_clock");
    let words = ["hotcell:kernel/clock@0.2.0", "granted: "];
    assert_refused(&ended, OutcomeKind::Denied, Blame::Operator, &words);
    let ended = arena!().attack("wants_random");
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Operator,
        &["hotcell:kernel/random", "not granted"],
    );
}

/// A guest that imports the clock and calls it only if `calls`, whose entry says that it does not want it.
fn unwanted_clock(calls: bool) -> Guest {
    let condition = i32::from(calls);
    let guest = Guest::of(format!(
        "(func $attack (if (i32.const {condition}) (then (drop (call $elapsed_ns)))))"
    ));
    guest.record(|record| record.wants = Some(Vec::new()))
}

#[test]
fn an_entry_needs_no_grant_for_what_it_does_not_want() {
    let arena = arena!();
    for metering in [Metering::Strict, Metering::Deterministic] {
        for grants in [Grants::none(), Grants::none().with(Capability::Clock)] {
            let request = honest_request().wants(grants.iter()).metering(metering);
            let ended = arena.run(&unwanted_clock(false), request);
            assert_ended(&ended, OutcomeKind::Done, None);
            assert_eq!(ended.report.grants, Grants::none());
        }
    }
}

#[test]
fn an_entry_that_calls_what_it_does_not_want_is_denied_whatever_is_granted() {
    let arena = arena!();
    for request in [honest_request(), honest_request().want(Capability::Clock)] {
        let ended = arena.run(&unwanted_clock(true), request);
        assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Guest));
        for word in ["hotcell:kernel/clock", "`wants`"] {
            assert!(
                ended.outcome.message.contains(word),
                "{}",
                ended.outcome.message
            );
        }
        let capability = Capability::Clock;
        assert_eq!(ended.outcome.causes, [Cause::NotWanted { capability }]);
        assert!(ended.outcome.reproducible);
        assert_eq!(ended.report.alerts, []);
    }
}

#[test]
fn an_entry_needs_a_grant_for_what_it_wants() {
    let guest = Guest::named("wants_clock");
    let guest = guest.record(|record| record.wants = Some(vec!["clock".to_owned()]));
    let ended = arena!().run(&guest, honest_request());
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Operator,
        &["hotcell:kernel/clock", "not granted"],
    );
    let request = honest_request().want(Capability::Clock);
    let ended = arena!().run(&guest, request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert!(
        !ended.report.grants.has(Capability::Log),
        "it does not want it"
    );
}

#[test]
fn a_built_in_grant_can_be_withheld() {
    let request = honest_request().wants([]);
    let ended = arena!().run(&Guest::named("log_flood"), request);
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Operator,
        &["hotcell:kernel/log", "not granted"],
    );
}

#[test]
fn an_import_that_is_granted_works() {
    let request = honest_request().want(Capability::Clock);
    let ended = arena!().run(&Guest::named("wants_clock"), request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert!(ended.report.grants.has(Capability::Clock));
}

#[test]
fn what_is_granted_to_one_launch_is_not_granted_to_the_next() {
    let arena = arena!();
    let guest = Guest::named("wants_clock");
    let ended = arena.run(&guest, honest_request().want(Capability::Clock));
    assert_ended(&ended, OutcomeKind::Done, None);
    let ended = arena.run(&guest, honest_request());
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Operator,
        &["hotcell:kernel/clock", "not granted"],
    );
}

#[test]
fn deterministic_has_no_clock_and_random_only_with_a_seed() {
    let arena = arena!();
    let request = honest_request().metering(Metering::Deterministic);
    let granted = request.clone().want(Capability::Clock);
    let ended = arena.run(&Guest::named("wants_clock"), granted);
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Request,
        &["clock", "strict"],
    );
    let granted = request.want(Capability::Random);
    let ended = arena.run(&Guest::named("wants_random"), granted.clone());
    assert_refused(
        &ended,
        OutcomeKind::Denied,
        Blame::Request,
        &["random", "a seed"],
    );
    let ended = arena.run(&Guest::named("wants_random"), granted.seed(1));
    assert_ended(&ended, OutcomeKind::Done, None);
}

#[test]
fn an_import_that_no_grant_gives_is_denied_by_name() {
    for name in [
        "wasi:sockets/tcp@0.2.6",
        "wasi:http/types@0.2.0",
        "wasi:filesystem/types@0.3.0",
        "hotcell:kernel/log@9.0.0",
        "made:up/thing",
    ] {
        let text = format!(
            r#"(component (import "{name}" (instance)) (component $c) (instance $i (instantiate $c))
               (export "hotcell:kernel/entries@0.2.0" (instance $i)))"#
        );
        let arena = arena!();
        let component = with_manifest(wat::parse_str(text).unwrap());
        let ended = arena.cell.run(&Component::new(component), honest_request());
        let words = [name, "does not offer"];
        assert_refused(&ended, OutcomeKind::Denied, Blame::Operator, &words);
    }
}

#[test]
fn an_imports_name_cannot_forge_a_line() {
    let text = r#"(component (import "url=<\1b]0;x\07\0ahotcell: done>" (func))
        (component $c) (instance $i (instantiate $c))
        (export "hotcell:kernel/entries@0.2.0" (instance $i)))"#;
    let arena = arena!();
    let component = Component::new(with_manifest(wat::parse_str(text).unwrap()));
    let ended = arena.cell.run(&component, honest_request());
    let words = ["does not offer"];
    assert_refused(&ended, OutcomeKind::Denied, Blame::Operator, &words);
    let message = &ended.outcome.message;
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(
        message.contains("\\u{1b}") && message.contains("\\n"),
        "{message:?}"
    );
}

fn with_manifest(mut component: Vec<u8>) -> Vec<u8> {
    use wasm_encoder::ComponentSection;
    let section = wasm_encoder::CustomSection {
        name: hotcell_manifest::SECTION.into(),
        data: Guest::named("honest").manifest().into(),
    };
    section.append_to_component(&mut component);
    component
}

#[test]
fn an_export_of_another_type_is_an_invalid_component() {
    let guest = Guest::of(
        r#"(func (export "hotcell:kernel/entries@0.2.0#launch") (result i32) (i32.const 7))
           (func $attack)"#,
    );
    let other = "launch: func() -> u32;";
    let guest = guest.wit(|wit| {
        wit.replace(
            "launch: func(request: request) -> result<_, kernel-error>;",
            other,
        )
    });
    let ended = arena!().run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("interfaces"),
        "{}",
        ended.outcome.message
    );
}

#[test]
fn an_import_of_another_type_is_an_invalid_component() {
    let guest = Guest::of(
        r#"(import "hotcell:kernel/control@0.2.0" "should-stop" (func (result i64)))
           (func $attack)"#,
    );
    let guest = guest.wit(|wit| {
        wit.replace(
            "should-stop: func() -> bool;",
            "should-stop: func() -> u64;",
        )
    });
    let ended = arena!().run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("control"),
        "{}",
        ended.outcome.message
    );
}

#[test]
fn a_manifest_that_contradicts_itself_is_an_invalid_component() {
    let guest = || Guest::named("honest");
    let table = [
        (
            guest().record(|record| record.signature = "(n),(n)->(n)".into()),
            "2 inputs",
        ),
        (
            guest().record(|record| record.signature = "(n)->".into()),
            "outputs",
        ),
        (
            guest().record(|record| record.signature = "(n->(n)".into()),
            "column",
        ),
        (
            guest().record(|record| record.split = Some("m".into())),
            "split `m`",
        ),
        (
            guest().record(|record| record.name = "no name".into()),
            "no name",
        ),
        (
            guest().record(|record| record.doc = "x".repeat(5000)),
            "4096",
        ),
        (
            guest().record(|record| record.cost = Some("n*".into())),
            "cost",
        ),
    ];
    for (guest, word) in table {
        assert_invalid(guest.bytes(), &[word]);
    }
}

#[test]
fn a_component_has_exactly_one_manifest() {
    let guest = Guest::named("honest");
    let manifest = guest.manifest();
    let with = |sections| guest.clone().sections(sections).bytes();
    assert_invalid(with(vec![]), &["no `hotcell:manifest` section"]);
    assert_invalid(
        with(vec![manifest.clone(), manifest.clone()]),
        &["2 `hotcell:manifest`"],
    );
    assert_invalid(
        with(vec![manifest[..manifest.len() - 1].to_vec()]),
        &["cut short"],
    );
    assert_invalid(with(vec![[&manifest[..], &manifest].concat()]), &["twice"]);
    assert_invalid(with(vec![vec![0; (1 << 20) + 1]]), &["at most 1048576"]);
}

#[test]
fn a_mebibyte_of_names_is_refused_in_few_words() {
    let guest = Guest::named("honest").record(|record| record.name = "n".repeat(1_000_000));
    let arena = arena!();
    let ended = arena.run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
    assert!(ended.outcome.message.len() <= 2048 + '…'.len_utf8());
}

#[test]
fn bytes_that_are_no_component_are_told_apart() {
    let honest = Guest::named("honest").bytes();
    assert_invalid(Vec::new(), &["empty"]);
    assert_invalid(b"PK\x03\x04 no wasm at all".to_vec(), &["not WebAssembly"]);
    assert_invalid(wat::parse_str("(module)").unwrap(), &["a core module"]);
    assert_invalid(wat::parse_str("(component)").unwrap(), &["does not export"]);
    assert_invalid(honest[..honest.len() / 2].to_vec(), &[]);
}

#[test]
fn features_that_kernels_do_not_need_are_refused() {
    for (name, fields) in [
        (
            "threads",
            r#"(memory (export "memory") 1) (memory $shared 1 2 shared) (func $attack)"#,
        ),
        (
            "memory64",
            r#"(memory (export "memory") 1) (memory $wide i64 1) (func $attack)"#,
        ),
        ("tail calls", "(func $attack return_call $attack)"),
        ("exceptions", "(tag $t) (func $attack throw $t)"),
        (
            "gc",
            "(type $s (struct (field i32))) (func $attack (drop (struct.new_default $s)))",
        ),
        (
            "relaxed simd",
            "(func $attack (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))",
        ),
    ] {
        // The encoder's own validation knows these features; the host's must not.
        let bytes = Guest::of(fields).bytes();
        let ended = arena!().cell.run(&Component::new(bytes), honest_request());
        assert_refused(
            &ended,
            OutcomeKind::InvalidComponent,
            Blame::Guest,
            &["not a valid component"],
        );
        assert!(!name.is_empty());
    }
}

#[test]
fn counts_over_their_limits_are_refused_before_compilation_with_both_numbers() {
    let repeat = |text: &str, times: usize| text.repeat(times);
    let targets = "0 ".repeat(10_002);
    let table = [
        (Limit::Functions, repeat("(func)", 20_001)),
        (
            Limit::FunctionBytes,
            format!("(func {})", repeat("(drop (i64.const -1))", 200_000)),
        ),
        (
            Limit::FunctionLocals,
            format!("(func (local {}))", repeat("i32 ", 10_001)),
        ),
        (
            Limit::BrTableTargets,
            format!("(func (block (br_table {targets} (i32.const 0))))"),
        ),
        (
            Limit::Nesting,
            format!("(func {} {})", repeat("(block ", 1001), repeat(")", 1001)),
        ),
        (Limit::Types, (0..5001).map(many_types).collect()),
        (Limit::Items, repeat("(global i32 (i32.const 0))", 50_001)),
    ];
    for (limit, fields) in table {
        let guest = Guest::of(format!("(func $attack) {fields}"));
        let ended = arena!().cell.run(&guest.component(), honest_request());
        assert_breached(&ended, limit, limit.default_value(Default::default()));
        assert_eq!(ended.report.timings.compile_ns, 0, "{limit}");
    }
}

/// Core function types that all differ: the index in binary, as parameter types.
fn many_types(index: usize) -> String {
    let bit = |bit: usize| {
        if index >> bit & 1 == 0 {
            "i32 "
        } else {
            "i64 "
        }
    };
    format!(
        "(type (func (param {})))",
        (0..13).map(bit).collect::<String>()
    )
}

#[test]
fn a_component_larger_than_its_limit_is_refused_with_both_numbers() {
    let bytes = Guest::named("honest").bytes();
    let size = bytes.len() as u64;
    let request = honest_request().limit(Limit::ComponentBytes, size - 1);
    let ended = arena!().cell.run(&Component::new(bytes), request);
    assert_eq!(
        assert_breached(&ended, Limit::ComponentBytes, size - 1),
        size
    );
}

#[test]
fn a_limit_that_a_request_lowers_holds_for_a_component_that_is_known() {
    let arena = arena!();
    let guest = Guest::named("honest");
    assert_ended(
        &arena.run(&guest, honest_request()),
        OutcomeKind::Done,
        None,
    );
    let ended = arena.run(&guest, honest_request().limit(Limit::Functions, 1));
    assert!(assert_breached(&ended, Limit::Functions, 1) > 1);
}

#[test]
fn an_artifact_larger_than_its_limit_is_not_run() {
    let request = honest_request().limit(Limit::ArtifactBytes, 1000);
    let ended = arena!().run(&Guest::named("honest"), request);
    assert!(assert_breached(&ended, Limit::ArtifactBytes, 1000) > 1000);
    assert_eq!(ended.report.usage.instances, 0);
}

#[test]
fn an_artifact_that_is_there_already_is_held_against_its_limit() {
    let (arena, honest) = (arena!(), Guest::named("honest"));
    assert_ended(
        &arena.run(&honest, honest_request()),
        OutcomeKind::Done,
        None,
    );
    let ended = arena.run(&honest, honest_request().limit(Limit::ArtifactBytes, 1000));
    assert!(assert_breached(&ended, Limit::ArtifactBytes, 1000) > 1000);
}

#[test]
fn padding_counts_as_part_of_the_component() {
    for section in ["data", "custom"] {
        let bytes = match section {
            "data" => {
                let data = "x".repeat(17 << 20);
                Guest::of(format!("(func $attack) (data \"{data}\")")).bytes()
            }
            _ => Guest::named("honest")
                .sections(vec![vec![0; 17 << 20]])
                .bytes(),
        };
        let ended = arena!().cell.run(&Component::new(bytes), honest_request());
        assert!(
            assert_breached(&ended, Limit::ComponentBytes, 16 << 20) > 17 << 20,
            "{section}"
        );
    }
}

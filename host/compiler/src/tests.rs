//! What the compiler's front door lets in and what it refuses.

use crate::{Compiler, Parallelism, describe};
use hotcell_model::component::Refusal;
use hotcell_model::limit::{Limit, LimitSource, Limits};
use hotcell_model::manifest::{ComponentRecord, KernelRecord, Record, Weight};
use hotcell_model::profile::Metering;

fn limits() -> Limits {
    Limits::defaults(Weight::Normal)
}

fn manifest() -> Vec<u8> {
    let kernel: KernelRecord = {
        let mut record = KernelRecord {
            name: "one".into(),
            doc: String::new(),
            signature: "->(n)".into(),
            parameters: Vec::new(),
            split: None,
            cost: None,
            weight: Weight::Normal,
            limits: Default::default(),
            wants: None,
        };
        record.parameters.push(hotcell_model::manifest::Parameter {
            name: "out".into(),
            role: hotcell_model::manifest::Role::Output,
            dtype: hotcell_model::manifest::DType::U8,
            default: None,
            halo: 0,
        });
        record
    };
    let name = ComponentRecord {
        name: "test".into(),
        version: "1".into(),
    };
    [Record::from(name).encode(), Record::from(kernel).encode()].concat()
}

/// A component around `inside`, with the right export and, if asked for, a manifest.
fn component(inside: &str, manifests: &[&[u8]]) -> Vec<u8> {
    let custom: String = manifests
        .iter()
        .map(|bytes| {
            let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            format!("(@custom \"hotcell:manifest\" \"{escaped}\")\n")
        })
        .collect();
    let text = format!(
        r#"(component
            {custom}
            {inside}
            (component $entries)
            (instance $i (instantiate $entries))
            (export "hotcell:kernel/entries@0.1.0" (instance $i)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn kernel(inside: &str) -> Vec<u8> {
    component(inside, &[&manifest()])
}

fn refusal(bytes: &[u8]) -> String {
    describe(bytes, &limits()).unwrap_err().to_string()
}

#[test]
fn a_component_is_described_without_running() {
    let inside = r#"
        (import "hotcell:kernel/log@0.1.0" (instance))
        (core module (memory 2 10) (table 3 funcref) (data (i32.const 0) "abc")
            (func (param i32) (local i64 i64) (block (block))))"#;
    let description = describe(&kernel(inside), &limits()).unwrap();
    assert_eq!(description.manifest.component().name, "test");
    assert_eq!(description.imports[0].name, "hotcell:kernel/log@0.1.0");
    let counts = description.counts;
    assert_eq!(
        (counts.modules, counts.functions, counts.most_locals),
        (1, 1, 2)
    );
    assert_eq!(
        (counts.memories[0].initial, counts.memories[0].maximum),
        (2, Some(10))
    );
    assert_eq!(counts.tables[0].initial, 3);
    assert_eq!(counts.deepest_nesting, 3);
}

#[test]
fn what_is_no_kernel_component_is_refused_in_words() {
    assert!(refusal(b"").contains("empty"));
    assert!(refusal(b"#!/bin/sh").contains("not WebAssembly"));
    assert!(refusal(&wat::parse_str("(module)").unwrap()).contains("core module"));
    assert!(refusal(&wat::parse_str("(component)").unwrap()).contains("does not export"));
    assert!(refusal(&component("", &[])).contains("no `hotcell:manifest` section"));
    assert!(refusal(&component("", &[&manifest(), &manifest()])).contains("exactly one"));
    assert!(refusal(&component("", &[b"\x01\0\0\0x"])).contains("record 0"));
}

#[test]
fn truncated_bytes_are_refused_at_every_length() {
    let whole = kernel("(core module (func) (memory 1))");
    let accepted: Vec<usize> = (0..whole.len())
        .filter(|len| describe(&whole[..*len], &limits()).is_ok())
        .collect();
    // What ends exactly before the trailing section of names is a whole component without names.
    assert!(accepted.len() <= 1, "{accepted:?} of {}", whole.len());
    assert!(
        accepted
            .iter()
            .all(|len| whole[*len..].windows(4).any(|text| text == b"name"))
    );
}

#[test]
fn mutated_bytes_never_panic() {
    let whole = kernel(r#"(core module (func (param i32) (br_table 0 (local.get 0))) (memory 1))"#);
    for position in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[position] ^= flip;
            let _ = describe(&bytes, &limits());
        }
    }
}

#[test]
fn features_that_kernels_do_not_need_are_refused() {
    for module in [
        "(module (memory 1 1 shared))",
        "(module (memory i64 1))",
        "(module (func (result i32) (return_call 0)))",
        "(module (type (struct)))",
        "(module (tag))",
        "(module (func (param v128 v128 v128) (result v128)
            (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))",
        "(module (memory 1 (pagesize 1)))",
        "(module (func (param i64 i64 i64 i64) (result i64 i64)
            (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
    ] {
        let inside = module.replacen("(module", "(core module", 1);
        let text = refusal(&kernel(&inside));
        assert!(text.contains("not a valid component"), "{module}: {text}");
    }
}

#[test]
fn each_count_is_checked_against_its_limit() {
    let blocks = format!("{}{}", "(block ".repeat(40), ")".repeat(40));
    let targets = "0 ".repeat(40);
    for (limit, inside) in [
        (
            Limit::Functions,
            format!("(core module {})", "(func)".repeat(40)),
        ),
        (
            Limit::FunctionBytes,
            format!("(core module (func {}))", "(nop)".repeat(40)),
        ),
        (
            Limit::FunctionLocals,
            format!("(core module (func (local {})))", "i32 ".repeat(40)),
        ),
        (Limit::Nesting, format!("(core module (func {blocks}))")),
        (
            Limit::BrTableTargets,
            format!("(core module (func (br_table {targets} (i32.const 0))))"),
        ),
        (
            Limit::Types,
            format!("(core module {})", "(type (func (param i32)))".repeat(40)),
        ),
        (
            Limit::Items,
            format!("(core module {})", "(global i32 (i32.const 0))".repeat(80)),
        ),
        (Limit::ComponentBytes, "(core module)".to_owned()),
    ] {
        let mut tight = limits();
        tight.try_set(limit, 30, LimitSource::Request).unwrap();
        let bytes = kernel(&inside);
        assert!(describe(&bytes, &limits()).is_ok(), "{limit} by default");
        match describe(&bytes, &tight) {
            Err(Refusal::TooMuch(breach)) => assert_eq!(breach.limit, limit),
            other => panic!("{limit}: {other:?}"),
        }
    }
}

#[test]
fn an_artifact_above_its_limit_is_refused() {
    let compiler = Compiler::new(Metering::Strict, Parallelism::OneThread).unwrap();
    let bytes = kernel("");
    assert!(compiler.compile(&bytes, &limits()).is_ok());
    let mut tight = limits();
    tight
        .try_set(Limit::ArtifactBytes, 100, LimitSource::Request)
        .unwrap();
    let error = compiler.compile(&bytes, &tight).unwrap_err().to_string();
    assert!(
        error.contains("artifact_bytes") && error.contains("100B"),
        "{error}"
    );
}

#[test]
fn what_no_runner_has_room_for_is_refused_with_both_numbers() {
    let core = |inside: &str| format!("(core module $m {inside}) (core instance (instantiate $m))");
    let nested = (0..4).fold(core(""), |inner, _| {
        let instances = "(instance (instantiate $inner))".repeat(3);
        format!("(component $inner {inner}) {instances}")
    });
    let outer = format!(
        "(core module $m) (component (alias outer 1 0 (core module $o)) {})",
        "(core instance (instantiate $o))".repeat(65)
    ) + "(instance (instantiate 0))";
    for (inside, limit, requested, maximum) in [
        (core(&"(memory 1)".repeat(13)), Limit::Memories, 13, 8),
        // The engine refuses a module for what it has though nothing instantiates it.
        (
            format!("(core module {})", "(memory 1)".repeat(13)),
            Limit::Memories,
            13,
            8,
        ),
        (
            core("(memory 1)") + &"(core instance (instantiate $m))".repeat(8),
            Limit::Memories,
            9,
            8,
        ),
        (core(&"(table 1 funcref)".repeat(17)), Limit::Tables, 17, 16),
        (
            core("(table 100001 funcref)"),
            Limit::TableElements,
            100_001,
            100_000,
        ),
        (
            core("") + &"(core instance (instantiate $m))".repeat(64),
            Limit::Instances,
            65,
            64,
        ),
        (nested, Limit::Instances, 81, 64),
        (outer, Limit::Instances, 65, 64),
    ] {
        match describe(&kernel(&inside), &limits()) {
            Err(Refusal::TooMuch(breach)) => {
                let found = (breach.limit, breach.amount.value(), breach.maximum);
                assert_eq!(found, (limit, requested, maximum), "{inside}");
            }
            other => panic!("{limit}: {other:?}"),
        }
    }
}

#[test]
fn what_just_fits_is_accepted() {
    let module = |inside: &str| format!("(core module $m {inside})");
    let once = "(core instance (instantiate $m))";
    for inside in [
        // Nothing instantiates them.
        module(&"(memory 1)".repeat(8)).repeat(20).replace("$m", ""),
        module(&"(memory 1)".repeat(8)) + once,
        module("(memory 65536)") + once,
        module(&"(table 100000 funcref)".repeat(16)) + once,
        module("") + &once.repeat(64),
    ] {
        let described = describe(&kernel(&inside), &limits());
        assert!(described.is_ok(), "{described:?}");
    }
}

#[test]
fn instances_with_more_to_keep_than_there_is_room_for_are_refused() {
    let many = |globals: usize, instances: usize| {
        let globals = "(global i32 (i32.const 0))".repeat(globals);
        let instances = "(core instance (instantiate $m))".repeat(instances);
        kernel(&format!("(core module $m {globals}) {instances}"))
    };
    assert!(describe(&many(8_000, 8), &limits()).is_ok());
    let text = refusal(&many(8_000, 9));
    assert!(text.contains("at most 4MiB allowed"), "{text}");
    // Components that hold nothing are work all the same.
    let empty = (0..14).fold(String::new(), |inner, _| {
        let instances = "(instance (instantiate $inner))".repeat(3);
        format!("(component $inner {inner}) {instances}")
    });
    match describe(&kernel(&empty), &limits()) {
        Err(Refusal::TooMuch(breach)) => assert_eq!(breach.limit, Limit::Items),
        other => panic!("{other:?}"),
    }
}

//! Components that would not load, each for one reason.

use super::*;
use crate::{ManifestSource, componentize};
use anyhow::Error;
use hotcell_manifest::{KernelRecord, Record};
use std::fmt::Write as _;
use wasm_encoder::Section as _;
use wit_component::{ComponentEncoder, StringEncoding};

/// Any manifest.
pub(crate) fn manifest() -> Manifest {
    let json = r#"{"name":"ones","signature":"->(n)","parameters":[{"name":"out","role":"output","dtype":"f32"}]}"#;
    let record: KernelRecord = serde_json::from_str(json).unwrap();
    Manifest::from_records(vec![Record::from(record)]).unwrap()
}

/// A core module that does nothing, for the world `kernel` of some WIT; `extra` stands among its items.
fn module(extra: &str) -> Vec<u8> {
    let mut text = String::from("(module\n");
    write!(
        text,
        r#"{extra}
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "hotcell:kernel/entries@0.2.0#launch")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64) (result i32) unreachable))"#
    )
    .unwrap();
    wat::parse_str(&text).unwrap()
}

#[test]
fn modules_for_the_version_before_are_components_of_it() {
    let log = r#"(import "hotcell:kernel/log@0.2.0" "emit" (func (param i32 i32 i32)))"#;
    let mut before = module(log);
    for at in 0..before.len() - 6 {
        if before[at..].starts_with(b"@0.2.0") {
            before[at + 3] = b'1';
        }
    }
    let component = componentize(&before, ManifestSource::Given(&manifest())).unwrap();
    let imports = check(&component).unwrap().imports;
    assert!(
        imports.contains(&"hotcell:kernel/log@0.1.0".to_owned()),
        "{imports:?}"
    );
}

fn refusal(component: &[u8]) -> String {
    format!("{:#}", Error::from(check(component).unwrap_err()))
}

/// Some core module as a component of a world in another WIT.
fn foreign(wit: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("foreign.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut bytes = wat::parse_str(module).unwrap();
    wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
        .unwrap();
    let mut encoder = ComponentEncoder::default().module(&bytes).unwrap();
    encoder.encode().unwrap()
}

#[test]
fn a_module_with_canonical_names_becomes_a_kernel() {
    let log = r#"(import "hotcell:kernel/log@0.2.0" "emit" (func (param i32 i32 i32)))"#;
    let component = componentize(&module(log), ManifestSource::Given(&manifest())).unwrap();
    let checked = check(&component).unwrap();
    assert_eq!(checked.manifest, manifest());
    assert_eq!(
        checked.imports,
        ["hotcell:kernel/arrays@0.2.0", "hotcell:kernel/log@0.2.0"]
    );
}

#[test]
fn a_manifest_is_added_once_and_replaced_only_when_asked() {
    let bytes = module("");
    let missing = componentize(&bytes, ManifestSource::Binary).unwrap_err();
    assert!(missing.to_string().contains("no manifest"), "{missing}");
    let once = componentize(&bytes, ManifestSource::Given(&manifest())).unwrap();
    let twice = componentize(&once, ManifestSource::Given(&manifest())).unwrap_err();
    assert!(twice.to_string().contains("already"), "{twice}");
    let replaced = componentize(&once, ManifestSource::Replacement(&manifest())).unwrap();
    assert_eq!(replaced, once);
    assert_eq!(componentize(&once, ManifestSource::Binary).unwrap(), once);
}

#[test]
fn a_module_without_the_export_is_refused() {
    let error = componentize(
        &wat::parse_str("(module)").unwrap(),
        ManifestSource::Given(&manifest()),
    )
    .unwrap_err();
    let error = format!("{:#}", Error::from(error));
    assert!(error.contains("hotcell:kernel/entries@0.2.0"), "{error}");
}

#[test]
fn an_export_of_another_name_or_type_is_refused() {
    let nothing = foreign("package a:b; world w {}", "(module)");
    assert!(refusal(&nothing).contains("does not export `hotcell:kernel/entries@0.2.0`"));

    let wit = "package hotcell:kernel@0.2.0; interface entries { launch: func(); } world w { export entries; }";
    let module = r#"(module (func (export "hotcell:kernel/entries@0.2.0#launch")))"#;
    let error = refusal(&foreign(wit, module));
    assert!(
        error.contains("other types than wit/kernel/kernel.wit"),
        "{error}"
    );
}

#[test]
fn an_unknown_import_is_named_with_what_there_is() {
    let wit =
        "package wasi:evil@1.0.0; interface files { open: func(); } world w { import files; }";
    let module = r#"(module (import "wasi:evil/files@1.0.0" "open" (func)))"#;
    let error = refusal(&foreign(wit, module));
    assert!(
        error.contains("`wasi:evil/files@1.0.0`, which no host offers"),
        "{error}"
    );
    assert!(error.contains("hotcell:kernel/clock@0.2.0"), "{error}");
}

#[test]
fn an_undefined_function_is_named_with_what_to_do() {
    let pow = r#"(import "env" "pow" (func (param f64 f64) (result f64)))"#;
    let error = componentize(&module(pow), ManifestSource::Given(&manifest())).unwrap_err();
    assert!(
        error.to_string().starts_with("`env.pow` is undefined"),
        "{error}"
    );
    let wasi = "package wasi:sockets@0.2.0; interface tcp { get: func(); } world w { import tcp; }";
    let module = r#"(module (import "wasi:sockets/tcp@0.2.0" "get" (func)))"#;
    assert!(refusal(&foreign(wasi, module)).contains("of WASI there are no sockets"));
}

#[test]
fn code_that_the_host_does_not_validate_is_refused() {
    let relaxed = "(func (param v128 v128 v128) (result v128)
        (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))";
    let threads = "(memory $shared 1 1 shared)";
    for (extra, word) in [(relaxed, "relaxed"), (threads, "threads")] {
        let component = componentize(&module(extra), ManifestSource::Given(&manifest()));
        let words = |error| format!("{:#}", Error::from(error));
        let error = component.map_or_else(words, |bytes| refusal(&bytes));
        assert!(error.contains(word), "{error}");
    }
}

/// A shader as it stands in a section.
fn shader(name: &str, text: &str) -> Vec<u8> {
    let head = [1, name.len(), text.len()].map(|word| u32::try_from(word).unwrap().to_le_bytes());
    [head.as_flattened(), name.as_bytes(), text.as_bytes()].concat()
}

#[test]
fn a_shader_that_is_not_admitted_is_refused_at_its_place() {
    let complete = componentize(&module(""), ManifestSource::Given(&manifest())).unwrap();
    let refusal = |text: &str| {
        let mut bytes = complete.clone();
        sections::append_shaders(&mut bytes, &shader("a.wgsl", text));
        check(&bytes).map_err(|error| format!("{:#}", Error::from(error)))
    };
    let entry = "@compute @workgroup_size(1) fn main() {}";
    assert!(refusal(entry).is_ok());
    assert!(
        refusal(&format!(
            "override N: u32; var<private> n: u32 = N; {entry}"
        ))
        .is_ok()
    );
    let says = |text: &str| refusal(text).unwrap_err();
    assert!(says("fn f(").starts_with("shader `a.wgsl` is not admitted: 1:"));
    let large = "@compute @workgroup_size(1024) fn main() {}";
    assert!(says(large).starts_with("shader `a.wgsl`, entry point `main`: "));
}

#[test]
fn a_shader_that_is_used_twice_is_in_the_component_once() {
    let mut bytes = module("");
    let custom = |data: &[u8]| wasm_encoder::CustomSection {
        name: "hotcell:shaders".into(),
        data: data.to_vec().into(),
    };
    let entry = shader("a.wgsl", "@compute @workgroup_size(1) fn main() {}");
    for _ in 0..2 {
        custom(&entry).append_to(&mut bytes);
    }
    let component = componentize(&bytes, ManifestSource::Given(&manifest())).unwrap();
    assert_eq!(sections::split(&component).unwrap().shaders, Some(entry));
    check(&component).unwrap();
    custom(&shader("a.wgsl", "")).append_to(&mut bytes);
    let two = componentize(&bytes, ManifestSource::Given(&manifest())).unwrap_err();
    let two = format!("{:#}", Error::from(two));
    assert!(two.contains("two shaders named `a.wgsl`"), "{two}");
}

#[test]
fn a_component_needs_exactly_a_readable_manifest() {
    let complete = componentize(&module(""), ManifestSource::Given(&manifest())).unwrap();
    let mut bytes = sections::split(&complete).unwrap().rest;
    assert!(refusal(&bytes).contains("no `hotcell:manifest` section"));
    sections::append_manifest(&mut bytes, b"\xff\xff\xff\xff");
    assert!(refusal(&bytes).contains("cut short"));
    assert!(refusal(&module("")).contains("not a component"));
}

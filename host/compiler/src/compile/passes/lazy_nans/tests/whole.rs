//! What the pass does to the rest of a component, and what it cannot do.

use super::dense;
use super::harness::passed;
use super::random::Random;
use crate::compile::passes::lazy_nans::rewrite;
use crate::{Compiler, Parallelism};
use hotcell_engine::{FEATURES, LAZY_NANS};
use hotcell_model::limit::Limits;
use hotcell_model::manifest::Weight;
use hotcell_model::profile::Metering;
use wasmparser::{Parser, Payload, Validator};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, WasmBacktrace};

const SUM: &str = "(f32.store (i32.const 0) (f32.add (local.get 0) (f32.const 1)))";
const MOVE: &str = "(f32.store (i32.const 0) (f32.neg (local.get 0)))";

fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn core(name: &str, body: &str) -> String {
    format!(
        r#"(core module {name} (@custom "before" "abc") (memory 1)
            (func $named (param $x f32) {body}) (func $other) (data (i32.const 0) "def"))"#
    )
}

/// Every section but code, in order, and the functions' bodies.
fn sections(component: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut sections, mut bodies) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.unwrap();
        match &payload {
            Payload::CodeSectionEntry(body) => bodies.push(component[body.range()].to_vec()),
            Payload::CodeSectionStart { .. }
            | Payload::ModuleSection { .. }
            | Payload::ComponentSection { .. } => {}
            _ => sections.extend(
                payload
                    .as_section()
                    .map(|(_, range)| component[range].to_vec()),
            ),
        }
    }
    (sections, bodies)
}

#[test]
fn a_component_without_arithmetic_is_passed_as_it_is() {
    let component = parse(&format!("(component {})", core("$m", MOVE)));
    assert!(rewrite(&component).unwrap().is_empty());
}

#[test]
fn functions_and_sections_without_arithmetic_stay_byte_for_byte_at_every_depth() {
    let inner = format!("(component {} {})", core("$a", MOVE), core("$b", SUM));
    let text = format!(
        "(component {} {inner} {})",
        core("$c", SUM),
        core("$d", MOVE)
    );
    let component = parse(&text);
    let made = passed(&component);
    Validator::new_with_features(FEATURES)
        .validate_all(&made)
        .unwrap();
    let ((sections_before, before), (sections_after, after)) =
        (sections(&component), sections(&made));
    assert_eq!(sections_before, sections_after);
    let changed: Vec<bool> = before
        .iter()
        .zip(&after)
        .map(|(one, other)| one != other)
        .collect();
    let expected = [true, false, false, false, true, false, false, false];
    assert_eq!(changed, expected);
}

#[test]
fn what_the_pass_makes_belongs_to_its_version() {
    let made = (0..64).flat_map(|seed| passed(&dense::module(&mut Random::new(seed))));
    // Fowler, Noll and Vo's hash, of 64 bits.
    let hash = made.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    // Where this fails, what the pass makes has changed: count up LAZY_NANS, and put the new pair here.
    assert_eq!((LAZY_NANS, hash), (1, 5_370_133_526_818_893_751));
}

/// A component that traps in its only function.
fn trapping(before: &str) -> Vec<u8> {
    parse(&format!(
        r#"(component
            (core module $m (memory 1)
                (func $first (param f32) {SUM})
                (func $second (export "f") (param $x f32)
                    (call $first (local.get $x))
                    {before}
                    (drop (i32.div_u (i32.const 1) (i32.const 0)))))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" f32) (canon lift (core func $i "f"))))"#
    ))
}

/// Where a component compiled for the mode traps, counted from the beginning of the component.
fn trap_offset(component: &[u8], metering: Metering) -> usize {
    let artifact = Compiler::new(metering, Parallelism::OneThread)
        .unwrap()
        .compile(component, &Limits::defaults(Weight::Normal))
        .unwrap();
    let engine = Engine::new(&hotcell_engine::config(metering)).unwrap();
    // SAFETY: the artifact was made by this engine's compiler just now.
    let component = unsafe { Component::deserialize(&engine, &artifact) }.unwrap();
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1);
    if metering.has_fuel() {
        store.set_fuel(1_000_000).unwrap();
    }
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &component)
        .unwrap();
    let function = instance
        .get_typed_func::<(f32,), ()>(&mut store, "f")
        .unwrap();
    let error = function.call(&mut store, (f32::NAN,)).unwrap_err();
    let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
    assert_eq!(trace.frames()[0].func_name(), Some("second"));
    trace.frames()[0].module_offset().unwrap()
}

/// Where the contents of the only code section begin.
fn code_section(component: &[u8]) -> usize {
    let begin = Parser::new(0).parse_all(component).find_map(|payload| {
        let Payload::CodeSectionStart { range, .. } = payload.unwrap() else {
            return None;
        };
        Some(range.start)
    });
    begin.unwrap()
}

#[test]
fn a_trap_is_told_where_it_is_in_what_came() {
    for before in [1, 9, 400] {
        let component = trapping(&SUM.repeat(before));
        let offsets = [Metering::Strict, Metering::Deterministic]
            .map(|metering| trap_offset(&component, metering));
        // From where its code section begins, which moves as sizes before it get longer.
        let begins = [code_section(&component), code_section(&passed(&component))];
        assert_eq!(offsets[0] - begins[0], offsets[1] - begins[1]);
    }
}

#[test]
fn a_function_without_room_for_locals_is_left_to_cranelift() {
    let locals = " f32".repeat(49_999);
    let component = |locals: &str| {
        let body = format!("(local{locals}) {SUM}");
        parse(&format!("(component {})", core("$m", &body)))
    };
    assert!(rewrite(&component(&locals[4..])).is_ok());
    let full = component(&locals);
    let Err(why) = rewrite(&full) else {
        panic!("there is no room");
    };
    assert_eq!(
        why,
        "a function needs 50001 locals, at most 50000 are possible"
    );
    let compiler = Compiler::new(Metering::Deterministic, Parallelism::OneThread).unwrap();
    compiler
        .compile(&full, &Limits::defaults(Weight::Normal))
        .unwrap();
}

//! What the pass costs on functions that are made to be hard for it.

use super::harness::passed;
use crate::compile::passes::lazy_nans::rewrite;
use hotcell_engine::FEATURES;
use std::time::{Duration, Instant};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Instruction as I, Module, TypeSection,
    ValType as T,
};
use wasmparser::Validator;

/// The largest function of the default limits, and the most locals that wasmtime takes.
const BYTES: usize = 512 << 10;
const LOCALS: u32 = 49_000;
/// What the pass may take; honest kernels take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

fn module(write: impl Fn(&mut Function)) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (
        TypeSection::new(),
        FunctionSection::new(),
        CodeSection::new(),
    );
    types.ty().function([T::I32], []);
    functions.function(0);
    let mut function = Function::new([(LOCALS, T::F32)]);
    write(&mut function);
    function.instruction(&I::End);
    code.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// Some arithmetic on a local, and a read of another.
fn sum(function: &mut Function, to: u32, from: u32) {
    for instruction in [
        I::LocalGet(1 + from % LOCALS),
        I::F32Sqrt,
        I::LocalSet(1 + to % LOCALS),
    ] {
        function.instruction(&instruction);
    }
}

fn check(name: &str, module: &[u8]) {
    let begin = Instant::now();
    Validator::new_with_features(FEATURES)
        .validate_all(module)
        .unwrap();
    let (validated, begin) = (begin.elapsed(), Instant::now());
    let edits = rewrite(module);
    let took = begin.elapsed();
    println!(
        "{name}: {} bytes, {took:?}, validation {validated:?}",
        module.len()
    );
    assert!(took < PATIENCE, "{name}: {took:?}");
    if edits.is_ok_and(|edits| !edits.is_empty()) {
        Validator::new_with_features(FEATURES)
            .validate_all(&passed(module))
            .unwrap();
    }
}

#[test]
fn effort_is_bounded_whatever_the_shape() {
    check(
        "loops that carry every local",
        &module(|function| {
            for local in 0..LOCALS {
                function.instruction(&I::Loop(BlockType::Empty));
                function.instruction(&I::LocalGet(0));
                function.instruction(&I::BrIf(0));
                function.instruction(&I::End);
                if function.byte_len() < BYTES / 2 {
                    sum(function, local, local);
                }
            }
            let mut local = 0;
            while function.byte_len() < BYTES - 16 {
                sum(function, local, local + 1);
                local += 1;
            }
        }),
    );
    check(
        "copies in a circle, backwards",
        &module(|function| {
            function.instruction(&I::Loop(BlockType::Empty));
            let mut local = LOCALS - 1;
            while function.byte_len() < BYTES - 64 {
                function.instruction(&I::LocalGet(1 + local.wrapping_add(1) % LOCALS));
                function.instruction(&I::LocalSet(1 + local % LOCALS));
                local = local.wrapping_sub(1);
            }
            function.instruction(&I::F32Const(1.0.into()));
            function.instruction(&I::F32Sqrt);
            function.instruction(&I::LocalSet(LOCALS));
            function.instruction(&I::LocalGet(0));
            function.instruction(&I::BrIf(0));
            function.instruction(&I::End);
        }),
    );
    check(
        "many blocks that all join in one",
        &module(|function| {
            function.instruction(&I::Block(BlockType::Empty));
            while function.byte_len() < BYTES / 2 {
                function.instruction(&I::LocalGet(0));
                function.instruction(&I::BrIf(0));
            }
            function.instruction(&I::End);
            let mut local = 0;
            while function.byte_len() < BYTES - 16 {
                sum(function, local, local + 7);
                local += 1;
            }
        }),
    );
    check(
        "nothing but looks",
        &module(|function| {
            sum(function, 0, 0);
            while function.byte_len() < BYTES - 16 {
                for instruction in [I::LocalGet(1), I::F32Sqrt, I::I32ReinterpretF32, I::Drop] {
                    function.instruction(&instruction);
                }
            }
        }),
    );
}

#[test]
#[ignore = "for measuring: reads the component that HOTCELL_COMPONENT names"]
fn effort_on_a_component() {
    let path = std::env::var("HOTCELL_COMPONENT").unwrap();
    let component = std::fs::read(path).unwrap();
    for _ in 0..5 {
        check("component", &component);
    }
    println!("{} bytes", passed(&component).len());
}

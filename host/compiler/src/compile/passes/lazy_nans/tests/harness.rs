//! Two ways to run a module: Cranelift canonicalises each result, or the pass settles what is seen.

use super::random::Random;
use crate::compile::passes::lazy_nans::rewrite;
use hotcell_engine::FEATURES;
use hotcell_model::profile::Metering;
use std::sync::{Arc, Mutex};
use wasmparser::Validator;
use wasmtime::{
    Engine, Extern, Func, FuncType, HeapType, Instance, Module, Mutability, Ref, Store, Trap, Val,
    ValType,
};

/// Bytes of memory that get random content.
const FILLED: usize = 1 << 12;
/// Calls of each exported function.
const CALLS: usize = 3;

/// What could be seen of a module that ran, bit by bit.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    events: Vec<String>,
    memories: Vec<Vec<u8>>,
}

/// The engines: with Cranelift's canonicalisation, and without.
pub(super) struct Harness {
    eager: Engine,
    plain: Engine,
}

impl Harness {
    pub(super) fn new() -> Self {
        let engine = |is_eager| {
            let mut config = hotcell_engine::config(Metering::Fast);
            config.cranelift_nan_canonicalization(is_eager);
            Engine::new(&config).unwrap()
        };
        Self {
            eager: engine(true),
            plain: engine(false),
        }
    }

    /// Runs a module both ways and compares what can be seen. Nothing if it is not of the profile, or where a run ended by what
    /// the ways may differ in.
    pub(super) fn compare(&self, module: &[u8], seed: u64) -> Option<Seen> {
        Validator::new_with_features(FEATURES)
            .validate_all(module)
            .ok()?;
        let eager = run(&self.eager, module, seed)?;
        let lazy = run(&self.plain, &passed(module), seed)?;
        if eager != lazy {
            let events = eager.events.iter().zip(&lazy.events);
            let first = events.clone().find(|(eager, lazy)| eager != lazy);
            std::fs::write(std::env::temp_dir().join("lazy-nans.wasm"), module).unwrap();
            panic!("seed {seed}: {first:?}");
        }
        Some(eager)
    }

    /// Whether the module shows NaNs that differ if nobody canonicalises them.
    pub(super) fn differs_untreated(&self, module: &[u8], seed: u64, eager: &Seen) -> bool {
        run(&self.plain, module, seed).is_some_and(|seen| seen != *eager)
    }
}

/// The module as the pass makes it.
pub(super) fn passed(module: &[u8]) -> Vec<u8> {
    let edits = rewrite(module).unwrap();
    match edits.is_empty() {
        true => module.to_vec(),
        false => edits.apply(module).unwrap().0,
    }
}

fn run(engine: &Engine, module: &[u8], seed: u64) -> Option<Seen> {
    let module = Module::new(engine, module).unwrap_or_else(|error| panic!("{seed}: {error:?}"));
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(1);
    let mut random = Random::new(seed);
    let events = Arc::new(Mutex::new(Vec::new()));
    let imports: Vec<Extern> = module
        .imports()
        .map(|import| {
            let ty = import.ty().unwrap_func().clone();
            host(&mut store, ty, events.clone(), seed).into()
        })
        .collect();
    let mut seen = Seen {
        events: Vec::new(),
        memories: Vec::new(),
    };
    let instance = match Instance::new(&mut store, &module, &imports) {
        Ok(instance) => instance,
        Err(error) => {
            seen.events.push(trap(&error)?);
            return Some(seen);
        }
    };
    let exports: Vec<Extern> = instance
        .exports(&mut store)
        .map(|export| export.into_extern())
        .collect();
    fill(&mut store, &exports, &mut random);
    for export in &exports {
        if let Extern::Func(function) = export {
            for _ in 0..CALLS {
                let called = call(&mut store, *function, &mut random)?;
                events.lock().unwrap().push(called);
                globals(&mut store, &exports, &mut events.lock().unwrap());
            }
        }
    }
    seen.events = std::mem::take(&mut events.lock().unwrap());
    for export in &exports {
        if let Extern::Memory(memory) = export {
            seen.memories.push(memory.data(&store).to_vec());
        }
    }
    Some(seen)
}

/// A function of the host's: it writes down what it was given, and gives NaNs.
fn host(store: &mut Store<()>, ty: FuncType, events: Arc<Mutex<Vec<String>>>, seed: u64) -> Func {
    let results: Vec<ValType> = ty.results().collect();
    let random = Mutex::new(Random::new(seed ^ 0xabcd));
    Func::new(store, ty, move |_, given, made| {
        events.lock().unwrap().push(format!("host {}", bits(given)));
        let mut random = random.lock().unwrap();
        for (made, ty) in made.iter_mut().zip(&results) {
            *made = value(&mut random, ty);
        }
        Ok(())
    })
}

fn fill(store: &mut Store<()>, exports: &[Extern], random: &mut Random) {
    for export in exports {
        match export {
            Extern::Memory(memory) => {
                let content = random.memory(FILLED);
                let data = memory.data_mut(&mut *store);
                let len = data.len().min(FILLED);
                data[..len].copy_from_slice(&content[..len]);
            }
            Extern::Global(global) => {
                let ty = global.ty(&*store);
                let is_float = matches!(ty.content(), ValType::F32 | ValType::F64 | ValType::V128);
                if ty.mutability() == Mutability::Var && is_float {
                    let value = value(random, ty.content());
                    global.set(&mut *store, value).unwrap();
                }
            }
            _ => {}
        }
    }
}

fn call(store: &mut Store<()>, function: Func, random: &mut Random) -> Option<String> {
    let ty = function.ty(&*store);
    let given: Vec<Val> = ty.params().map(|ty| value(random, &ty)).collect();
    let mut made: Vec<Val> = ty.results().map(|_| Val::I32(0)).collect();
    match function.call(&mut *store, &given, &mut made) {
        Ok(()) => Some(bits(&made)),
        Err(error) => trap(&error),
    }
}

/// How a run ended. Not all ways have stacks of one size, so one that is full tells nothing.
fn trap(error: &wasmtime::Error) -> Option<String> {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => None,
        Some(trap) => Some(trap.to_string()),
        None => Some(format!("{error}")),
    }
}

fn globals(store: &mut Store<()>, exports: &[Extern], events: &mut Vec<String>) {
    for export in exports {
        if let Extern::Global(global) = export {
            let value = global.get(&mut *store);
            events.push(bits(&[value]));
        }
    }
}

fn bits(values: &[Val]) -> String {
    let words = values.iter().map(|value| match value {
        Val::I32(value) => format!("i32 {value:#x}"),
        Val::I64(value) => format!("i64 {value:#x}"),
        Val::F32(bits) => format!("f32 {bits:#x}"),
        Val::F64(bits) => format!("f64 {bits:#x}"),
        Val::V128(value) => format!("v128 {:#034x}", value.as_u128()),
        other => format!("null: {}", other.ref_().is_none_or(|value| value.is_null())),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn value(random: &mut Random, ty: &ValType) -> Val {
    match ty {
        ValType::I32 => Val::I32(random.u32().cast_signed()),
        ValType::I64 => Val::I64(random.next().cast_signed()),
        ValType::F32 => Val::F32(random.f32_bits()),
        ValType::F64 => Val::F64(random.f64_bits()),
        ValType::V128 => Val::V128(random.v128_bits().into()),
        ValType::Ref(ty) => match ty.heap_type() {
            HeapType::Func | HeapType::NoFunc => Val::null_func_ref(),
            _ => Ref::null(ty.heap_type()).into(),
        },
    }
}

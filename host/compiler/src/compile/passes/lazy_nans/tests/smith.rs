//! Modules by wasm-smith: few of their values are NaNs, but they have every form that a module can have.

use super::random::Random;
use wasm_smith::{Config, Module};

fn config() -> Config {
    Config {
        export_everything: true,
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 6,
        min_memories: 1,
        max_memories: 3,
        max_memory32_bytes: 1 << 20,
        max_tables: 3,
        max_table_elements: 100,
        max_instructions: 400,
        disallow_traps: true,
        allow_start_export: false,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        simd_enabled: true,
        multi_value_enabled: true,
        extended_const_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        tail_call_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// A module that ends, or nothing if the bytes made none.
pub(super) fn module(random: &mut Random) -> Option<Vec<u8>> {
    let len = 200 + random.below(4000);
    let bytes: Vec<u8> = (0..len).map(|_| random.byte()).collect();
    let mut source = arbitrary::Unstructured::new(&bytes);
    let mut module = Module::new(config(), &mut source).ok()?;
    module.ensure_termination(10_000).ok()?;
    Some(module.to_bytes())
}

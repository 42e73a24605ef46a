//! wasmtime's configuration for kernels.

use hotcell_model::limit::Limit;
use hotcell_model::manifest::Weight;
use hotcell_model::profile::Metering;
use std::num::NonZeroUsize;
use wasmtime::{Config, WasmBacktraceDetails, WasmFeatures};

/// The WebAssembly features that a kernel may use; the validator refuses every other.
///
/// WebAssembly 2.0 with several memories and extended constants, and the component model without
/// async. Relaxed SIMD is out in every mode: its results depend on the machine.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Frames kept of a guest's call stack, the innermost: where it trapped, or where it was looked at.
pub const BACKTRACE_FRAMES: usize = 16;

/// wasmtime's configuration for a metering mode.
///
/// Linear memories keep wasmtime's full address-space reservation and guard pages, which make bounds
/// checks free; the cap on memory is the runner's limiter, not a small reservation. NaNs are made canonical by a pass of the
/// compiler's over a component, and not by Cranelift.
pub fn config(metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(FEATURES.complement(), false)
        .wasm_features(FEATURES, true)
        .gc_support(false)
        .concurrency_support(false)
        .shared_memory(false)
        .epoch_interruption(true)
        .consume_fuel(metering.has_fuel())
        .max_wasm_stack(stack_bytes())
        .generate_address_map(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES))
        .memory_init_cow(true);
    config
}

/// The guest's stack: a limit that is fixed when the engine is made, so its default is its ceiling.
fn stack_bytes() -> usize {
    usize::try_from(Limit::Stack.default_value(Weight::Normal)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The profile, feature by feature: a change here is a change of what hostile code can reach.
    /// That engines refuse code that uses these features is tested where engines are made.
    #[test]
    fn what_kernels_do_not_need_is_off() {
        for off in [
            WasmFeatures::THREADS,
            WasmFeatures::SHARED_EVERYTHING_THREADS,
            WasmFeatures::GC,
            WasmFeatures::GC_TYPES,
            WasmFeatures::FUNCTION_REFERENCES,
            WasmFeatures::EXCEPTIONS,
            WasmFeatures::LEGACY_EXCEPTIONS,
            WasmFeatures::RELAXED_SIMD,
            WasmFeatures::MEMORY64,
            WasmFeatures::MEMORY_CONTROL,
            WasmFeatures::STACK_SWITCHING,
            WasmFeatures::CUSTOM_PAGE_SIZES,
            WasmFeatures::WIDE_ARITHMETIC,
            WasmFeatures::TAIL_CALL,
            WasmFeatures::CM_ASYNC,
            WasmFeatures::CM_ASYNC_STACKFUL,
            WasmFeatures::CM_MORE_ASYNC_BUILTINS,
            WasmFeatures::CM_THREADING,
            WasmFeatures::CM_GC,
            WasmFeatures::CM_ERROR_CONTEXT,
            WasmFeatures::CM_VALUES,
        ] {
            assert!(!FEATURES.intersects(off), "{off:?}");
        }
    }

    #[test]
    fn the_stack_has_one_value_in_every_weight() {
        for weight in [Weight::Light, Weight::Normal, Weight::Heavy] {
            assert_eq!(Limit::Stack.default_value(weight), Limit::Stack.ceiling());
        }
    }
}

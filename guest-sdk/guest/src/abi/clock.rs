//! `hotcell:kernel/clock`: elapsed time.

imports! { "hotcell:kernel/clock@0.2.0" {
    "elapsed-ns": fn clock_elapsed_ns() -> u64;
}}

/// Nanoseconds since the launch began.
#[cfg(target_arch = "wasm32")]
pub(crate) fn elapsed_ns() -> u64 {
    // SAFETY: the canonical ABI's word.
    unsafe { clock_elapsed_ns() }
}

//! `hotcell:kernel/control`: the launch seen from inside.

imports! { "hotcell:kernel/control@0.2.0" {
    "should-stop": fn control_should_stop() -> u32;
    "progress": fn control_progress(done: u64, total: u64);
}}

/// True once the host would like the guest to return.
#[cfg(target_arch = "wasm32")]
pub(crate) fn should_stop() -> bool {
    // SAFETY: the canonical ABI's word.
    unsafe { control_should_stop() != 0 }
}

/// Tells how far the work has come.
#[cfg(target_arch = "wasm32")]
pub(crate) fn progress(done: u64, total: u64) {
    // SAFETY: the canonical ABI's word.
    unsafe { control_progress(done, total) }
}

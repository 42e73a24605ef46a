//! `hotcell:kernel/failure`: last words.

imports! { "hotcell:kernel/failure@0.2.0" {
    "explain": fn failure_explain(message: *const u8, len: usize);
}}

/// Says why the guest is about to trap.
#[cfg(target_arch = "wasm32")]
pub(crate) fn explain(message: &str) {
    // SAFETY: the canonical ABI's word; the host reads the text.
    unsafe { failure_explain(message.as_ptr(), message.len()) }
}

//! `hotcell:kernel/log`: lines for the operator.

imports! { "hotcell:kernel/log@0.2.0" {
    "emit": fn log_emit(level: u32, message: *const u8, len: usize);
}}

/// How much a line matters; in the WIT's order.
#[cfg_attr(not(target_arch = "wasm32"), derive(Debug))]
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes one line.
#[cfg(target_arch = "wasm32")]
pub(crate) fn emit(level: Level, message: &str) {
    // SAFETY: the canonical ABI's word; the host reads the text.
    unsafe { log_emit(level as u32, message.as_ptr(), message.len()) }
}

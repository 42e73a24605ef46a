//! The engine profile: the one place that decides how wasmtime is configured for kernels.
//!
//! The compiler and the runner each make an engine of their own, in processes of their own, and an
//! artifact passes from one to the other only if both were configured alike. So both call
//! [`config()`], and add nothing to it that changes machine code, but that the compiler can have Cranelift canonicalise NaNs.
//!
//! Everything that kernels do not need is off. Most sandbox escapes of recent years were in what is off
//! here: garbage collection, threads, exceptions, component-model async, stack switching.

#[cfg(feature = "config")]
mod config;
mod pool;
mod profile;

#[cfg(feature = "config")]
pub use config::{BACKTRACE_FRAMES, FEATURES, config};
#[cfg(feature = "run")]
pub use pool::pool;
pub use pool::{
    METADATA_BYTES, METADATA_BYTES_PER_ENTRY, METADATA_BYTES_PER_INSTANCE, PoolNeed, room,
};
pub use profile::{LAZY_NANS, profile};

//! Runs compiled kernels under limits: engine, linker, limiter, deadline and capabilities.
//!
//! A [`Runner`] owns one engine and its pool of instance slots. [`Runner::load`] makes an artifact
//! runnable, [`Runner::run`] runs one launch of it: each chunk in a fresh store, which is dropped at its
//! end, so that a store that trapped or timed out is never used again. Nothing in here compiles.
//!
//! The flow of a launch: `launch` hands out chunks to threads, `chunk` instantiates and calls,
//! `guest` serves what the guest asks for, `meter` counts it, `stop` ends it, `sampler` sees where its time
//! goes if that was asked for, and `end` says in the host's words how it ended.

mod arrays;
mod chunk;
mod crew;
mod end;
mod engine;
#[doc(hidden)]
pub mod entries;
mod guest;
mod launch;
mod lent;
mod limiter;
mod mapping;
mod meter;
mod output;
mod sampler;
#[cfg(feature = "worker")]
mod sessions;
mod stop;
mod ticker;
mod words;

pub use engine::{EngineError, LoadError, LoadedKernel, Runner, RunnerConfig, open_pagemap};
pub use output::OutputBuffer;
#[cfg(feature = "worker")]
pub use sessions::{SharedArrays, attach};

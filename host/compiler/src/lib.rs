//! Reads, checks and compiles kernel components.
//!
//! Everything that parses hostile WebAssembly on the host's side is in this crate: [`describe()`] reads a
//! component and judges its shaders without running it, and [`Compiler::compile`] turns it into an artifact. Counts are
//! checked before Cranelift sees a byte, because slow compilation is not a bug of Cranelift's but a fact to bound.

mod analysis;
mod census;
mod compile;
mod describe;
mod need;

pub use compile::{CompileError, Compiler, Parallelism};
pub use describe::{check, describe, read};

#[cfg(test)]
mod tests;

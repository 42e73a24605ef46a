//! Guarded processes: their profiles, and what their compilers are seen to do.

use crate::names::named;
use crate::{bounded, exact};
use hotcell_manifest::DType;
use serde::{Deserialize, Serialize};

named! {
    /// What a guarded process is allowed to ask of the operating system's kernel, by the library that needs it. Several add up.
    #[derive(PartialOrd, Ord)]
    pub enum GuardProfile, "profile" {
        /// Python, NumPy and libraries that make no machine code.
        Numpy = "numpy",
        /// JAX on the CPU.
        Jax = "jax",
        /// Taichi on the CPU.
        Taichi = "taichi",
        /// PyTorch on the CPU.
        TorchCpu = "torch-cpu",
    }
}

named! {
    /// A compiler inside a guarded process.
    pub enum JitSystem, "compiler" {
        /// That of JAX.
        Jax = "jax",
        /// That of Taichi.
        Taichi = "taichi",
    }
}

named! {
    /// Whether a compiler inside a guarded process found in its own cache what it was to make.
    pub enum JitCache, "end of a look into a cache" {
        /// It was there.
        Hit = "hit",
        /// It was not.
        Miss = "miss",
        /// There is none.
        None = "none",
    }
}

/// The most arrays that are told of one compilation.
pub const JIT_ARRAYS: usize = 64;
/// The most extents of one of them.
pub const JIT_EXTENTS: usize = 32;
/// The most phases.
pub const JIT_PHASES: usize = 8;

/// What a compiler in a guarded process says that it does: a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JitEvent {
    /// It begins.
    Begin {
        /// The compilation's number, which its end has too.
        id: u64,
        /// The compiler.
        system: JitSystem,
        /// What is compiled.
        function: String,
    },
    /// It ends.
    End(JitEnd),
}

/// The end of a compilation in a guarded process: a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitEnd {
    /// Its number.
    pub id: u64,
    /// The compiler.
    pub system: JitSystem,
    /// What was compiled.
    pub function: String,
    /// For arrays of which types and shapes.
    #[serde(deserialize_with = "bounded::list::<_, _, JIT_ARRAYS>")]
    pub arguments: Vec<JitArray>,
    /// For which template arguments, in words; empty where there are none.
    pub template: String,
    /// How long each phase took, in nanoseconds.
    #[serde(deserialize_with = "bounded::list::<_, _, JIT_PHASES>")]
    pub phases: Vec<(String, u64)>,
    /// How long all of it took.
    pub total_ns: u64,
    /// Whether it was in the compiler's own cache.
    pub cache: JitCache,
    /// Why it was compiled; empty where that is not known.
    pub why: String,
    /// Whether it failed.
    pub failed: bool,
}

/// An array that something was compiled for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitArray {
    /// The parameter; empty where it has no name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its extents.
    #[serde(deserialize_with = "bounded::list::<_, _, JIT_EXTENTS>")]
    pub shape: Vec<u64>,
}

/// Something that was compiled during a call, as the report tells it: by the process's own word but for the CPU time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitReport {
    /// The compiler.
    pub system: JitSystem,
    /// What was compiled.
    pub function: String,
    /// How long it took; of one that did not end, until the call's end.
    #[serde(with = "exact")]
    pub total_ns: u64,
    /// CPU time of the process meanwhile, measured from outside.
    #[serde(with = "exact")]
    pub cpu_ns: u64,
    /// Whether it was in the compiler's own cache.
    pub cache: JitCache,
    /// Whether it came to its end.
    pub ended: bool,
}

//! The engine profile: everything that decides what machine code a component becomes.

use crate::names::named;
use serde::{Deserialize, Serialize};

named! {
    /// How a kernel's execution is metered, the weakest first. Epoch checks are in every mode.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Metering, "metering mode" {
        /// Epochs only: timeouts and cancellation work, fuel is not counted.
        Fast = "fast",
        /// Epochs and fuel.
        #[default]
        Strict = "strict",
        /// Strict, and the same inputs give the same bytes and fuel on every machine: NaNs are
        /// canonical, there is no clock, and random bytes need a seed.
        Deterministic = "deterministic",
    }
}

impl Metering {
    /// Whether fuel is counted.
    pub fn has_fuel(self) -> bool {
        self != Self::Fast
    }
}

/// Everything besides the component that an artifact depends on, in words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineProfile {
    /// The compiler and its version.
    pub compiler: String,
    /// The version of hotcell's configuration of it.
    pub configuration: u32,
    /// The metering mode: an artifact belongs to one.
    pub metering: Metering,
    /// Architecture and operating system.
    pub target: String,
    /// The CPU's features that the code may use, separated by spaces.
    pub cpu_features: String,
}

named! {
    /// How the parts of the host are kept apart from a launch.
    pub enum Isolation, "isolation" {
        /// The kernel is compiled and run inside the caller's process: the Wasm sandbox is the only wall.
        InProcess = "in-process",
        /// Python runs in a process of its own, with native code and compilers of its own inside: the operating system's kernel is
        /// the only wall, and nothing keeps writable memory from becoming executable.
        Guarded = "guarded",
        /// The kernel is compiled in one confined process and run in another.
        Confined = "confined",
    }
}

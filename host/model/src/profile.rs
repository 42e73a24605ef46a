//! The engine profile: everything that decides what machine code a component becomes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a kernel's execution is metered. Epoch checks are in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metering {
    /// Epochs only: timeouts and cancellation work, fuel is not counted.
    Fast,
    /// Epochs and fuel.
    #[default]
    Strict,
    /// Strict, and the same inputs give the same bytes and fuel on every machine: NaNs are
    /// canonical, there is no clock, and random bytes need a seed.
    Deterministic,
}

impl Metering {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Strict, Self::Deterministic];

    /// Whether fuel is counted.
    pub fn has_fuel(self) -> bool {
        self != Self::Fast
    }

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Strict => "strict",
            Self::Deterministic => "deterministic",
        }
    }
}

impl fmt::Display for Metering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| format!("`{text}` is no metering mode (fast, strict, deterministic)"))
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

/// How the parts of the host are kept apart from a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The kernel is compiled and run inside the caller's process: the Wasm sandbox is the only wall.
    InProcess,
    /// The kernel is compiled in one confined process and run in another.
    Confined,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confined => f.pad("confined"),
            Self::InProcess => f.pad("in-process"),
        }
    }
}

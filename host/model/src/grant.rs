//! Capabilities a kernel may import, and the set an operator grants.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Something outside its own memory that a kernel can be allowed to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Bounded log lines.
    Log,
    /// Should-stop and progress.
    Control,
    /// Elapsed time, quantised.
    Clock,
    /// Random bytes.
    Random,
    /// Compute on a GPU.
    Gpu,
    /// Shaders whose text is made at run time; of use with `gpu` alone.
    GpuText,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 6] = [
        Self::Log,
        Self::Control,
        Self::Clock,
        Self::Random,
        Self::Gpu,
        Self::GpuText,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Control => "control",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Gpu => "gpu",
            Self::GpuText => "gpu-text",
        }
    }

    /// The WIT interface that the capability stands for, without its version.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Log => "hotcell:kernel/log",
            Self::Control => "hotcell:kernel/control",
            Self::Clock => "hotcell:kernel/clock",
            Self::Random => "hotcell:kernel/random",
            Self::Gpu => "hotcell:gpu/compute",
            Self::GpuText => "hotcell:gpu/text",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(name: &str) -> Result<Self, UnknownCapability> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
            .ok_or_else(|| UnknownCapability(name.chars().take(64).collect()))
    }
}

/// A name that is no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability `{0}` (known: log, control, clock, random, gpu, gpu-text)")]
pub struct UnknownCapability(pub String);

/// The capabilities granted to a launch, without duplicates, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Capability>", into = "Vec<Capability>")]
pub struct Grants(Vec<Capability>);

impl Grants {
    /// Nothing at all.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// What the built-in policy grants: `log` and `control`.
    pub fn built_in() -> Self {
        Self(vec![Capability::Log, Capability::Control])
    }

    /// This set and one more.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        self.0.into_iter().chain([capability]).collect()
    }

    /// Whether `capability` is granted.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// The granted capabilities in order.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Capability> for Grants {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set: Vec<Capability> = capabilities.into_iter().collect();
        set.sort();
        set.dedup();
        Self(set)
    }
}

impl From<Vec<Capability>> for Grants {
    fn from(capabilities: Vec<Capability>) -> Self {
        capabilities.into_iter().collect()
    }
}

impl From<Grants> for Vec<Capability> {
    fn from(grants: Grants) -> Self {
        grants.0
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let names: Vec<&str> = self.iter().map(Capability::name).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_a_set_and_deny_by_default() {
        let grants = Grants::built_in()
            .with(Capability::Clock)
            .with(Capability::Log);
        assert_eq!(grants.to_string(), "log, control, clock");
        assert!(!grants.has(Capability::Random));
        assert_eq!(Grants::none().to_string(), "nothing");
        assert!("gpu2".parse::<Capability>().is_err());
    }
}

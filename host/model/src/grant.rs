//! Capabilities a kernel may import, those that a request wants, and those that are granted.

use crate::names::named;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a capability can be had where the same inputs must give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Determinism {
    /// It changes no result.
    Always,
    /// With a seed.
    Seeded,
    /// Its answers differ from run to run, or from machine to machine.
    Never,
}

macro_rules! capabilities {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $interface:literal, $determinism:ident;)+) => {
        named! {
            /// Something outside its own memory that a kernel can be allowed to reach.
            #[derive(PartialOrd, Ord)]
            pub enum Capability, "capability" {
                $($(#[$doc])* $variant = $name,)+
            }
        }

        impl Capability {
            /// The WIT interface that the capability stands for, without its version; a package of it, where that is all
            /// of its interfaces.
            pub const fn interface(self) -> &'static str {
                match self { $(Self::$variant => $interface,)+ }
            }

            /// Whether deterministic metering can have it.
            pub const fn determinism(self) -> Determinism {
                match self { $(Self::$variant => Determinism::$determinism,)+ }
            }
        }
    };
}

capabilities! {
    /// Bounded log lines.
    Log = "log", "hotcell:kernel/log", Always;
    /// Should-stop and progress.
    Control = "control", "hotcell:kernel/control", Always;
    /// Elapsed time, quantised.
    Clock = "clock", "hotcell:kernel/clock", Never;
    /// Random bytes.
    Random = "random", "hotcell:kernel/random", Seeded;
    /// Compute on a GPU.
    Gpu = "gpu", "hotcell:gpu/compute", Never;
    /// Shaders whose text is made at run time; of use with `gpu` alone.
    GpuText = "gpu-text", "hotcell:gpu/text", Never;
    /// What the standard libraries of Rust and C ask of a system, as [`wasi`](crate::wasi) has it: with no files, no
    /// network, no environment and no arguments.
    Wasi = "wasi", "wasi:*", Always;
    /// The directories that the operator opened, as files of `wasi`; of use with that alone.
    Files = "files", "wasi:filesystem", Never;
}

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

    /// Every capability that there is.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
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

/// The capabilities that a request wants: it has those of them that are granted, and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wants(Grants);

impl Wants {
    /// This set and one more.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        Self(self.0.with(capability))
    }

    /// Those that `offered` grants.
    pub fn granted_by(&self, offered: &Grants) -> Grants {
        self.0
            .iter()
            .filter(|wanted| offered.has(*wanted))
            .collect()
    }
}

impl Default for Wants {
    /// What the built-in policy grants: `log` and `control`.
    fn default() -> Self {
        Self(Grants::built_in())
    }
}

impl FromIterator<Capability> for Wants {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_know_every_capability() {
        let names = Capability::ALL.map(Capability::name);
        assert_eq!(names, hotcell_manifest::CAPABILITIES);
    }

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

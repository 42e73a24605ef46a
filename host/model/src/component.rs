//! What is known of a component before it runs: read by the compile worker, believed by nobody else.

use crate::analysis::EntryCost;
use crate::grant::Capability;
use crate::limit::Breach;
use crate::outcome::{Blame, Cause, Outcome, OutcomeKind};
use crate::shader::Shader;
use crate::{bounded, text, wasi};
use hotcell_manifest::Manifest;
use serde::{Deserialize, Serialize};

/// The WIT package whose interfaces kernels import and export.
pub const PACKAGE: &str = "hotcell:kernel";
/// The version of the packages that kernels are made for today.
pub const PACKAGE_VERSION: &str = "0.2.0";
/// Every version of the packages that this host implements, today's first. What a version has, each later one has
/// too, under the same name and with the same meaning.
pub const PACKAGE_VERSIONS: [&str; 2] = [PACKAGE_VERSION, "0.1.0"];
/// The interface that every kernel component exports.
pub const ENTRIES: &str = "hotcell:kernel/entries";
/// Interfaces that are part of every launch and need no grant.
pub const ALWAYS_LINKED: [&str; 2] = ["hotcell:kernel/arrays", "hotcell:kernel/failure"];

/// A component, described without running it.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it imports at its top level, in order.
    pub imports: Vec<Import>,
    /// The shaders of its section, in order.
    pub shaders: Vec<Shader>,
    /// What was counted.
    pub counts: Counts,
    /// What the code says of each kernel's cost, in the manifest's order.
    pub costs: Vec<EntryCost>,
}

impl Description {
    /// What the code says of a kernel's cost, by its place in the manifest.
    pub fn cost_of(&self, kernel: usize) -> Option<&EntryCost> {
        self.costs
            .iter()
            .find(|cost| cost.kernel as usize == kernel)
    }
}

/// The names under which this host finds what a component exports to be launched, today's first.
pub fn entries_names() -> impl Iterator<Item = String> {
    PACKAGE_VERSIONS
        .iter()
        .map(|version| format!("{ENTRIES}@{version}"))
}

/// One import of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The full name: `hotcell:kernel/log@0.1.0`.
    pub name: String,
    /// What it takes to get it.
    pub needs: Need,
}

/// What an import needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Nothing: it is part of every launch.
    Nothing,
    /// A grant.
    Grant(Capability),
    /// A host that offers it: this one does not.
    AnotherHost,
}

impl Import {
    /// Whether a component that imports it has a use for the capability: it is its own, or what of WASI gives it.
    pub fn brings(&self, capability: Capability) -> bool {
        let of_wasi = match capability {
            Capability::Log => "wasi:cli/",
            Capability::Clock => "wasi:clocks/",
            Capability::Random => "wasi:random/",
            Capability::Files => "wasi:filesystem/preopens@",
            capability => return self.needs == Need::Grant(capability),
        };
        self.needs == Need::Grant(capability)
            || self.needs == Need::Grant(Capability::Wasi) && self.name.starts_with(of_wasi)
    }

    /// Classifies an import by its full name.
    pub fn classify(name: &str) -> Self {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        let known = Capability::ALL
            .into_iter()
            .find(|capability| capability.interface() == interface);
        let needs = match known {
            _ if wasi::is_offered(interface, version) => Need::Grant(Capability::Wasi),
            _ if !PACKAGE_VERSIONS.contains(&version) => Need::AnotherHost,
            _ if ALWAYS_LINKED.contains(&interface) => Need::Nothing,
            Some(capability) => Need::Grant(capability),
            None => Need::AnotherHost,
        };
        Self {
            name: name.to_owned(),
            needs,
        }
    }
}

/// The most imports, memories or tables that a description can list: the ceiling of the limit on items, among which
/// they are.
pub(crate) const LISTED: usize = 500_000;

/// What was counted in a component, over all that it contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Size of the whole component.
    pub component_bytes: u64,
    /// Functions with a body.
    pub functions: u64,
    /// Bytes of function bodies.
    pub code_bytes: u64,
    /// Bytes of the largest function body.
    pub largest_function_bytes: u64,
    /// The most locals in one function.
    pub most_locals: u64,
    /// The most targets in one `br_table`.
    pub most_br_table_targets: u64,
    /// The deepest nesting of blocks in one function.
    pub deepest_nesting: u64,
    /// Bytes of data segments.
    pub data_bytes: u64,
    /// Bytes of custom sections: names, debug information, the manifest.
    pub custom_bytes: u64,
    /// Core modules.
    pub modules: u64,
    /// Types of core modules and components.
    pub types: u64,
    /// Imports, exports, instances, aliases and other entries of sections.
    pub items: u64,
    /// Linear memories declared.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED>")]
    pub memories: Vec<Extent>,
    /// Tables declared.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED>")]
    pub tables: Vec<Extent>,
}

/// The declared size of a memory, in 64 KiB pages, or of a table, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// At instantiation.
    pub initial: u64,
    /// The most it can grow to, where declared.
    pub maximum: Option<u64>,
}

/// Why a component is not accepted. The words are a parser's about hostile bytes, and raw: whoever shows them escapes
/// them, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Its bytes are no WebAssembly.
    #[error("not WebAssembly")]
    NotWasm,
    /// It is a core module.
    #[error("a core module, not a component")]
    CoreModule,
    /// Its bytes are not a component that this host would compile.
    #[error("{0}")]
    Malformed(String),
    /// It is a component, but no kernel.
    #[error("{0}")]
    NoKernel(String),
    /// It has no manifest.
    #[error("the component has no `{}` section", hotcell_manifest::SECTION)]
    ManifestMissing,
    /// It is more than a limit allows.
    #[error(transparent)]
    TooMuch(#[from] Breach),
}

impl Refusal {
    /// The longest words that cross a process boundary.
    const WORDS_BYTES: usize = 8 << 10;

    /// The same with its words cut to what crosses.
    #[must_use]
    pub fn cut(mut self) -> Self {
        if let Self::Malformed(why) | Self::NoKernel(why) = &mut self {
            why.truncate(why.floor_char_boundary(Self::WORDS_BYTES));
        }
        self
    }

    /// How what was asked of the component ends.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotWasm => Outcome::because(vec![Cause::NotWasm]),
            Self::CoreModule => Outcome::because(vec![Cause::CoreModule]),
            Self::ManifestMissing => Outcome::because(vec![Cause::ManifestMissing]),
            Self::TooMuch(breach) => Outcome::breached(*breach),
            Self::Malformed(why) | Self::NoKernel(why) => {
                let why = text::escape(why, 2048);
                Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_classified_by_interface_and_version() {
        let needs = |name| Import::classify(name).needs;
        assert_eq!(needs("hotcell:kernel/arrays@0.1.0"), Need::Nothing);
        assert_eq!(
            needs("hotcell:kernel/clock@0.1.0"),
            Need::Grant(Capability::Clock)
        );
        assert_eq!(needs("hotcell:kernel/clock@0.3.0"), Need::AnotherHost);
        assert_eq!(needs("hotcell:kernel/clock"), Need::AnotherHost);
        let wasi = Need::Grant(Capability::Wasi);
        assert_eq!(needs("wasi:filesystem/types@0.2.6"), wasi);
        assert_eq!(needs("wasi:sockets/tcp@0.2.6"), Need::AnotherHost);
    }

    #[test]
    fn wasi_brings_what_it_has_of_other_capabilities() {
        let brings = |name: &str, capability| Import::classify(name).brings(capability);
        for (name, capability) in [
            ("wasi:cli/stderr@0.2.0", Capability::Log),
            ("wasi:clocks/wall-clock@0.2.3", Capability::Clock),
            ("wasi:random/insecure-seed@0.2.4", Capability::Random),
            ("wasi:filesystem/preopens@0.2.0", Capability::Files),
            ("hotcell:kernel/log@0.2.0", Capability::Log),
        ] {
            assert!(brings(name, capability), "{name}");
            assert!(!brings(name, Capability::Gpu), "{name}");
        }
        assert!(!brings("wasi:filesystem/types@0.2.0", Capability::Files));
        assert!(!brings("wasi:sockets/tcp@0.2.0", Capability::Wasi));
    }

    #[test]
    fn a_refusals_words_stay_as_they_are_and_are_cut() {
        for why in ["import `\u{16}x`\n\\n", "", "ü"] {
            let refusal = Refusal::Malformed(why.to_owned());
            assert_eq!(refusal.clone().cut(), refusal);
        }
        let long = Refusal::NoKernel("ü".repeat(Refusal::WORDS_BYTES)).cut();
        assert_eq!(long.to_string().len(), Refusal::WORDS_BYTES);
    }
}

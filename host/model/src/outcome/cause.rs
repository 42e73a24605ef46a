//! What an outcome comes from, typed: for whoever tells a person or a program what to do about it.
//!
//! The words here say what is wrong, and name no option of any command: the command, a daemon and a Python program
//! each add the remedy in their own words.

use super::{Blame, OutcomeKind};
use crate::bounded;
use crate::budget::{PlaceKind, Resource};
use crate::exact;
use crate::grant::{Capability, Grants};
use crate::layer::Tier;
use crate::limit::{AboveCeiling, Breach, Unit};
use crate::profile::Metering;
use hotcell_manifest::DType;
use serde::{Deserialize, Serialize};

/// The most names that a cause lists.
pub const NAMES_LISTED: usize = 256;

/// One thing that an outcome comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cause {
    /// A limit was reached.
    #[error(transparent)]
    Limit(#[from] Breach),
    /// The request asks for a limit above its ceiling.
    #[error(transparent)]
    AboveCeiling(#[from] AboveCeiling),
    /// The kernel's manifest does.
    #[error("the manifest of `{entry}` asks for too much: {limit}")]
    ManifestAboveCeiling {
        /// The kernel.
        entry: String,
        /// The limit, with both numbers.
        limit: AboveCeiling,
    },
    /// The component imports a capability that is not granted.
    #[error(
        "the component imports `{import}`, which is not granted (it asks for: {}; granted: {granted})",
        asked.join(", ")
    )]
    NotGranted {
        /// What is missing.
        capability: Capability,
        /// The import that needs it.
        import: String,
        /// All that the component asks for.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        asked: Vec<String>,
        /// What is granted.
        granted: Grants,
        /// What the operator would have to write for it to be granted; absent where there is no policy to write it in.
        remedy: Option<String>,
    },
    /// The policy refuses the tenant or the kernel.
    #[error("refused: {why}")]
    Refused {
        /// Why, in the policy's words.
        why: String,
    },
    /// A budget of the tenant has too little.
    #[error("{}", budget_words(*resource, *left, *size, *retry_after_ns))]
    BudgetSpent {
        /// What there is too little of.
        resource: Resource,
        /// What is left; below zero is debt.
        left: i64,
        /// The most that the budget holds.
        #[serde(with = "exact")]
        size: u64,
        /// How long until there is enough if nobody else draws; absent if there never is.
        #[serde(with = "exact::option")]
        retry_after_ns: Option<u64>,
    },
    /// As many launches of the tenant run or wait as may.
    #[error(
        "as many launches of the tenant are {kind} as may, {maximum}, or other processes hold their places; try again when one ends"
    )]
    PlacesTaken {
        /// Which.
        kind: PlaceKind,
        /// How many may.
        #[serde(with = "exact")]
        maximum: u64,
    },
    /// The kernel's code takes more fuel for these shapes than it may, whatever is in the arrays.
    #[error(
        "the kernel takes at least {} fuel for these shapes, by its code; at most {} are allowed",
        Unit::Fuel.format(*at_least),
        Unit::Fuel.format(*maximum)
    )]
    Foretold {
        /// The least that a launch takes that ends well.
        #[serde(with = "exact")]
        at_least: u64,
        /// The limit.
        #[serde(with = "exact")]
        maximum: u64,
    },
    /// The request asks for weaker metering than the policy has.
    #[error("`{asked}` metering was asked for, and at least `{least}` is required")]
    MeteringTooWeak {
        /// What was asked for.
        asked: Metering,
        /// The least that is required.
        least: Metering,
    },
    /// The component imports what this host does not have.
    #[error("the component imports `{import}`, which this host does not offer (it asks for: {})", asked.join(", "))]
    NotOffered {
        /// The import.
        import: String,
        /// All that the component asks for.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        asked: Vec<String>,
    },
    /// The guest called what its entry does not want, and so was not given.
    #[error(
        "the entry called `{}`, which it does not want by its manifest and so was not given; add `{capability}` to its `wants`",
        capability.interface()
    )]
    NotWanted {
        /// What it called.
        capability: Capability,
    },
    /// Deterministic metering does not have the capability.
    #[error("the component imports `{capability}`, {}; run it in `strict`", undetermined(*capability))]
    NotDeterministic {
        /// What it imports.
        capability: Capability,
    },
    /// Deterministic metering has random bytes only with a seed.
    #[error("the component imports `random`, which deterministic metering has only with a seed")]
    SeedMissing,
    /// The component has no such entry.
    #[error("the component has no entry `{name}`; it has: {}", listed(known))]
    UnknownEntry {
        /// The name that was given.
        name: String,
        /// Those that it has.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        known: Vec<String>,
    },
    /// The component has several entries, and none is named.
    #[error("the component has several entries, name one: {}", listed(known))]
    EntryMissing {
        /// Those that it has.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        known: Vec<String>,
    },
    /// The kernel has no such argument or dimension.
    #[error("`{entry}` has no {what} `{name}`; it has: {}", listed(known))]
    UnknownName {
        /// The kernel.
        entry: String,
        /// What the name was given as.
        what: NameKind,
        /// The name.
        name: String,
        /// Those that it has.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        known: Vec<String>,
    },
    /// A scalar parameter was given an array.
    #[error("`{name}` of `{entry}` is a scalar, not an array")]
    NotAnArray {
        /// The kernel.
        entry: String,
        /// The parameter.
        name: String,
    },
    /// An array parameter was given a scalar.
    #[error("`{name}` of `{entry}` is an array, not a scalar")]
    NotAScalar {
        /// The kernel.
        entry: String,
        /// The parameter.
        name: String,
    },
    /// An array is not given.
    #[error("input `{name}` of `{entry}` is missing")]
    InputMissing {
        /// The kernel.
        entry: String,
        /// The array.
        name: String,
    },
    /// A scalar without a default is not given.
    #[error("scalar `{name}` of `{entry}` is missing ({dtype})")]
    ScalarMissing {
        /// The kernel.
        entry: String,
        /// The scalar.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// A dimension follows from no input and is not given.
    #[error("dimension `{name}` of `{entry}` is fixed by no input; give its extent")]
    DimMissing {
        /// The kernel.
        entry: String,
        /// The dimension.
        name: String,
    },
    /// An argument is not what its parameter takes: its type, its shape, or its value.
    #[error("{why}")]
    Misfit {
        /// The argument or dimension.
        name: String,
        /// What is wrong with it, with what was expected and what was given.
        why: String,
    },
    /// The walls around a worker are lower than required.
    #[error("{worker} has tier `{tier}`, and `{required}` is required; {}", missing.join("; "))]
    TierTooLow {
        /// The worker.
        worker: String,
        /// How strong its walls are.
        tier: Tier,
        /// The least that is required.
        required: Tier,
        /// Each layer that is missing, why, and what would bring it.
        #[serde(deserialize_with = "bounded::list::<_, _, NAMES_LISTED>")]
        missing: Vec<String>,
    },
    /// A worker could not put on its walls.
    #[error("{worker} could not put on its walls")]
    WallsFailed {
        /// The worker.
        worker: String,
    },
    /// The bytes are no WebAssembly.
    #[error("not WebAssembly")]
    NotWasm,
    /// The bytes are a core module.
    #[error("a core module, not a component")]
    CoreModule,
    /// The component has no manifest.
    #[error("the component has no `{}` section", hotcell_manifest::SECTION)]
    ManifestMissing,
}

/// What a name was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// An array that is read.
    Input,
    /// A scalar.
    Scalar,
    /// A dimension.
    Dim,
}

impl std::fmt::Display for NameKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Input => "input array",
            Self::Scalar => "scalar",
            Self::Dim => "dimension",
        })
    }
}

impl Cause {
    /// The kind of end that it makes.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Limit(breach) => OutcomeKind::of_breach(breach),
            Self::AboveCeiling(_)
            | Self::ManifestAboveCeiling { .. }
            | Self::NotGranted { .. }
            | Self::NotOffered { .. }
            | Self::NotWanted { .. }
            | Self::NotDeterministic { .. }
            | Self::Refused { .. }
            | Self::MeteringTooWeak { .. }
            | Self::SeedMissing => OutcomeKind::Denied,
            Self::UnknownEntry { .. }
            | Self::EntryMissing { .. }
            | Self::UnknownName { .. }
            | Self::NotAnArray { .. }
            | Self::NotAScalar { .. }
            | Self::InputMissing { .. }
            | Self::ScalarMissing { .. }
            | Self::DimMissing { .. }
            | Self::Misfit { .. } => OutcomeKind::Usage,
            Self::Foretold { .. } => OutcomeKind::OutOfFuel,
            Self::BudgetSpent { .. } | Self::PlacesTaken { .. } => OutcomeKind::Budget,
            Self::TierTooLow { .. } => OutcomeKind::Isolation,
            Self::WallsFailed { .. } => OutcomeKind::HostFault,
            Self::NotWasm | Self::CoreModule | Self::ManifestMissing => {
                OutcomeKind::InvalidComponent
            }
        }
    }

    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Limit(_)
            | Self::ManifestAboveCeiling { .. }
            | Self::NotWanted { .. }
            | Self::NotWasm
            | Self::CoreModule
            | Self::ManifestMissing => Blame::Guest,
            Self::NotGranted { .. }
            | Self::NotOffered { .. }
            | Self::Refused { .. }
            | Self::TierTooLow { .. }
            | Self::WallsFailed { .. } => Blame::Operator,
            _ => Blame::Request,
        }
    }

    /// Whether the same request would come to the same on the same machine, however busy that is.
    pub fn is_reproducible(&self) -> bool {
        match self {
            Self::Limit(breach) => !breach.is_by_chance(),
            Self::TierTooLow { .. }
            | Self::WallsFailed { .. }
            | Self::BudgetSpent { .. }
            | Self::PlacesTaken { .. } => false,
            _ => true,
        }
    }

    /// Whether a runner can know it: limits that it counts, and what a guest called.
    pub fn is_of_runner(&self) -> bool {
        matches!(self, Self::Limit(_) | Self::NotWanted { .. })
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

/// Why deterministic metering does not have a capability.
fn undetermined(capability: Capability) -> &'static str {
    match capability {
        Capability::Gpu => "whose results differ between devices",
        _ => "which deterministic metering does not have",
    }
}

/// A budget that has too little, with when to try again, rounded up.
fn budget_words(resource: Resource, left: i64, size: u64, retry_after_ns: Option<u64>) -> String {
    let format = |amount| resource.unit().format(amount);
    let have = match u64::try_from(left) {
        Ok(left) => format!("{} of {} are left", format(left), format(size)),
        Err(_) => format!("{} are owed", format(left.unsigned_abs())),
    };
    let Some(wait) = retry_after_ns else {
        return format!(
            "the tenant's budget of {resource} never holds what this takes: at most {}",
            format(size)
        );
    };
    let step = match wait {
        10_000_000_000.. => 1_000_000_000,
        10_000_000.. => 1_000_000,
        _ => 1_000,
    };
    let wait = Unit::Ns.format(wait.div_ceil(step).saturating_mul(step));
    format!("the tenant's budget of {resource} is spent: {have}; try again in {wait}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_speaks_a_command_line() {
        let words = [
            Cause::SeedMissing,
            Cause::NotWasm,
            Cause::CoreModule,
            Cause::ManifestMissing,
            Cause::NotWanted {
                capability: Capability::Clock,
            },
            Cause::NotGranted {
                capability: Capability::Gpu,
                import: "hotcell:gpu/compute@0.1.0".into(),
                asked: vec!["hotcell:gpu/compute@0.1.0".into()],
                granted: Grants::built_in(),
                remedy: None,
            },
            Cause::DimMissing {
                entry: "k".into(),
                name: "n".into(),
            },
        ]
        .map(|cause| cause.to_string());
        for words in words {
            assert!(
                !words.contains("--") && !words.contains("hotcell "),
                "{words}"
            );
        }
    }
}

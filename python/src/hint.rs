//! What to do about an outcome, in Python's words.

use hotcell::limit::Limit;
use hotcell::outcome::Cause;

/// What follows a cause's own words; empty where these say all.
pub(crate) fn hint(cause: &Cause) -> String {
    match cause {
        // There is nothing to raise.
        Cause::Limit(breach) if breach.limit == Limit::Processes => {
            "; a guarded process makes no others".to_owned()
        }
        // These are a process's own, and not a call's.
        Cause::Limit(breach) if matches!(breach.limit, Limit::Threads | Limit::ScratchBytes) => {
            let name = match breach.limit {
                Limit::Threads => "threads",
                _ => "scratch",
            };
            let ceiling = breach.limit.unit().format(breach.limit.ceiling());
            format!("; raise it where the process is made, with {name}=… (at most {ceiling})")
        }
        Cause::Limit(breach) => {
            let what = match breach.limit.is_of_guard() {
                true => "function",
                false => "kernel",
            };
            let unit = breach.limit.unit();
            let ceiling = unit.format(breach.limit.ceiling());
            let excess = breach.excess().map(|excess| unit.format(excess));
            let excess = excess.map(|excess| format!(", {excess} too much"));
            format!(
                "{}; raise it with options({}=…) (at most {ceiling}), or give the {what} less to do{}",
                excess.unwrap_or_default(),
                option(breach.limit),
                measured(breach.limit)
            )
        }
        Cause::Foretold { at_least, maximum } => {
            let excess = Limit::Fuel.unit().format(at_least.saturating_sub(*maximum));
            format!(
                ", {excess} too much; raise it with options(fuel=…), or give the kernel less to do: nothing has run{}",
                measured(Limit::Fuel)
            )
        }
        Cause::NotGranted {
            remedy: Some(remedy),
            ..
        } => format!("; {remedy}"),
        Cause::NotGranted { capability, .. } => {
            format!("; Cell(grants=[\"{capability}\"]) grants it")
        }
        Cause::MeteringTooWeak { least, .. } => {
            format!("; launch it with options(metering=\"{least}\")")
        }
        Cause::NotWanted { capability } => {
            format!(" (and launch it with options(grants=[…, \"{capability}\"]))")
        }
        Cause::SeedMissing => "; add options(seed=…)".to_owned(),
        Cause::NotAScalar { name, .. } => format!("; give an array as `{name}=`"),
        Cause::DimMissing { name, .. } => format!(" (`{name}=…`)"),
        Cause::TierTooLow { tier, .. } => format!("; Cell(tier=\"{tier}\") accepts it"),
        Cause::WallsFailed { .. } => "; `python -m hotcell doctor` says more".to_owned(),
        Cause::NotWasm | Cause::CoreModule => {
            "; `hotcell build` makes a kernel component".to_owned()
        }
        Cause::ManifestMissing => "; `hotcell build --manifest kernel.toml` adds one".to_owned(),
        Cause::AboveCeiling(_)
        | Cause::ManifestAboveCeiling { .. }
        | Cause::NotOffered { .. }
        | Cause::Refused { .. }
        | Cause::BudgetSpent { .. }
        | Cause::PlacesTaken { .. }
        | Cause::NotDeterministic { .. }
        | Cause::UnknownEntry { .. }
        | Cause::EntryMissing { .. }
        | Cause::UnknownName { .. }
        | Cause::NotAnArray { .. }
        | Cause::InputMissing { .. }
        | Cause::ScalarMissing { .. }
        | Cause::Misfit { .. } => String::new(),
    }
}

/// What measures how much of a limit launches take.
fn measured(limit: Limit) -> &'static str {
    match limit {
        Limit::Fuel | Limit::Memory => {
            "; Entry.profile({…}) measures what it takes by the sizes of its arrays"
        }
        _ => "",
    }
}

/// A limit's name in reports without its unit.
fn option(limit: Limit) -> &'static str {
    // A guarded call has the words of a launch.
    if limit == Limit::ProcessMemory {
        return "memory";
    }
    let name = limit.name();
    let times = name.strip_suffix("_ns");
    times
        .or_else(|| name.strip_suffix("_bytes"))
        .unwrap_or(name)
}

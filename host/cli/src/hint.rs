//! What to do about an outcome, in the words of this command: the library names no option of it.

use hotcell::limit::Limit;
use hotcell::outcome::{Cause, Outcome};

/// What happened, with what to do about it: one line, or one for each of several causes.
pub(crate) fn explain(outcome: &Outcome) -> String {
    outcome.explain(hint)
}

/// As [`explain`], with what more is known of a limit that was reached.
pub(crate) fn explain_with(outcome: &Outcome, known: impl Fn(Limit) -> String) -> String {
    outcome.explain(|cause| {
        let limit = match cause {
            Cause::Limit(breach) => Some(breach.limit),
            Cause::Foretold { .. } => Some(Limit::Fuel),
            _ => None,
        };
        format!("{}{}", hint(cause), limit.map(&known).unwrap_or_default())
    })
}

/// One cause, with what to do about it.
pub(crate) fn explain_cause(cause: &Cause) -> String {
    format!("{cause}{}", hint(cause))
}

/// What to do about a cause, to follow its words; empty where these say all.
fn hint(cause: &Cause) -> String {
    match cause {
        Cause::Limit(breach) if breach.limit == Limit::Processes => {
            "; a guarded program makes no others".to_owned()
        }
        Cause::Limit(breach) => {
            let option = option(breach.limit);
            let ceiling = breach.limit.unit().format(breach.limit.ceiling());
            let excess = breach.excess().map(|excess| {
                let excess = breach.limit.unit().format(excess);
                format!(", {excess} too much")
            });
            format!(
                "{}; raise it with {option} (at most {ceiling}), or give the kernel less to do",
                excess.unwrap_or_default()
            )
        }
        Cause::Foretold { at_least, maximum } => {
            let excess = Limit::Fuel.unit().format(at_least.saturating_sub(*maximum));
            format!(
                ", {excess} too much; raise it with --fuel COUNT, or give the kernel less to do: nothing has run"
            )
        }
        Cause::NotGranted {
            remedy: Some(remedy),
            ..
        } => format!("; {remedy}"),
        Cause::NotGranted { capability, .. } => format!("; `--grant {capability}` grants it"),
        Cause::MeteringTooWeak { least, .. } => format!("; run it with `--metering {least}`"),
        Cause::NotWanted { capability } => format!(
            " (and run it with `--grant {capability}` where that is not granted by default)"
        ),
        Cause::SeedMissing => "; add `--seed N`".to_owned(),
        Cause::NotAScalar { name, .. } => format!("; give a file as `{name}=@FILE`"),
        Cause::DimMissing { name, .. } => format!(" (`--dim {name}=…`)"),
        Cause::TierTooLow { tier, .. } => format!("; `--tier {tier}` accepts it"),
        Cause::WallsFailed { .. } => "; `hotcell doctor` says more".to_owned(),
        Cause::NotWasm => "; `hotcell build` makes a kernel component".to_owned(),
        Cause::CoreModule => "; `hotcell build` makes a kernel component of a project".to_owned(),
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

/// The option that sets a limit.
fn option(limit: Limit) -> String {
    match limit {
        Limit::Timeout => "--timeout DURATION".to_owned(),
        Limit::Fuel => "--fuel COUNT".to_owned(),
        Limit::Memory => "--memory BYTES".to_owned(),
        Limit::ProcessMemory => "--memory BYTES".to_owned(),
        Limit::Threads => "--threads COUNT".to_owned(),
        Limit::ScratchBytes => "--scratch BYTES".to_owned(),
        limit => format!("--limit {limit}=VALUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell::limit::{Amount, Breach};

    fn missing(name: &str) -> Cause {
        Cause::DimMissing {
            entry: "k".into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_limit_says_how_far_over_it_is_where_that_is_known() {
        let breach = |amount| Breach {
            limit: Limit::Memory,
            amount,
            maximum: 1 << 20,
        };
        let says = |amount| {
            let outcome = Outcome::breached(breach(amount));
            explain_with(&outcome, |limit| format!("; more of {limit}"))
        };
        let refused = says(Amount::Requested(3 << 20));
        assert!(
            refused.contains("at most 1MiB allowed, 2MiB too much; raise it"),
            "{refused}"
        );
        assert!(
            refused.ends_with("less to do; more of memory_bytes"),
            "{refused}"
        );
        assert!(!says(Amount::Used(1 << 20)).contains("too much"));
    }

    #[test]
    fn one_cause_is_one_line_and_several_are_a_list() {
        let one = explain(&Outcome::because(vec![missing("n")]));
        let says = "dimension `n` of `k` is fixed by no input; give its extent (`--dim n=…`)";
        assert_eq!(one, says);
        let two = explain(&Outcome::because(vec![missing("n"), Cause::SeedMissing]));
        let lines: Vec<&str> = two.lines().collect();
        assert_eq!(lines[0], "2 things are wrong:");
        assert_eq!(lines[1].trim(), says);
        assert!(lines[2].ends_with("; add `--seed N`"), "{two}");
    }
}

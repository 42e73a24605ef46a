//! Suggestions as a policy's text: a file of its own, or to be put into one.

use super::{Margin, Suggestion};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How a policy is to hold what is suggested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Limits that stop; a request may ask for others.
    #[default]
    Limits,
    /// Limits, and ceilings of the same values: nothing that asks for more has it.
    Ceilings,
    /// Limits that are only observed.
    Observe,
}

/// A policy with a profile for each entry, bound by digest and name.
pub fn policy_text(suggestions: &[Suggestion], margin: Margin, style: Style) -> String {
    let mut text = format!(
        "# Limits by what kernels took when they were profiled, {:.0} % above the most that was seen.\nschema = 1\n",
        margin.percent()
    );
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    let named: Vec<(String, &Suggestion)> = suggestions
        .iter()
        .map(|one| {
            let count = names.entry(one.entry.clone()).or_default();
            *count += 1;
            let name = match *count {
                1 => one.entry.clone(),
                again => format!("{}_{again}", one.entry),
            };
            (name, one)
        })
        .collect();
    for (name, suggestion) in &named {
        let _ = write!(
            text,
            "\n[[kernels]]\ndigest = \"{}\"\nname = \"{}\"\nprofile = \"{name}\"\n",
            suggestion.component, suggestion.entry
        );
    }
    for (name, suggestion) in &named {
        profile(&mut text, name, suggestion, style);
    }
    text
}

fn profile(text: &mut String, name: &str, suggestion: &Suggestion, style: Style) {
    let sizes = suggestion.sizes.iter();
    let sizes: Vec<_> = sizes.map(|(name, size)| format!("{name}={size}")).collect();
    let stops = suggestion.false_stops;
    let _ = writeln!(
        text,
        "\n# `{}`, for launches up to {}.",
        suggestion.entry,
        sizes.join(", ")
    );
    let _ = writeln!(
        text,
        "# Of {} honest launches {} would have been stopped: at most {:.2} % are, at 95 % confidence.",
        stops.runs,
        if stops.stopped == 0 {
            "none".to_owned()
        } else {
            stops.stopped.to_string()
        },
        stops.at_most_percent()
    );
    for note in &suggestion.notes {
        let _ = writeln!(text, "# {}.", one_line(note));
    }
    let _ = writeln!(text, "[profiles.{name}.limits]");
    for one in &suggestion.limits {
        let value = one.limit.unit().format(one.value);
        let _ = writeln!(text, "# {}.", one_line(&one.why));
        let _ = match style {
            Style::Observe => writeln!(
                text,
                "{} = {{ value = \"{value}\", mode = \"observe\" }}",
                one.limit
            ),
            Style::Limits | Style::Ceilings => writeln!(text, "{} = \"{value}\"", one.limit),
        };
    }
    if style == Style::Ceilings {
        let _ = writeln!(
            text,
            "\n# Nothing that asks for more has it.\n[profiles.{name}.ceilings]"
        );
        for one in &suggestion.limits {
            let _ = writeln!(
                text,
                "{} = \"{}\"",
                one.limit,
                one.limit.unit().format(one.value)
            );
        }
    }
}

/// A comment ends where its line does.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggest::suggest;
    use crate::tests::linear;
    use hotcell::limit::Limit;
    use hotcell_policy::FilePolicy;

    #[test]
    fn what_is_suggested_is_a_policy_of_every_style() {
        let suggestion = suggest(&linear(), &[], Margin::default()).unwrap();
        for style in [Style::Limits, Style::Ceilings, Style::Observe] {
            let text = policy_text(
                &[suggestion.clone(), suggestion.clone()],
                Margin::default(),
                style,
            );
            FilePolicy::read("suggested.toml", &text)
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(text.contains("profile = \"saxpy_2\""), "{text}");
            assert_eq!(text.contains("observe"), style == Style::Observe);
            assert_eq!(text.contains("ceilings]"), style == Style::Ceilings);
            for limit in [Limit::Fuel, Limit::Memory, Limit::Timeout] {
                assert!(text.contains(&format!("\n{limit} = ")), "{text}");
            }
        }
    }
}

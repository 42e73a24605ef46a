//! What a launch is expected to take, held against what it may before it runs.
//!
//! An expectation is no promise: it warns, and stops nobody. What is certain refuses a launch, and is told as its outcome.

use crate::exact;
use crate::limit::Limit;
use crate::names::named;
use serde::{Deserialize, Serialize};
use std::fmt;

named! {
    /// Whose word an expectation is.
    pub enum Foresight, "foresight" {
        /// The kernel's code bounds it from both sides, and closely.
        Code = "code",
        /// A profile that was taken of the kernel foretells it.
        Profile = "profile",
    }
}

/// A limit that a launch is expected to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// The limit.
    pub limit: Limit,
    /// Who expects it.
    pub by: Foresight,
    /// How much the launch is expected to take, in the limit's unit: by the code up to that, by a profile about that.
    #[serde(with = "exact")]
    pub expected: u64,
    /// The limit's value.
    #[serde(with = "exact")]
    pub maximum: u64,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.limit.unit();
        let (about, whose) = match self.by {
            Foresight::Code => ("up to", "the kernel's code"),
            Foresight::Profile => ("about", "the kernel's profile"),
        };
        write!(
            f,
            "limit {}: {about} {} expected by {whose}, at most {} allowed",
            self.limit,
            unit.format(in_three_digits(self.expected)),
            unit.format(self.maximum)
        )
    }
}

/// An amount that is not known to its last digit, as people say it: with three digits, the rest rounded up.
pub fn in_three_digits(value: u64) -> u64 {
    let mut step = 1;
    while value / step >= 1000 {
        step *= 10;
    }
    value.div_ceil(step).saturating_mul(step)
}

/// What launches before this one say that it will take; `None` of what they say nothing of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Fuel over all chunks.
    pub fuel: Option<u64>,
    /// Linear memory of the largest instance, in bytes.
    pub memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_with_three_digits() {
        for (value, said) in [(0, 0), (999, 999), (1000, 1000), (12_345, 12_400)] {
            assert_eq!(in_three_digits(value), said);
        }
        assert_eq!(in_three_digits(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_warning_has_both_numbers_and_whose_word_it_is() {
        let warning = |by| Warning {
            limit: Limit::Memory,
            by,
            expected: 3_000_000,
            maximum: 1 << 20,
        };
        for (by, says) in [
            (
                Foresight::Code,
                "up to 3000000B expected by the kernel's code",
            ),
            (
                Foresight::Profile,
                "about 3000000B expected by the kernel's profile",
            ),
        ] {
            assert_eq!(
                warning(by).to_string(),
                format!("limit memory_bytes: {says}, at most 1MiB allowed")
            );
        }
    }
}

//! Counts, bytes and durations as people write them.
//!
//! Counts take decimal suffixes (`k M G T`), bytes take binary ones (`B KiB MiB GiB`) and need one, so
//! that nobody guesses whether `256` or `256MB` was meant, and durations take `ns us ms s m`.

use std::time::Duration;

/// Why a quantity cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// The text does not begin with a number.
    NoNumber(String, &'static str),
    /// The unit is missing or not one of those known.
    Unit {
        /// What was written.
        text: String,
        /// The units that are known here.
        known: &'static str,
    },
    /// The value does not fit.
    TooLarge(String),
    /// The value is not a whole number of the smallest unit.
    NotWhole(String, &'static str),
}

crate::words! { UnitError:
    Self::NoNumber(a, b) => ("`{a}` does not begin with a number; write for example `{b}`"),
    Self::Unit { text, known } => ("`{text}` needs one of the units {known}"),
    Self::TooLarge(a) => ("`{a}` is too large"),
    Self::NotWhole(a, b) => ("`{a}` is not a whole number of {b}"),
}

impl std::error::Error for UnitError {}

const COUNT: Scale = Scale {
    units: &[
        ("", 1),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ],
    known: "k, M, G, T, or none",
    example: "10G",
    smallest: "ones",
};
const BYTES: Scale = Scale {
    units: &[
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ],
    known: "B, KiB, MiB, GiB",
    example: "256MiB",
    smallest: "bytes",
};
const DURATION: Scale = Scale {
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
    ],
    known: "ns, us, ms, s, m",
    example: "200ms",
    smallest: "nanoseconds",
};

/// Reads a count such as `10G`, `1.5k` or `42`.
///
/// # Errors
/// No number, an unknown suffix, a fraction that is not whole, or more than `u64::MAX`.
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    COUNT.parse(text)
}

/// Reads an amount of memory such as `256MiB`; the unit is required.
///
/// # Errors
/// As [`parse_count`]; a bare number and `MB` are refused.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    BYTES.parse(text)
}

/// Reads a duration such as `200ms`; the unit is required.
///
/// # Errors
/// As [`parse_count`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    DURATION.parse(text).map(Duration::from_nanos)
}

/// Writes a count with the largest suffix that keeps it whole: `10G`, `1500`.
pub fn format_count(value: u64) -> String {
    COUNT.format(value)
}

/// Writes an amount of memory with the largest unit that keeps it whole: `256MiB`.
pub fn format_bytes(value: u64) -> String {
    BYTES.format(value)
}

/// Writes a duration with the largest unit that keeps it whole: `200ms`. Saturates at 584 years.
pub fn format_duration(value: Duration) -> String {
    DURATION.format(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
}

struct Scale {
    /// Smallest first.
    units: &'static [(&'static str, u64)],
    known: &'static str,
    example: &'static str,
    smallest: &'static str,
}

impl Scale {
    fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let shown = || text.chars().take(40).collect::<String>();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') || number.ends_with('.') {
            return Err(UnitError::NoNumber(shown(), self.example));
        }
        let factor = self.units.iter().find(|(name, _)| *name == unit);
        let factor = factor.ok_or_else(|| UnitError::Unit {
            text: shown(),
            known: self.known,
        })?;
        let factor = u128::from(factor.1);
        let whole: u128 = whole.parse().map_err(|_| UnitError::TooLarge(shown()))?;
        let total = whole
            .checked_mul(factor)
            .and_then(|units| units.checked_add(self.fraction(fraction, factor)?))
            .ok_or_else(|| UnitError::NotWhole(shown(), self.smallest));
        u64::try_from(total?).map_err(|_| UnitError::TooLarge(shown()))
    }

    /// `0.fraction` of `factor`, or `None` unless that is whole.
    fn fraction(&self, digits: &str, factor: u128) -> Option<u128> {
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(0);
        }
        let denominator = 10u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
        let scaled = digits.parse::<u128>().ok()?.checked_mul(factor)?;
        (scaled % denominator == 0).then(|| scaled / denominator)
    }

    fn format(&self, value: u64) -> String {
        let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
        let (unit, factor) = self.units.iter().rev().find(fits).unwrap_or(&self.units[0]);
        format!("{}{unit}", value / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_in_their_units() {
        assert_eq!(parse_count("10G"), Ok(10_000_000_000));
        assert_eq!(parse_count("1.5k"), Ok(1500));
        assert_eq!(parse_count("42"), Ok(42));
        assert_eq!(parse_bytes("256MiB"), Ok(256 << 20));
        assert_eq!(parse_bytes("0.5KiB"), Ok(512));
        assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn quantities_without_a_clear_unit_are_refused() {
        for text in [
            "256",
            "256MB",
            "256M",
            "MiB",
            "",
            "1.2.3MiB",
            "1.MiB",
            "0.3B",
            "-1B",
            "20000000000GiB",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        for text in ["5", "5 s", "5S", "5h", "0.5ns", "99999999999999m"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in [
            "1K",
            "1Ki",
            "1.5",
            "0.0001k",
            "99999999999999999999999T",
            "é",
        ] {
            assert!(parse_count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn formatting_reads_back() {
        for value in [0, 1, 999, 1000, 1500, 10_000_000_000, u64::MAX] {
            assert_eq!(parse_count(&format_count(value)), Ok(value));
            assert_eq!(parse_bytes(&format_bytes(value)), Ok(value));
            let duration = Duration::from_nanos(value);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        assert_eq!(format_bytes(256 << 20), "256MiB");
        assert_eq!(format_duration(Duration::from_millis(90_000)), "90s");
    }
}

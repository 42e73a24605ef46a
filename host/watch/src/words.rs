//! Numbers as people read them in alerts: few digits, in the unit that suits.

use hotcell_model::manifest::units::{format_bytes, format_count, format_duration};
use std::time::Duration;

/// A time: three digits at most.
pub(crate) fn time(ns: u64) -> String {
    format_duration(Duration::from_nanos(rounded(ns)))
}

/// A count: three digits at most.
pub(crate) fn count(number: u64) -> String {
    format_count(rounded(number))
}

/// A size: whole units from ten on.
pub(crate) fn size(bytes: u64) -> String {
    let mut unit: u64 = 1;
    while bytes / unit >= 10 << 10 {
        unit <<= 10;
    }
    format_bytes(bytes / unit * unit)
}

fn rounded(number: u64) -> u64 {
    let unit = 10u64.pow(number.max(1).ilog10().saturating_sub(2));
    number / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(time(123_456_789), "123ms");
        assert_eq!(time(0), "0ns");
        assert_eq!(size(81_999), "80KiB");
        assert_eq!(size(25 * (1 << 30) + 7), "25GiB");
        assert_eq!(size(900), "900B");
        assert_eq!(count(1_234_567), "1230k");
    }
}

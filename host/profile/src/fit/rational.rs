//! Coefficients that can be written in the notation of costs, which has whole numbers alone.

use crate::number;

/// Coefficients are written with a relative error of at most this, far below what any model is off.
const ERROR: f64 = 5e-5;
/// The largest number that stands below the line.
const LARGEST: u64 = 1_000_000;

/// A fraction; the numerator is whole, and carries the sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rational {
    pub(super) numerator: f64,
    pub(super) denominator: u64,
}

impl Rational {
    /// The fraction with the smallest denominator that is near enough, by continued fractions.
    pub(super) fn near(value: f64) -> Self {
        let size = value.abs();
        if !size.is_finite() || size >= 1e4 {
            let numerator = value.round();
            return Self {
                numerator,
                denominator: 1,
            };
        }
        let (mut before, mut last) = ((0.0, 1.0), (1.0, 0.0));
        let mut rest = size;
        for _ in 0..32 {
            let whole = rest.floor();
            let next = (whole * last.0 + before.0, whole * last.1 + before.1);
            if next.1 > number::of(LARGEST) {
                break;
            }
            (before, last) = (last, next);
            let is_near = (last.0 / last.1 - size).abs() <= ERROR * size;
            let fraction = rest - whole;
            if is_near || fraction <= f64::EPSILON {
                break;
            }
            rest = 1.0 / fraction;
        }
        Self {
            numerator: last.0.copysign(value),
            denominator: number::ceil(last.1).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_the_simplest_fractions_that_are_near() {
        for (value, numerator, denominator) in [
            (2.375, 19.0, 8),
            (7.0, 7.0, 1),
            (-0.5, -1.0, 2),
            (1.0 / 3.0, 1.0, 3),
            (123_456.4, 123_456.0, 1),
            (0.0, 0.0, 1),
        ] {
            let near = Rational::near(value);
            assert_eq!(
                (near.numerator, near.denominator),
                (numerator, denominator),
                "{value}"
            );
        }
        let pi = Rational::near(std::f64::consts::PI);
        assert_eq!((pi.numerator, pi.denominator), (333.0, 106));
    }
}

//! What is known of a value before a shader runs: between which numbers it is, and on what it depends.
//!
//! A range always holds, whatever wraps around; it is what makes a count constant. What a value depends on is a matter
//! of words: arithmetic on values that are known before a dispatch gives another that is, also where it wraps.

use super::names::{Name, Sources};
use crate::fuel::trips::Values;
use naga::BinaryOperator as Op;

/// On what a value depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// On these alone, which are known before a dispatch; it is always the same, or within its range, if there are none.
    By(Sources),
    /// On something else, which the words name.
    Unknown(Name),
}

impl Known {
    /// On both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::By(one), Self::By(two)) => Self::By(one.and(two)),
            (Self::Unknown(_), _) => self,
            _ => other,
        }
    }

    /// On one of two bounds of which one is enough.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown(_), _) => other,
            (_, Self::Unknown(_)) => self,
            _ => self.and(other),
        }
    }

    pub(super) fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// What is known of a value: of each component, for a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// The least that it can be.
    pub(super) min: i64,
    /// The most.
    pub(super) max: i64,
    /// On what it depends.
    pub(super) known: Known,
    /// Whether that says what it is, in every invocation and every turn, and not only how much at most.
    pub(super) is_exact: bool,
}

/// All that an integer of no particular type can be, which is all that is said of what is none.
pub(super) const ANY: Values = Values {
    min: i64::MIN,
    max: i64::MAX,
};

impl Value {
    /// Always this number.
    pub(super) fn constant(number: i64) -> Self {
        Self::within(number, number).exactly()
    }

    /// A number between two, which nothing says more of.
    pub(super) fn within(min: i64, max: i64) -> Self {
        Self {
            min,
            max,
            known: Known::By(Sources::default()),
            is_exact: false,
        }
    }

    /// Any number of a type, depending on that.
    pub(super) fn any(values: Values, known: Known) -> Self {
        Self {
            known,
            ..Self::within(values.min, values.max)
        }
    }

    /// The same, known for what it is.
    pub(super) fn exactly(self) -> Self {
        Self {
            is_exact: true,
            ..self
        }
    }

    /// The number that it always is.
    pub(super) fn number(self) -> Option<i64> {
        (self.min == self.max).then_some(self.min)
    }

    /// One of the two.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            known: self.known.and(other.known),
            is_exact: self == other && self.is_exact,
        }
    }

    /// What is made of the two, as a number of that type between these bounds; any, where they are not of the type.
    fn made_with(self, other: Self, values: Values, bounds: Option<(i64, i64)>) -> Self {
        let fits = |(min, max): &(i64, i64)| values.min <= *min && *max <= values.max;
        let (min, max) = bounds.filter(fits).unwrap_or((values.min, values.max));
        Self {
            min,
            max,
            known: self.known.and(other.known),
            is_exact: self.is_exact && other.is_exact,
        }
    }

    /// The lesser of the two. Of numbers that are not negative, one is enough to bound it.
    pub(super) fn least_of(self, other: Self, values: Values) -> Self {
        let bounds = (self.min.min(other.min), self.max.min(other.max));
        self.made_with(other, values, Some(bounds))
            .bounded_by(self.known.or(other.known))
    }

    /// The greater of the two.
    pub(super) fn greatest_of(self, other: Self, values: Values) -> Self {
        let bounds = (self.min.max(other.min), self.max.max(other.max));
        self.made_with(other, values, Some(bounds))
    }

    /// With bounds that are enough for a number that is not negative.
    fn bounded_by(self, known: Known) -> Self {
        match self.known.is_unknown() && self.min >= 0 {
            true => Self { known, ..self },
            false => self,
        }
    }

    /// As a number of another type: any, where it is not one.
    pub(super) fn converted(self, values: Values) -> Self {
        self.made_with(self, values, Some((self.min, self.max)))
    }

    /// The result of an operator on numbers of a type.
    pub(super) fn binary(self, op: Op, other: Self, values: Values) -> Self {
        let made = self.made_with(other, values, self.bounds(op, other));
        match op {
            Op::And if self.min >= 0 && other.min >= 0 => {
                made.bounded_by(self.known.or(other.known))
            }
            Op::Modulo if self.min >= 0 && other.min >= 0 => made.bounded_by(other.known),
            Op::Divide | Op::ShiftRight if self.min >= 0 && other.min >= 0 => {
                made.bounded_by(self.known)
            }
            _ => made,
        }
    }

    /// Bounds of an operator's result, as if nothing wrapped around.
    fn bounds(self, op: Op, other: Self) -> Option<(i64, i64)> {
        let is_natural = self.min >= 0 && other.min >= 0;
        match op {
            Op::Add => Some((
                self.min.checked_add(other.min)?,
                self.max.checked_add(other.max)?,
            )),
            Op::Subtract => Some((
                self.min.checked_sub(other.max)?,
                self.max.checked_sub(other.min)?,
            )),
            Op::Multiply => self.corners(other, i64::checked_mul),
            Op::Divide if other.min > 0 => self.corners(other, i64::checked_div),
            Op::Modulo if other.min > 0 && self.min >= 0 => Some((0, self.max.min(other.max - 1))),
            Op::And if is_natural => Some((0, self.max.min(other.max))),
            Op::And if self.min >= 0 => Some((0, self.max)),
            Op::And if other.min >= 0 => Some((0, other.max)),
            Op::InclusiveOr | Op::ExclusiveOr if is_natural => {
                let most = self.max.max(other.max).unsigned_abs();
                let bits = u64::BITS - most.leading_zeros();
                Some((0, 1_i64.checked_shl(bits)?.checked_sub(1)?))
            }
            Op::ShiftLeft if is_natural && other.max < 32 => Some((
                self.min.checked_mul(1 << other.min)?,
                self.max.checked_mul(1 << other.max)?,
            )),
            Op::ShiftRight if is_natural && other.max < 32 => {
                Some((self.min >> other.max, self.max >> other.min))
            }
            Op::ShiftRight if is_natural => Some((0, self.max)),
            Op::Equal
            | Op::NotEqual
            | Op::Less
            | Op::LessEqual
            | Op::Greater
            | Op::GreaterEqual
            | Op::LogicalAnd
            | Op::LogicalOr => Some((0, 1)),
            _ => None,
        }
    }

    /// The least and the greatest of what the ends make, which is so of what grows or falls in each of its operands.
    fn corners(self, other: Self, make: fn(i64, i64) -> Option<i64>) -> Option<(i64, i64)> {
        let corner = |left, right| make(left, right);
        let corners = [
            corner(self.min, other.min)?,
            corner(self.min, other.max)?,
            corner(self.max, other.min)?,
            corner(self.max, other.max)?,
        ];
        let (least, most) = (corners.iter().min()?, corners.iter().max()?);
        Some((*least, *most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: [Op; 10] = [
        Op::Add,
        Op::Subtract,
        Op::Multiply,
        Op::Divide,
        Op::Modulo,
        Op::And,
        Op::InclusiveOr,
        Op::ExclusiveOr,
        Op::ShiftLeft,
        Op::ShiftRight,
    ];

    /// What a shader makes of two numbers; `None` where it is the device's to say.
    fn made(op: Op, left: i64, right: i64, values: Values) -> Option<i64> {
        let wide = match op {
            Op::Add => left + right,
            Op::Subtract => left - right,
            Op::Multiply => left * right,
            Op::Divide => left.checked_div(right)?,
            Op::Modulo => left.checked_rem(right)?,
            Op::And => left & right,
            Op::InclusiveOr => left | right,
            Op::ExclusiveOr => left ^ right,
            Op::ShiftLeft | Op::ShiftRight if !(0..8).contains(&right) => return None,
            Op::ShiftLeft => left << right,
            Op::ShiftRight => left >> right,
            _ => return None,
        };
        let count = values.max - values.min + 1;
        Some((wide - values.min).rem_euclid(count) + values.min)
    }

    /// The proof for 3 bits, where everything can be tried; nothing depends on the width.
    #[test]
    fn a_range_holds_whatever_two_ranges_are_made_of() {
        for values in [Values { min: 0, max: 7 }, Values { min: -4, max: 3 }] {
            let all = || values.min..=values.max;
            let ranges: Vec<(i64, i64)> = all()
                .flat_map(|min| (min..=values.max).map(move |max| (min, max)))
                .collect();
            for op in OPERATORS {
                for (left, right) in ranges
                    .iter()
                    .flat_map(|l| ranges.iter().map(move |r| (l, r)))
                {
                    let of = |(min, max): &(i64, i64)| Value::within(*min, *max);
                    let range = of(left).binary(op, of(right), values);
                    for (l, r) in
                        (left.0..=left.1).flat_map(|l| (right.0..=right.1).map(move |r| (l, r)))
                    {
                        let Some(number) = made(op, l, r, values) else {
                            continue;
                        };
                        assert!(
                            range.min <= number && number <= range.max,
                            "{l} {op:?} {r} = {number}, not in {range:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn one_bound_is_enough_for_the_lesser_of_two() {
        let mut names = super::super::names::Names::default();
        let known = Known::By(Sources::named(names.of("n".to_owned())));
        let data = Known::Unknown(names.of("data".to_owned()));
        let (n, data) = (
            Value::any(Values::U32, known),
            Value::any(Values::U32, data),
        );
        assert_eq!(data.least_of(n, Values::U32).known, known);
        assert_eq!(data.binary(Op::Modulo, n, Values::U32).known, known);
        assert!(n.binary(Op::Modulo, data, Values::U32).known.is_unknown());
        assert!(data.greatest_of(n, Values::U32).known.is_unknown());
        // What is negative has no bound from below.
        let signed = Value::any(Values::I32, data.known);
        assert!(signed.least_of(n, Values::I32).known.is_unknown());
    }
}

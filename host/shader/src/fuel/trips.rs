//! How often a counting loop turns, as arithmetic on 32-bit integers that wrap.
//!
//! A loop that goes on while `counter <op> bound` and adds a constant step once a turn is finite where the
//! counter cannot jump over the bound and wrap. Everything here answers `None` unless that is certain: a count
//! that is too low would be a way to run for ever.

use naga::BinaryOperator;

/// The values of an integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// The least.
    pub(crate) min: i64,
    /// The greatest.
    pub(crate) max: i64,
}

impl Values {
    /// Those of `i32`.
    pub(crate) const I32: Self = Self {
        min: i32::MIN as i64,
        max: i32::MAX as i64,
    };
    /// Those of `u32`.
    pub(crate) const U32: Self = Self {
        min: 0,
        max: u32::MAX as i64,
    };

    /// How many there are: arithmetic wraps around at this.
    fn count(self) -> i64 {
        self.max - self.min + 1
    }
}

/// While what a loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// The counter is below the bound.
    Below,
    /// The counter is at most the bound.
    AtMost,
    /// The counter is above the bound.
    Above,
    /// The counter is at least the bound.
    AtLeast,
    /// The counter is not the bound.
    Not,
}

impl Test {
    /// The test that `counter <op> bound` makes.
    pub(crate) fn of(op: BinaryOperator) -> Option<Self> {
        Some(match op {
            BinaryOperator::Less => Self::Below,
            BinaryOperator::LessEqual => Self::AtMost,
            BinaryOperator::Greater => Self::Above,
            BinaryOperator::GreaterEqual => Self::AtLeast,
            BinaryOperator::NotEqual => Self::Not,
            _ => return None,
        })
    }

    /// With the two sides exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
            Self::Not => Self::Not,
        }
    }

    /// The test that is left of a loop that stops when `counter <op> bound`.
    pub(crate) fn until(op: BinaryOperator) -> Option<Self> {
        Some(match op {
            BinaryOperator::Less => Self::AtLeast,
            BinaryOperator::LessEqual => Self::Above,
            BinaryOperator::Greater => Self::AtMost,
            BinaryOperator::GreaterEqual => Self::Below,
            BinaryOperator::Equal => Self::Not,
            _ => return None,
        })
    }

    /// The operator of the test.
    pub(super) fn operator(self) -> BinaryOperator {
        match self {
            Self::Below => BinaryOperator::Less,
            Self::AtMost => BinaryOperator::LessEqual,
            Self::Above => BinaryOperator::Greater,
            Self::AtLeast => BinaryOperator::GreaterEqual,
            Self::Not => BinaryOperator::NotEqual,
        }
    }
}

/// A counting loop's progress: where it stops, and what is added each turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    values: Values,
    pub(super) test: Test,
    /// How far a turn goes towards the bound: above 0, below the number of values.
    pub(super) stride: u32,
    /// Whether the counter grows.
    pub(super) is_upward: bool,
}

impl Progress {
    /// Progress towards the bound; `None` where `step` leads away from it or nowhere.
    pub(crate) fn new(values: Values, test: Test, step: i64) -> Option<Self> {
        let is_upward = step > 0;
        let leads = match test {
            Test::Below | Test::AtMost => is_upward,
            Test::Above | Test::AtLeast => step < 0,
            Test::Not => step != 0,
        };
        let stride = u32::try_from(step.unsigned_abs()).ok()?;
        (leads && i64::from(stride) < values.count()).then_some(Self {
            values,
            test,
            stride,
            is_upward,
        })
    }

    /// Whether the turns can be computed by a shader.
    pub(super) fn is_computable(self) -> bool {
        self.test != Test::Not || self.stride == 1
    }

    /// Whether a loop that is entered turns as often as its bound is away from its start, and never wraps.
    pub(super) fn is_distance(self) -> bool {
        self.stride == 1 && matches!(self.test, Test::Below | Test::Above)
    }

    /// Whether the counter is an `i32`.
    pub(super) fn is_signed(self) -> bool {
        self.values == Values::I32
    }

    /// Whether the loop still turns when the counter is at the bound.
    pub(super) fn is_inclusive(self) -> bool {
        matches!(self.test, Test::AtMost | Test::AtLeast)
    }

    /// The last value in the direction of the counter, if it may go beyond the bound and so past that value: what
    /// lies between the bound and it is room for going beyond.
    fn edge(self) -> Option<i64> {
        let may_go_beyond = self.is_inclusive() || self.stride > 1;
        may_go_beyond.then_some(if self.is_upward {
            self.values.max
        } else {
            self.values.min
        })
    }

    /// The 32 bits of [`Self::edge`].
    pub(super) fn edge_bits(self) -> Option<u32> {
        let edge = self.edge()?;
        let signed = i32::try_from(edge).map(i32::cast_unsigned);
        u32::try_from(edge).or(signed).ok()
    }

    /// The turns from `start` to `bound`; `None` where the loop may not end by its counter.
    pub(crate) fn turns(self, start: i64, bound: i64) -> Option<u64> {
        let distance = if self.is_upward {
            bound - start
        } else {
            start - bound
        };
        let stride = i64::from(self.stride);
        let turns = match self.test {
            Test::Not => {
                let around = distance.rem_euclid(self.values.count());
                (around % stride == 0).then_some(around / stride)?
            }
            Test::AtMost | Test::AtLeast if distance >= 0 => distance / stride + 1,
            Test::Below | Test::Above if distance > 0 => (distance - 1) / stride + 1,
            _ => return Some(0),
        };
        let beyond = turns * stride - distance;
        let room = self.edge().map(|edge| edge.abs_diff(bound));
        let wraps = self.test != Test::Not && room.is_some_and(|room| beyond.unsigned_abs() > room);
        (!wraps).then(|| turns.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the loop; `None` where it never ends.
    fn run(values: Values, test: Test, step: i64, start: i64, bound: i64) -> Option<u64> {
        let goes_on = |counter| match test {
            Test::Below => counter < bound,
            Test::AtMost => counter <= bound,
            Test::Above => counter > bound,
            Test::AtLeast => counter >= bound,
            Test::Not => counter != bound,
        };
        let (mut counter, mut turns) = (start, 0);
        while goes_on(counter) {
            turns += 1;
            counter = (counter + step - values.min).rem_euclid(values.count()) + values.min;
            if turns > 2 * values.count().unsigned_abs() {
                return None;
            }
        }
        Some(turns)
    }

    const TESTS: [Test; 5] = [
        Test::Below,
        Test::AtMost,
        Test::Above,
        Test::AtLeast,
        Test::Not,
    ];

    /// The proof for 4 bits, where everything can be tried; nothing depends on the width.
    #[test]
    fn turns_are_what_running_the_loop_gives_for_every_loop_of_four_bits() {
        let types = [Values { min: 0, max: 15 }, Values { min: -8, max: 7 }];
        let mut known = 0;
        for (values, test) in types.into_iter().flat_map(|v| TESTS.map(|test| (v, test))) {
            let all = || values.min..=values.max;
            for (step, start) in (-17..=17).flat_map(|step| all().map(move |start| (step, start))) {
                let Some(progress) = Progress::new(values, test, step) else {
                    continue;
                };
                for bound in all() {
                    if let Some(turns) = progress.turns(start, bound) {
                        known += 1;
                        assert_eq!(
                            Some(turns),
                            run(values, test, step, start, bound),
                            "{values:?} {test:?} {step} {start} {bound}"
                        );
                    }
                }
            }
        }
        assert!(known > 10_000, "only {known} loops have a known count");
    }

    #[test]
    fn the_usual_loops_are_counted() {
        let count = |values, test, step, start, bound| {
            Progress::new(values, test, step).and_then(|progress| progress.turns(start, bound))
        };
        let (u32, i32) = (Values::U32, Values::I32);
        assert_eq!(count(u32, Test::Below, 1, 0, 10), Some(10));
        assert_eq!(count(u32, Test::Below, 64, 3, 256), Some(4));
        assert_eq!(count(u32, Test::Above, -1, 10, 0), Some(10));
        assert_eq!(count(u32, Test::Above, -2, 64, 0), Some(32));
        assert_eq!(count(i32, Test::AtLeast, -1, 10, 0), Some(11));
        assert_eq!(count(i32, Test::AtMost, 3, -5, 5), Some(4));
        assert_eq!(count(u32, Test::Below, 1, 0, u32.max), Some(0xffff_ffff));
        assert_eq!(
            count(i32, Test::Below, 1, i32.min, i32.max),
            Some(0xffff_ffff)
        );
        assert_eq!(count(u32, Test::Not, 1, 5, 3), Some(0xffff_fffe));
    }

    #[test]
    fn what_may_wrap_is_not_counted() {
        let count = |values, test, step, start, bound| {
            Progress::new(values, test, step).and_then(|progress| progress.turns(start, bound))
        };
        let (u32, i32) = (Values::U32, Values::I32);
        assert_eq!(count(u32, Test::AtMost, 1, 0, u32.max), None);
        assert_eq!(count(i32, Test::AtMost, 1, 0, i32.max), None);
        assert_eq!(count(u32, Test::AtLeast, -1, 10, 0), None);
        assert_eq!(count(i32, Test::AtLeast, -1, 10, i32.min), None);
        assert_eq!(count(u32, Test::Below, 2, 0, u32.max), None);
        assert_eq!(count(u32, Test::Above, -3, 10, 0), None);
        assert_eq!(count(u32, Test::Below, 0, 0, 10), None);
        assert_eq!(count(u32, Test::Below, -1, 0, 10), None);
        assert_eq!(count(u32, Test::Not, 2, 0, 5), None);
        assert_eq!(count(i32, Test::Below, 1 << 32, 0, 5), None);
    }
}

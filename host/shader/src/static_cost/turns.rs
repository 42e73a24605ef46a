//! How often a loop turns, from how its counter begins, steps and ends.
//!
//! A count is constant where the ranges of all three say so. Where they do not, it is told on which values it depends,
//! which is also true of a counter that would wrap: those values decide that, too, and fuel is what ends it.

use super::evaluate::Evaluator;
use super::exits::Exit;
use super::names::{Name, Sources};
use super::value::{Known, Value};
use crate::fuel::facts::LoopFacts;
use crate::fuel::trips::{Progress, Test, Values};
use naga::{BinaryOperator as Op, Expression, Function, Handle, LocalVariable};

/// Up to so many turns a loop is said to make at most, where that is all that is known of data.
const MOST_OF_DATA: u64 = 1 << 20;
/// Up to so many turns a bound that is always the same is named rather than the values within it.
const MOST_NAMED: u64 = 1 << 10;
/// The most turns of a counter that is multiplied or divided: it has 32 bits.
const BITS: u64 = 32;

/// Why a loop may never end that counts.
const ASTRAY: &str = "its counter may never meet its bound";

/// How often a loop turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// So often, always.
    Constant(u64),
    /// As values say that are known before a dispatch.
    By(Sources),
    /// As something says that is not, which the words name.
    Data(Name),
    /// Nothing says it, and why.
    Unclear(&'static str),
}

impl Turns {
    fn as_known(known: Known) -> Self {
        match known {
            Known::By(sources) => Self::By(sources),
            Known::Unknown(name) => Self::Data(name),
        }
    }
}

/// How often a loop turns, or at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) turns: Turns,
    /// Whether it may be less.
    pub(super) at_most: bool,
}

impl Counted {
    /// Of two ends of one loop the one that says more.
    pub(super) fn tighter(self, other: Self) -> Self {
        use Turns as T;
        match (self.turns, other.turns) {
            (T::Constant(one), T::Constant(two)) if one <= two => self,
            (T::Constant(_), T::Constant(_)) => other,
            (T::Constant(_), _) => self,
            (_, T::Constant(_)) => other,
            (T::By(_), _) => self,
            (_, T::By(_)) => other,
            (T::Data(_), _) => self,
            _ => other,
        }
    }
}

/// How a turn changes the counter.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It adds.
    Up(Value),
    /// It subtracts.
    Down(Value),
    /// It multiplies by so much: at least 2.
    Times(i64),
    /// It divides by so much: at least 2.
    Over(i64),
}

/// An end of a loop, with what is known of it.
struct Ending {
    exit: Exit,
    values: Values,
    start: Value,
    /// Whether it always begins with that.
    is_certain: bool,
    bound: Value,
    step: Step,
}

/// How often a loop turns because of an exit. In its turns the counter is known from then on.
pub(super) fn of_exit(
    evaluator: &mut Evaluator<'_, '_>,
    number: usize,
    exit: Exit,
) -> Option<Counted> {
    let function = evaluator.subject().scope.function;
    let values = evaluator.values_of_variable(exit.counter)?;
    let step = step(evaluator, function, exit)?;
    let (mut start, is_certain) = evaluator.before(number, exit.counter);
    if let Some(ahead) = exit.ahead {
        // What is tested goes the same way as the counter, from another start.
        start = start.binary(Op::Add, evaluator.of(ahead), values);
        matches!(step, Step::Up(_) | Step::Down(_)).then_some(())?;
    }
    let ending = Ending {
        exit,
        values,
        start,
        is_certain,
        bound: evaluator.of(exit.bound),
        step,
    };
    let trips = ending.trips();
    if matches!(trips.turns, Turns::Constant(_) | Turns::By(_))
        && exit.ahead.is_none()
        && let Some(counter) = ending.counter()
    {
        evaluator.count(number, exit.counter, counter);
    }
    Some(trips)
}

/// What the fuel pass knows of a loop.
pub(super) fn of_facts(facts: &LoopFacts) -> Option<Counted> {
    let turns = facts.turns?;
    Some(Counted {
        turns: Turns::Constant(turns),
        at_most: facts
            .counting
            .is_none_or(|counting| counting.has_other_exits),
    })
}

fn step(evaluator: &mut Evaluator<'_, '_>, function: &Function, exit: Exit) -> Option<Step> {
    let Expression::Binary { op, left, right } = function.expressions[exit.step] else {
        return None;
    };
    let by = match (
        is_load(function, left, exit.counter),
        is_load(function, right, exit.counter),
    ) {
        (true, false) => right,
        (false, true) if matches!(op, Op::Add | Op::Multiply) => left,
        _ => return None,
    };
    let by = evaluator.of(by);
    let is_negative = by.max < 0;
    let away = Value {
        min: by.max.checked_neg()?,
        max: by.min.checked_neg()?,
        ..by
    };
    match (op, by.number()) {
        (Op::Add, _) if is_negative => Some(Step::Down(away)),
        (Op::Add, _) => Some(Step::Up(by)),
        (Op::Subtract, _) if is_negative => Some(Step::Up(away)),
        (Op::Subtract, _) => Some(Step::Down(by)),
        (Op::Multiply, Some(factor @ 2..)) => Some(Step::Times(factor)),
        (Op::ShiftLeft, Some(bits @ 1..32)) => Some(Step::Times(1 << bits)),
        (Op::Divide, Some(divisor @ 2..)) => Some(Step::Over(divisor)),
        (Op::ShiftRight, Some(bits @ 1..32)) => Some(Step::Over(1 << bits)),
        _ => None,
    }
}

fn is_load(
    function: &Function,
    handle: Handle<Expression>,
    variable: Handle<LocalVariable>,
) -> bool {
    match function.expressions[handle] {
        Expression::Load { pointer } => {
            matches!(function.expressions[pointer], Expression::LocalVariable(of) if of == variable)
        }
        _ => false,
    }
}

impl Ending {
    fn trips(&self) -> Counted {
        let turns = self.turns();
        let is_bound = match turns {
            Turns::Constant(_) => !self.is_fixed(),
            _ => !self.is_exact(),
        };
        Counted {
            turns,
            at_most: is_bound || !self.is_certain || !self.exit.is_sole,
        }
    }

    fn turns(&self) -> Turns {
        let known = self.known();
        match (self.constant(), known) {
            (Some(turns), _) if self.is_fixed() || turns <= MOST_NAMED => Turns::Constant(turns),
            (Some(turns), Ok(Known::Unknown(_))) if turns <= MOST_OF_DATA => Turns::Constant(turns),
            (Some(turns), Ok(Known::By(sources))) if sources.is_empty() => Turns::Constant(turns),
            (None, Ok(Known::By(sources))) if sources.is_empty() => Turns::Unclear(ASTRAY),
            (_, Ok(known)) => Turns::as_known(known),
            (_, Err(why)) => Turns::Unclear(why),
        }
    }

    fn stride(&self) -> Option<Value> {
        match self.step {
            Step::Up(by) | Step::Down(by) => Some(by),
            Step::Times(_) | Step::Over(_) => None,
        }
    }

    /// Whether start, bound and step are constants.
    fn is_fixed(&self) -> bool {
        let is_fixed = |value: Value| value.number().is_some();
        is_fixed(self.start) && is_fixed(self.bound) && self.stride().is_none_or(is_fixed)
    }

    /// Whether what it depends on says how often it turns, and not only how often at most.
    fn is_exact(&self) -> bool {
        let is_exact = |value: Value| value.is_exact;
        is_exact(self.start) && is_exact(self.bound) && self.stride().is_none_or(is_exact)
    }

    fn is_upward(&self) -> bool {
        matches!(self.step, Step::Up(_) | Step::Times(_))
    }

    /// The most turns that ranges allow; `None` where these are none, or where the counter might wrap.
    fn constant(&self) -> Option<u64> {
        let [start, bound] = match self.is_upward() {
            true => [self.start.min, self.bound.max],
            false => [self.start.max, self.bound.min],
        };
        let is_met = self.is_fixed() || matches!(self.step, Step::Over(_));
        if !self.begins_well() || (self.exit.test == Test::Not && !is_met) {
            return None;
        }
        let start = match self.exit.is_after_step {
            true => self.after(start)?,
            false => start,
        };
        let turns = match self.step {
            Step::Up(by) => self.linear(by, start, bound, 1),
            Step::Down(by) => self.linear(by, start, bound, -1),
            Step::Times(_) | Step::Over(_) => self.geometric(start, bound),
        }?;
        match self.exit.is_first {
            true => Some(turns),
            // A turn that is not begun with the test is made before it.
            false => turns.checked_add(1),
        }
    }

    /// The counter after a turn that began with it.
    fn after(&self, counter: i64) -> Option<i64> {
        let next = match self.step {
            Step::Up(by) => counter.checked_add(by.min)?,
            Step::Down(by) => counter.checked_sub(by.min)?,
            Step::Times(factor) => counter.checked_mul(factor)?,
            Step::Over(divisor) => counter / divisor,
        };
        (self.values.min <= next && next <= self.values.max).then_some(next)
    }

    fn linear(&self, by: Value, start: i64, bound: i64, sign: i64) -> Option<u64> {
        // The shortest steps take most turns.
        let by = by.min.checked_mul(sign)?;
        let turns = Progress::new(self.values, self.exit.test, by)?.turns(start, bound)?;
        (self.is_fixed() || self.has_room()).then_some(turns)
    }

    /// Whether the counter comes to a stop beyond its bound before it wraps around, from wherever it begins.
    fn has_room(&self) -> bool {
        let is_within = match self.exit.test {
            Test::Below | Test::Above => 1,
            Test::AtMost | Test::AtLeast | Test::Not => 0,
        };
        let beyond = match self.step {
            Step::Up(by) => self.bound.max.checked_add(by.max.saturating_sub(is_within)),
            Step::Down(by) => self.bound.min.checked_sub(by.max.saturating_sub(is_within)),
            Step::Times(factor) => self.bound.max.checked_mul(factor),
            Step::Over(_) => Some(0),
        };
        beyond.is_some_and(|beyond| self.values.min <= beyond && beyond <= self.values.max)
    }

    /// Whether nothing comes of it where the loop begins with what it left when it was run before: a test that comes first
    /// ends it at once.
    fn begins_well(&self) -> bool {
        let is_met = self.exit.test != Test::Not || self.bound.is_exact;
        self.is_certain || (self.exit.is_first && is_met)
    }

    /// Multiplies or divides until the loop ends.
    fn geometric(&self, start: i64, bound: i64) -> Option<u64> {
        let goes_on = |counter| match self.exit.test {
            Test::Below => counter < bound,
            Test::AtMost => counter <= bound,
            Test::Above => counter > bound,
            Test::AtLeast => counter >= bound,
            Test::Not => counter != bound,
        };
        let leads = match self.exit.test {
            Test::Below | Test::AtMost => self.is_upward() && start > 0,
            // From a larger number it takes no fewer turns.
            Test::Above | Test::AtLeast => !self.is_upward() && self.start.min >= 0,
            Test::Not => {
                self.is_fixed() || (bound == 0 && self.bound.max == 0 && self.start.min >= 0)
            }
        };
        let leads = leads && (self.is_fixed() || self.has_room());
        let (mut counter, mut turns) = (start, 0);
        while leads && goes_on(counter) && turns <= BITS {
            counter = self.after(counter)?;
            turns += 1;
        }
        (leads && turns <= BITS).then_some(turns)
    }

    /// On what the turns depend, or why the loop may never end.
    fn known(&self) -> Result<Known, &'static str> {
        if !self.leads() {
            return Err(ASTRAY);
        }
        let (near, far) = match self.is_upward() {
            true => (self.start, self.bound),
            false => (self.bound, self.start),
        };
        // The end that the counter comes from is near enough where it cannot be just anything.
        let is_bounded = near.min > Values::I32.min && self.exit.test != Test::Not;
        let known = match near.known.is_unknown() && is_bounded {
            true => far.known,
            false => far.known.and(near.known),
        };
        match self.stride() {
            Some(by) if by.min <= 0 => Err("its step may be 0, or lead away"),
            Some(by) if !by.known.is_unknown() => Ok(known.and(by.known)),
            _ => Ok(known),
        }
    }

    /// Whether the counter goes towards the bound, and meets it.
    fn leads(&self) -> bool {
        match (self.exit.test, self.step) {
            _ if !self.begins_well() => false,
            (Test::Below | Test::AtMost, Step::Up(_)) => true,
            // What counts down to 0 may well step over it; what counts up to a shape does not come near the last number.
            (Test::Above | Test::AtLeast, Step::Down(_)) => {
                self.has_room() || self.bound.min == Values::I32.min
            }
            (Test::Not, Step::Up(by) | Step::Down(by)) => by.number() == Some(1),
            // Nothing comes of 0, however often it is multiplied; and nothing below it of what is divided.
            (Test::Below | Test::AtMost, Step::Times(_)) => self.start.min > 0,
            (Test::Above, Step::Over(_)) => self.bound.min >= 0,
            (Test::AtLeast, Step::Over(_)) => self.bound.min > 0,
            _ => false,
        }
    }

    /// What the counter is within the loop's turns.
    fn counter(&self) -> Option<Value> {
        if !self.is_certain && !self.exit.is_first {
            return None;
        }
        let is_tested = self.exit.is_first && self.exit.steps_last;
        let last = match self.exit.test {
            Test::Below | Test::Above => 1,
            Test::AtMost | Test::AtLeast => 0,
            Test::Not => return None,
        };
        let (min, max) = match self.step {
            Step::Up(_) if is_tested => (self.start.min, self.bound.max.checked_sub(last)?),
            Step::Up(by) => (self.start.min, self.bound.max.checked_add(by.max)?),
            Step::Down(_) if is_tested => (self.bound.min.checked_add(last)?, self.start.max),
            Step::Down(by) => (self.bound.min.checked_sub(by.max)?, self.start.max),
            Step::Times(_) if is_tested => (self.start.min, self.bound.max.checked_sub(last)?),
            Step::Times(factor) => (self.start.min, self.bound.max.checked_mul(factor)?),
            Step::Over(_) => (self.start.min.min(0), self.start.max),
        };
        let (far, near) = match self.is_upward() {
            true => (self.bound, self.start),
            false => (self.start, self.bound),
        };
        let known = match near.min > Values::I32.min {
            true => far.known,
            false => far.known.and(near.known),
        };
        let is_of_type = self.values.min <= min && max <= self.values.max && min <= max;
        Some(match is_of_type {
            true => Value {
                known,
                ..Value::within(min, max)
            },
            false => Value::any(self.values, known),
        })
    }
}

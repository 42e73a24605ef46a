//! Recognises loops that count: one variable, tested before everything else in a turn, changed by one constant
//! step in every turn.
//!
//! The three shapes are those that naga makes of `for`, of `while` with its step in the body, and of
//! `loop` that begins with `if … { break; }`. What is not certainly one of them is not one.

use super::locals::Locals;
use super::trips::{Progress, Test};
use crate::blocks::blocks_in;
use naga::{BinaryOperator, Block, Expression, Function, Handle, LocalVariable, Range, Statement};

/// A loop that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// Where in the body the `if` stands that ends the loop: before it there is nothing but evaluation.
    pub(super) head: usize,
    /// The variable.
    pub(super) counter: Handle<LocalVariable>,
    /// Its value as the `if` sees it.
    pub(super) load: Handle<Expression>,
    /// What it is compared with.
    pub(super) bound: Handle<Expression>,
    pub(super) progress: Progress,
    /// Whether the loop may also end otherwise.
    pub(crate) has_other_exits: bool,
    /// Whether whoever leaves a turn by a `break` has not counted it, and comes to what follows the loop.
    pub(super) counts_whole_turns: bool,
}

/// What a loop does, at any depth.
#[derive(Default)]
pub(crate) struct Survey {
    /// Visible variables that are stored to, as often as they are.
    pub(crate) stores: Vec<Handle<LocalVariable>>,
    emitted: Vec<Range<Expression>>,
    /// `break`s out of this loop.
    pub(crate) breaks: usize,
    pub(crate) has_return: bool,
    pub(crate) has_continue: bool,
}

/// What stands between a statement and the loop that is surveyed.
#[derive(Clone, Copy, Default)]
struct Between {
    has_loop: bool,
    has_switch: bool,
}

impl Survey {
    /// Surveys a loop.
    pub(crate) fn of(locals: &Locals<'_>, body: &Block, continuing: &Block) -> Self {
        let mut survey = Self::default();
        survey.take(locals, body, Between::default());
        survey.take(locals, continuing, Between::default());
        survey
    }

    /// Whether an expression is evaluated in the loop.
    pub(super) fn evaluates(&self, handle: Handle<Expression>) -> bool {
        is_in(&self.emitted, handle)
    }

    fn take(&mut self, locals: &Locals<'_>, block: &Block, between: Between) {
        for statement in block {
            let mut inside = between;
            match statement {
                Statement::Emit(range) => self.emitted.push(range.clone()),
                Statement::Store { pointer, .. } => self.stores.extend(locals.pointee(*pointer)),
                Statement::Break if !between.has_loop && !between.has_switch => self.breaks += 1,
                Statement::Continue if !between.has_loop => self.has_continue = true,
                Statement::Return { .. } | Statement::Kill => self.has_return = true,
                Statement::Switch { .. } => inside.has_switch = true,
                Statement::Loop { .. } => inside.has_loop = true,
                _ => {}
            }
            blocks_in(statement).for_each(|block| self.take(locals, block, inside));
        }
    }
}

/// Whether an expression is in one of the ranges.
pub(super) fn is_in(ranges: &[Range<Expression>], handle: Handle<Expression>) -> bool {
    ranges.iter().any(|range| {
        let bounds = range.first_and_last();
        bounds.is_some_and(|(first, last)| (first.index()..=last.index()).contains(&handle.index()))
    })
}

/// A loop under the glass.
pub(super) struct LoopShape<'a> {
    pub(super) function: &'a Function,
    pub(super) locals: &'a Locals<'a>,
    pub(super) survey: &'a Survey,
    pub(super) body: &'a Block,
    pub(super) continuing: &'a Block,
}

impl LoopShape<'_> {
    /// The loop, if it counts. `constant` gives the value of an expression that always has the same.
    pub(super) fn recognise(
        &self,
        constant: impl Fn(Handle<Expression>) -> Option<i64>,
    ) -> Option<Counting> {
        let head = self
            .body
            .iter()
            .position(|statement| !matches!(statement, Statement::Emit(_)))?;
        let (condition, goes_on) = exit_condition(&self.body[head])?;
        let head_emitted = emitted_by(&self.body[..head]);
        let Expression::Binary { op, left, right } = self.function.expressions[condition] else {
            return None;
        };
        let test = if goes_on {
            Test::of(op)
        } else {
            Test::until(op)
        }?;
        let sides = [(test, left, right), (test.flipped(), right, left)];
        sides.into_iter().find_map(|(test, load, bound)| {
            let counter = self.locals.loaded(load)?;
            let is_fresh = is_in(&head_emitted, condition) && is_in(&head_emitted, load);
            let step = self.step(head, counter, &constant)?;
            is_fresh.then_some(Counting {
                head,
                counter,
                load,
                bound,
                progress: Progress::new(self.locals.values(counter)?, test, step)?,
                has_other_exits: self.survey.breaks > 1 || self.survey.has_return,
                counts_whole_turns: self.stored_at_top(self.continuing, counter).is_some()
                    && !self.survey.has_return,
            })
        })
    }

    /// What every turn adds to the counter: the loop's only store to it, where no turn can get round it.
    fn step(
        &self,
        head: usize,
        counter: Handle<LocalVariable>,
        constant: impl Fn(Handle<Expression>) -> Option<i64>,
    ) -> Option<i64> {
        let stores = self.survey.stores.iter();
        if stores.filter(|stored| **stored == counter).count() != 1 {
            return None;
        }
        let in_body = || {
            let after_head = &self.body[head + 1..];
            (!self.survey.has_continue)
                .then(|| self.stored_at_top(after_head, counter))
                .flatten()
        };
        let value = self
            .stored_at_top(self.continuing, counter)
            .or_else(in_body)?;
        let Expression::Binary { op, left, right } = self.function.expressions[value] else {
            return None;
        };
        let is_counter =
            |handle| self.locals.loaded(handle) == Some(counter) && self.survey.evaluates(handle);
        match op {
            BinaryOperator::Add if is_counter(left) => constant(right),
            BinaryOperator::Add if is_counter(right) => constant(left),
            BinaryOperator::Subtract if is_counter(left) => Some(-constant(right)?),
            _ => None,
        }
    }

    /// The value of a store to the counter that is on every way through the statements.
    fn stored_at_top(
        &self,
        statements: &[Statement],
        counter: Handle<LocalVariable>,
    ) -> Option<Handle<Expression>> {
        statements.iter().find_map(|statement| match statement {
            Statement::Store { pointer, value } => {
                (self.locals.pointee(*pointer) == Some(counter)).then_some(*value)
            }
            Statement::Block(block) => self.stored_at_top(block, counter),
            _ => None,
        })
    }
}

/// What statements evaluate, leaving out the blocks in them.
pub(super) fn emitted_by(statements: &[Statement]) -> Vec<Range<Expression>> {
    let ranges = statements.iter().map(|statement| match statement {
        Statement::Emit(range) => Some(range.clone()),
        _ => None,
    });
    ranges.flatten().collect()
}

/// The condition of an `if` that does nothing but end the loop, and whether it says that the loop goes on.
fn exit_condition(statement: &Statement) -> Option<(Handle<Expression>, bool)> {
    let Statement::If {
        condition,
        accept,
        reject,
    } = statement
    else {
        return None;
    };
    match (&accept[..], &reject[..]) {
        ([], [Statement::Break]) => Some((*condition, true)),
        ([Statement::Break], []) => Some((*condition, false)),
        _ => None,
    }
}

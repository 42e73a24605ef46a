//! Pays for a loop before it: computes its turns on the device, from the values that it starts with.
//!
//! Where the loop may end before its counter does ([`Counted::pay_ahead`]), what is left of the payment comes back after it; and where there is
//! not enough for all turns, it makes those that there is enough for, and has run out if it makes all of these.
//!
//! The loop's own test is rewritten to the bound that was paid for, so that it takes exactly these turns, even if
//! the memory that the bound came from should change. A loop that cannot be paid for, or whose counter would step
//! over the bound and wrap ([`Progress::edge_bits`]), is skipped and the counter says that it ran out.

use super::code::Code;
use super::draw;
use super::meter::TermWords;
use super::plan::Counter;
use super::shape::{Counting, emitted_by, is_in};
use super::trips::Progress;
use super::weave::{Counters, mask, run_out};
use naga::{
    BinaryOperator, Block, Expression, Handle, MathFunction, Range, Statement, UnaryOperator,
};
use std::collections::HashMap;

/// A loop that is paid for before it.
pub(super) struct Counted<'a> {
    pub(super) counters: &'a Counters,
    pub(super) counter: Counter,
    /// Of a turn: below 2¹⁶.
    pub(super) weight: u32,
    pub(super) counting: &'a Counting,
}

impl Counted<'_> {
    /// Writes the payment for all turns, and the loop.
    pub(super) fn pay_once(&self, code: &mut Code<'_>, body: Block, continuing: Block) {
        let Some(variable) = self.counters.get(self.counter) else {
            return;
        };
        let counting = self.counting;
        let mut copy = Copy {
            evaluated: emitted_by(&body[..counting.head]),
            copies: HashMap::new(),
        };
        let start = copy.expression(code, counting.load);
        let bound = copy.expression(code, counting.bound);
        let progress = counting.progress;
        let is_entered = code.binary(progress.test.operator(), start, bound);
        let body = bind(code, body, counting, bound);

        let mut entered = code.branch();
        let at = entered.value(Expression::GlobalVariable(variable));
        let distance = distance(&mut entered, progress, start, bound);
        let turns = turns(&mut entered, progress, distance);
        let ends = ends(&mut entered, progress, bound, turns, distance);
        let price = self.provide(&mut entered, at, turns, ends);
        let left = entered.load(at);
        let is_paid = entered.binary(BinaryOperator::GreaterEqual, left, price);
        let goes = entered.binary(BinaryOperator::LogicalAnd, ends, is_paid);
        let mut paid = entered.branch();
        let rest = paid.binary(BinaryOperator::Subtract, left, price);
        paid.store(at, rest);
        paid.push(Statement::Loop {
            body,
            continuing,
            break_if: None,
        });
        let paid = paid.block;
        let mut skipped = entered.branch();
        run_out(&mut skipped, at);
        let skipped = skipped.block;
        entered.when(goes, paid, skipped);
        let entered = entered.block;
        code.when(is_entered, entered, Block::new());
    }

    /// Sees to it that the counter holds the price of the turns, which is what comes back; what no counter holds is
    /// paid past it, and its price is 0.
    fn provide(
        &self,
        code: &mut Code<'_>,
        at: Handle<Expression>,
        turns: Handle<Expression>,
        ends: Handle<Expression>,
    ) -> Handle<Expression> {
        let most = code.u32(draw::MOST_HELD / self.weight);
        let fits = code.binary(BinaryOperator::LessEqual, turns, most);
        // 0 stands for all 2³² turns, of which there is none that ends.
        if !self.counters.has_draws {
            return self.price_or_never(code, fits, turns);
        }
        let weight = code.u32(self.weight);
        let price = code.binary(BinaryOperator::Multiply, turns, weight);
        let nothing = code.u32(0);
        let price = code.select(fits, price, nothing);
        let signed = code.as_i32(price);
        let left = code.load(at);
        let is_short = code.binary(BinaryOperator::Less, left, signed);
        let is_short = code.binary(BinaryOperator::LogicalAnd, is_short, ends);
        let mut short = code.branch();
        draw::fill(&mut short, self.counters, self.counter, price);
        let short = short.block;
        code.when(is_short, short, Block::new());
        let is_large = code.value(Expression::Unary {
            op: UnaryOperator::LogicalNot,
            expr: fits,
        });
        let is_large = code.binary(BinaryOperator::LogicalAnd, is_large, ends);
        let mut large = code.branch();
        self.pay_past(&mut large, at, turns);
        let large = large.block;
        code.when(is_large, large, Block::new());
        signed
    }

    /// The price of the turns, or one that no counter holds.
    fn price_or_never(
        &self,
        code: &mut Code<'_>,
        fits: Handle<Expression>,
        turns: Handle<Expression>,
    ) -> Handle<Expression> {
        let weight = code.u32(self.weight);
        let price = code.binary(BinaryOperator::Multiply, turns, weight);
        let price = code.as_i32(price);
        let never = code.i32(i32::MAX);
        code.select(fits, price, never)
    }

    /// Pays for turns whose price does not fit into a counter: turns · weight, in units, rounded up.
    fn pay_past(&self, code: &mut Code<'_>, at: Handle<Expression>, turns: Handle<Expression>) {
        use BinaryOperator as Op;
        let counters = self.counters;
        let weight = code.u32(self.weight);
        let shift = counters.term(code, TermWords::SHIFT);
        let whole = code.binary(Op::ShiftRight, turns, shift);
        let limit = counters.term(code, TermWords::LIMIT);
        let most = code.binary(Op::Divide, limit, weight);
        let may_fit = code.binary(Op::LessEqual, whole, most);
        let mut pays = code.branch();
        let units = pays.binary(Op::Multiply, whole, weight);
        let mask = mask(&mut pays, shift);
        let part = pays.binary(Op::And, turns, mask);
        let part = pays.binary(Op::Multiply, part, weight);
        let part = counters.units_of(&mut pays, part);
        let units = pays.binary(Op::Add, units, part);
        draw::pay(&mut pays, counters, self.counter, units);
        let pays = pays.block;
        let mut fails = code.branch();
        run_out(&mut fails, at);
        let fails = fails.block;
        code.when(may_fit, pays, fails);
    }

    /// Writes the payment for as many turns as can be paid for, the loop, and what comes back if it ends earlier. Nothing
    /// in it pays for itself.
    pub(super) fn pay_ahead(&self, code: &mut Code<'_>, body: Block, continuing: Block) {
        use BinaryOperator as Op;
        let Some(variable) = self.counters.get(self.counter) else {
            return;
        };
        let counting = self.counting;
        let progress = counting.progress;
        let test = progress.test.operator();
        let mut copy = Copy {
            evaluated: emitted_by(&body[..counting.head]),
            copies: HashMap::new(),
        };
        let start = copy.expression(code, counting.load);
        let bound = copy.expression(code, counting.bound);
        let is_entered = code.binary(test, start, bound);
        let wanted = distance(code, progress, start, bound);
        let nothing = code.u32(0);
        let wanted = code.select(is_entered, wanted, nothing);

        let at = code.value(Expression::GlobalVariable(variable));
        let left = code.load(at);
        let zero = code.i32(0);
        let was_out = code.binary(Op::Less, left, zero);
        let left = code.math(MathFunction::Max, left, zero);
        let left = code.as_u32(left);
        let weight = code.u32(self.weight);
        let affordable = code.binary(Op::Divide, left, weight);
        let paid = code.math(MathFunction::Min, wanted, affordable);
        let price = code.binary(Op::Multiply, paid, weight);
        let rest = code.binary(Op::Subtract, left, price);

        // As far as was paid for.
        let way = match progress.is_upward {
            true => Op::Add,
            false => Op::Subtract,
        };
        let is_signed = progress.is_signed();
        let paid_way = if is_signed { code.as_i32(paid) } else { paid };
        let end = code.binary(way, start, paid_way);
        let body = bind(code, body, counting, end);
        code.push(Statement::Loop {
            body,
            continuing,
            break_if: None,
        });

        // Where its counter did not end it, the turn in which it was left was made and not counted.
        let reached = code.value(Expression::LocalVariable(counting.counter));
        let reached = code.load(reached);
        let is_left = code.binary(test, reached, end);
        let unused = distance(code, progress, reached, end);
        let one = code.u32(1);
        let unused = code.binary(Op::Subtract, unused, one);
        let unused = code.select(is_left, unused, nothing);
        let back = code.binary(Op::Multiply, unused, weight);
        let rest = code.binary(Op::Add, rest, back);
        let rest = code.as_i32(rest);
        let is_short = code.binary(Op::Less, paid, wanted);
        let is_short = code.binary(Op::LogicalOr, is_short, was_out);
        let is_all_used = code.value(Expression::Unary {
            op: UnaryOperator::LogicalNot,
            expr: is_left,
        });
        let has_run_out = code.binary(Op::LogicalAnd, is_short, is_all_used);
        let exhausted = code.i32(-1);
        let rest = code.select(has_run_out, exhausted, rest);
        code.store(at, rest);
    }
}

/// How far the bound is from the start of a loop that is entered.
fn distance(
    code: &mut Code<'_>,
    progress: Progress,
    start: Handle<Expression>,
    bound: Handle<Expression>,
) -> Handle<Expression> {
    let start = code.as_u32(start);
    let bound = code.as_u32(bound);
    if progress.is_upward {
        code.binary(BinaryOperator::Subtract, bound, start)
    } else {
        code.binary(BinaryOperator::Subtract, start, bound)
    }
}

/// The turns of a loop that is entered. 0 stands for all 2³², which [`ends`] refuses.
fn turns(
    code: &mut Code<'_>,
    progress: Progress,
    distance: Handle<Expression>,
) -> Handle<Expression> {
    if progress.stride == 1 && !progress.is_inclusive() {
        return distance;
    }
    let one = code.u32(1);
    let whole = if progress.is_inclusive() {
        distance
    } else {
        code.binary(BinaryOperator::Subtract, distance, one)
    };
    let stride = code.u32(progress.stride);
    let steps = code.binary(BinaryOperator::Divide, whole, stride);
    code.binary(BinaryOperator::Add, steps, one)
}

/// Whether a loop that is entered ends by its counter: there are not 2³² turns, and it does not wrap when it steps over
/// the bound.
fn ends(
    code: &mut Code<'_>,
    progress: Progress,
    bound: Handle<Expression>,
    turns: Handle<Expression>,
    distance: Handle<Expression>,
) -> Handle<Expression> {
    let zero = code.u32(0);
    let is_counted = code.binary(BinaryOperator::NotEqual, turns, zero);
    let Some(edge) = progress.edge_bits() else {
        return is_counted;
    };
    let stride = code.u32(progress.stride);
    let way = code.binary(BinaryOperator::Multiply, turns, stride);
    let beyond = code.binary(BinaryOperator::Subtract, way, distance);
    let edge = code.u32(edge);
    let bound = code.as_u32(bound);
    let room = if progress.is_upward {
        code.binary(BinaryOperator::Subtract, edge, bound)
    } else {
        code.binary(BinaryOperator::Subtract, bound, edge)
    };
    let stays = code.binary(BinaryOperator::LessEqual, beyond, room);
    code.binary(BinaryOperator::LogicalAnd, is_counted, stays)
}

/// Makes the loop's test compare with the bound that was paid for.
fn bind(code: &mut Code<'_>, body: Block, counting: &Counting, bound: Handle<Expression>) -> Block {
    let mut bound_body = Block::with_capacity(body.len() + 1);
    for (position, (mut statement, span)) in body.span_into_iter().enumerate() {
        if position == counting.head
            && let Statement::If {
                condition, accept, ..
            } = &mut statement
        {
            let goes_on = accept.is_empty();
            let mut test = code.branch();
            let op = counting.progress.test.operator();
            let mut value = test.binary(op, counting.load, bound);
            if !goes_on {
                let op = UnaryOperator::LogicalNot;
                value = test.value(Expression::Unary { op, expr: value });
            }
            *condition = value;
            bound_body.extend_block(test.block);
        }
        bound_body.push(statement, span);
    }
    bound_body
}

/// Copies what the head of a loop evaluates to a place before the loop.
struct Copy {
    evaluated: Vec<Range<Expression>>,
    copies: HashMap<Handle<Expression>, Handle<Expression>>,
}

impl Copy {
    fn expression(
        &mut self,
        code: &mut Code<'_>,
        handle: Handle<Expression>,
    ) -> Handle<Expression> {
        use Expression as E;
        if !is_in(&self.evaluated, handle) {
            return handle;
        }
        if let Some(copy) = self.copies.get(&handle) {
            return *copy;
        }
        let mut expression = code.function.expressions[handle].clone();
        let mut renew = |operand: &mut Handle<E>| *operand = self.expression(code, *operand);
        match &mut expression {
            E::Load { pointer: one }
            | E::AccessIndex { base: one, .. }
            | E::ArrayLength(one)
            | E::Unary { expr: one, .. }
            | E::As { expr: one, .. } => renew(one),
            E::Access { base, index } => [base, index].into_iter().for_each(renew),
            E::Binary { left, right, .. } => [left, right].into_iter().for_each(renew),
            E::Math { arg, arg1, .. } => [arg].into_iter().chain(arg1).for_each(renew),
            _ => {}
        }
        let copy = code.value(expression);
        self.copies.insert(handle, copy);
        copy
    }
}

//! Pays for a loop once, before it: computes its turns on the device, from the values that it starts with.
//!
//! The loop's own test is rewritten to the bound that was paid for, so that it takes exactly these turns, even if
//! the memory that the bound came from should change. A loop that cannot be paid for, or whose counter would step
//! over the bound and wrap ([`Progress::edge_bits`]), is skipped and the counter says that it ran out.

use super::code::Code;
use super::shape::{Counting, emitted_by, is_in};
use super::trips::Progress;
use super::weave::run_out;
use naga::{
    BinaryOperator, Block, Expression, Handle, Range, ScalarKind, Statement, UnaryOperator,
};
use std::collections::HashMap;

/// Writes the payment and the loop.
pub(super) fn pay_once(
    code: &mut Code<'_>,
    counter: Handle<Expression>,
    weight: u32,
    counting: &Counting,
    body: Block,
    continuing: Block,
) {
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
    let distance = distance(&mut entered, progress, start, bound);
    let turns = turns(&mut entered, progress, distance);
    let (fits, left) = afford(&mut entered, counter, weight, turns);
    let fits = stay_within(&mut entered, progress, bound, [turns, distance], fits);
    let mut paid = entered.branch();
    charge(&mut paid, counter, left, weight, turns);
    paid.push(Statement::Loop {
        body,
        continuing,
        break_if: None,
    });
    let paid = paid.block;
    let mut skipped = entered.branch();
    run_out(&mut skipped, counter);
    let skipped = skipped.block;
    entered.when(fits, paid, skipped);
    let entered = entered.block;
    code.when(is_entered, entered, Block::new());
}

/// How far the bound is from the start of a loop that is entered.
fn distance(
    code: &mut Code<'_>,
    progress: Progress,
    start: Handle<Expression>,
    bound: Handle<Expression>,
) -> Handle<Expression> {
    let start = code.bits_as(ScalarKind::Uint, start);
    let bound = code.bits_as(ScalarKind::Uint, bound);
    if progress.is_upward {
        code.binary(BinaryOperator::Subtract, bound, start)
    } else {
        code.binary(BinaryOperator::Subtract, start, bound)
    }
}

/// The turns of a loop that is entered. 0 stands for all 2³², which [`stay_within`] refuses.
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

/// Whether that many turns fit into what is left, and what is left.
fn afford(
    code: &mut Code<'_>,
    counter: Handle<Expression>,
    weight: u32,
    turns: Handle<Expression>,
) -> (Handle<Expression>, Handle<Expression>) {
    let left = code.load(counter);
    let zero = code.i32(0);
    let left = code.max(left, zero);
    let left = code.bits_as(ScalarKind::Uint, left);
    let weight = code.u32(weight);
    let most = code.binary(BinaryOperator::Divide, left, weight);
    (code.binary(BinaryOperator::LessEqual, turns, most), left)
}

/// `fits`, and the counter does not wrap when it steps over the bound.
fn stay_within(
    code: &mut Code<'_>,
    progress: Progress,
    bound: Handle<Expression>,
    [turns, distance]: [Handle<Expression>; 2],
    fits: Handle<Expression>,
) -> Handle<Expression> {
    let Some(edge) = progress.edge_bits() else {
        return fits;
    };
    let stride = code.u32(progress.stride);
    let way = code.binary(BinaryOperator::Multiply, turns, stride);
    let beyond = code.binary(BinaryOperator::Subtract, way, distance);
    let edge = code.u32(edge);
    let bound = code.bits_as(ScalarKind::Uint, bound);
    let room = if progress.is_upward {
        code.binary(BinaryOperator::Subtract, edge, bound)
    } else {
        code.binary(BinaryOperator::Subtract, bound, edge)
    };
    let stays = code.binary(BinaryOperator::LessEqual, beyond, room);
    code.binary(BinaryOperator::And, fits, stays)
}

fn charge(
    code: &mut Code<'_>,
    counter: Handle<Expression>,
    left: Handle<Expression>,
    weight: u32,
    turns: Handle<Expression>,
) {
    let weight = code.u32(weight);
    let amount = code.binary(BinaryOperator::Multiply, turns, weight);
    let rest = code.binary(BinaryOperator::Subtract, left, amount);
    let rest = code.bits_as(ScalarKind::Sint, rest);
    code.store(counter, rest);
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

//! Draws fuel from the pool that all invocations of a batch share, where they do ([`super::meter`]).
//!
//! A counter that holds too little is filled by what is missing, or by more where there is plenty: an eighth of what the
//! invocation has had, so that it draws seldom, and at most a thousandth of what is left, so that nobody holds what
//! others need at the end. What it has left when it ends goes back ([`super::entry`]).
//!
//! *Why draws never give what is not there:* a draw adds to what is taken and looks afterwards whether that was within the
//! limit. Those that fail leave what they added, which closes the pool. How much that can be at once is bounded
//! ([`super::meter::FuelPool`]), and nobody tries who sees that the pool is closed, so that the sum never wraps.
//!
//! *Why a workgroup stays in step:* for the counter that all its invocations have alike, the first of them draws for all, and
//! they get the answer together. They are in step there, or it would not be that counter.

use super::code::Code;
use super::meter::TermWords;
use super::plan::Counter;
use super::weave::{Counters, run_out};
use naga::{
    AtomicFunction, BinaryOperator as Op, Block, Expression, Handle, MathFunction, Statement,
};

/// The most fuel that is asked of a counter at once. A draw on top of it still fits.
pub(super) const MOST_HELD: u32 = 1 << 30;

/// How much of what it has had an invocation draws, as a power of two.
const OF_GIVEN: u32 = 3;
/// How much of what is left a draw takes that needs less, as a power of two.
const OF_REST: u32 = 10;

/// Fills a counter until it holds `need` fuel, which is at most [`MOST_HELD`]. Where there is not enough it stays below.
pub(super) fn fill(
    code: &mut Code<'_>,
    counters: &Counters,
    counter: Counter,
    need: Handle<Expression>,
) {
    let Some(variable) = counters.get(counter) else {
        return;
    };
    let mut turn = code.branch();
    let counter_at = turn.value(Expression::GlobalVariable(variable));
    let left = turn.load(counter_at);
    let need = turn.as_i32(need);
    let is_enough = turn.binary(Op::GreaterEqual, left, need);
    let zero = turn.i32(0);
    let is_out = turn.binary(Op::Less, left, zero);
    let is_over = turn.binary(Op::LogicalOr, is_enough, is_out);
    leave_if(&mut turn, is_over);
    let missing = turn.binary(Op::Subtract, need, left);
    let missing = turn.as_u32(missing);
    let units = counters.units_of(&mut turn, missing);
    let usual = usual(&mut turn, counters);
    let granted = draw(&mut turn, counters, counter, units, usual);
    let none = turn.u32(0);
    let is_refused = turn.binary(Op::Equal, granted, none);
    leave_if(&mut turn, is_refused);
    let shift = counters.term(&mut turn, TermWords::SHIFT);
    let fuel = turn.binary(Op::ShiftLeft, granted, shift);
    let fuel = turn.as_i32(fuel);
    let left = turn.load(counter_at);
    let left = turn.binary(Op::Add, left, fuel);
    turn.store(counter_at, left);
    let body = turn.block;
    turns(code, body);
}

/// Draws that many units for what is paid for as a whole, past the counter. Where there are not as many, the counter
/// says that it ran out.
pub(super) fn pay(
    code: &mut Code<'_>,
    counters: &Counters,
    counter: Counter,
    units: Handle<Expression>,
) {
    let Some(variable) = counters.get(counter) else {
        return;
    };
    let owed = code.local(counters.word);
    code.store(owed, units);
    let mut turn = code.branch();
    let rest = turn.load(owed);
    let zero = turn.u32(0);
    let is_paid = turn.binary(Op::Equal, rest, zero);
    leave_if(&mut turn, is_paid);
    let granted = draw(&mut turn, counters, counter, rest, zero);
    let mut fails = turn.branch();
    let counter_at = fails.value(Expression::GlobalVariable(variable));
    run_out(&mut fails, counter_at);
    fails.push(Statement::Break);
    let fails = fails.block;
    let is_refused = turn.binary(Op::Equal, granted, zero);
    turn.when(is_refused, fails, Block::new());
    let rest = turn.binary(Op::Subtract, rest, granted);
    turn.store(owed, rest);
    let body = turn.block;
    turns(code, body);
}

/// What an invocation draws that needs less.
fn usual(code: &mut Code<'_>, counters: &Counters) -> Handle<Expression> {
    let given = code.value(Expression::GlobalVariable(counters.given));
    let given = code.load(given);
    let part = code.u32(OF_GIVEN);
    let part = code.binary(Op::ShiftRight, given, part);
    let first = counters.term(code, TermWords::FIRST);
    code.binary(Op::Add, first, part)
}

/// One draw: of `wanted` units or a part of them, or of `usual` ones. What was granted is noted as given; it is 0 where
/// there is not as much as is wanted.
fn draw(
    code: &mut Code<'_>,
    counters: &Counters,
    counter: Counter,
    wanted: Handle<Expression>,
    usual: Handle<Expression>,
) -> Handle<Expression> {
    let granted = match (counter, &counters.lead) {
        (Counter::Uniform, Some(lead)) => {
            let index = code.value(Expression::GlobalVariable(lead.index));
            let index = code.load(index);
            let zero = code.u32(0);
            let is_first = code.binary(Op::Equal, index, zero);
            let mut first = code.branch();
            let granted = attempt(&mut first, counters, lead.invocations, wanted, usual);
            let granted = first.load(granted);
            let told = first.value(Expression::GlobalVariable(lead.granted));
            first.store(told, granted);
            let first = first.block;
            code.when(is_first, first, Block::new());
            let told = code.value(Expression::GlobalVariable(lead.granted));
            code.uniform_load(told, counters.word)
        }
        _ => {
            let granted = attempt(code, counters, 1, wanted, usual);
            code.load(granted)
        }
    };
    let given_at = code.value(Expression::GlobalVariable(counters.given));
    let given = code.load(given_at);
    let given = code.binary(Op::Add, given, granted);
    code.store(given_at, given);
    granted
}

/// Tries to take for so many invocations; a variable with what each of them got.
fn attempt(
    code: &mut Code<'_>,
    counters: &Counters,
    invocations: u32,
    wanted: Handle<Expression>,
    usual: Handle<Expression>,
) -> Handle<Expression> {
    let granted = code.local(counters.word);
    let zero = code.u32(0);
    code.store(granted, zero);
    let limit = counters.term(code, TermWords::LIMIT);
    let taken_at = counters.taken_at(code);
    let taken = code.load(taken_at);
    let is_open = code.binary(Op::Less, taken, limit);
    let mut open = code.branch();
    let rest = open.binary(Op::Subtract, limit, taken);
    let count = open.u32(invocations);
    let rest = match invocations {
        1 => rest,
        _ => open.binary(Op::Divide, rest, count),
    };
    let fits = open.binary(Op::LessEqual, wanted, rest);
    let mut fitting = open.branch();
    let part = fitting.u32(OF_REST);
    let part = fitting.binary(Op::ShiftRight, rest, part);
    let usual = fitting.math(MathFunction::Min, usual, part);
    let step = fitting.math(MathFunction::Max, usual, wanted);
    let most = counters.term(&mut fitting, TermWords::MOST);
    let step = fitting.math(MathFunction::Min, step, most);
    let all = match invocations {
        1 => step,
        _ => fitting.binary(Op::Multiply, step, count),
    };
    let before = fitting.atomic(taken_at, AtomicFunction::Add, all, counters.word);
    let after = fitting.binary(Op::Add, before, all);
    let is_within = fitting.binary(Op::LessEqual, after, limit);
    let mut within = fitting.branch();
    within.store(granted, step);
    let within = within.block;
    fitting.when(is_within, within, Block::new());
    let fitting = fitting.block;
    open.when(fits, fitting, Block::new());
    let open = open.block;
    code.when(is_open, open, Block::new());
    granted
}

fn leave_if(code: &mut Code<'_>, condition: Handle<Expression>) {
    let mut leaves = code.branch();
    leaves.push(Statement::Break);
    let leaves = leaves.block;
    code.when(condition, leaves, Block::new());
}

fn turns(code: &mut Code<'_>, body: Block) {
    code.push(Statement::Loop {
        body,
        continuing: Block::new(),
        break_if: None,
    });
}

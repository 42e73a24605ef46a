//! Puts the payments of a [`FunctionPlan`] into a function's body.
//!
//! Counters go down and hold what is left; -1 says that it was not enough, and stays, since no weight fits into
//! it. Nothing is ever subtracted that does not fit, so a counter cannot wrap.

use super::code::Code;
use super::meter::{PoolWords, TermWords};
use super::plan::{Counter, FunctionPlan, Payment};
use super::{draw, turns};
use naga::{
    BinaryOperator, Block, Expression, Function, GlobalVariable, Handle, Statement, SwitchCase,
    Type,
};

/// What pays: private variables that count, and the pool that they are filled from.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) uniform: Option<Handle<GlobalVariable>>,
    pub(super) own: Option<Handle<GlobalVariable>>,
    /// Units that the invocation was given.
    pub(super) given: Handle<GlobalVariable>,
    /// The words of the pool.
    pub(super) pool: Handle<GlobalVariable>,
    /// What the host has laid down.
    pub(super) terms: Handle<GlobalVariable>,
    /// Who draws for the uniform counter, where there is one.
    pub(super) lead: Option<Lead>,
    /// The type `u32`.
    pub(super) word: Handle<Type>,
    /// Whether what is missing is drawn from the pool.
    pub(super) has_draws: bool,
}

/// The first invocation of a workgroup, which draws for all.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    /// The invocation's index in its workgroup.
    pub(super) index: Handle<GlobalVariable>,
    /// What each was granted, in workgroup memory.
    pub(super) granted: Handle<GlobalVariable>,
    /// Invocations of a workgroup.
    pub(super) invocations: u32,
}

impl Counters {
    pub(super) fn get(&self, counter: Counter) -> Option<Handle<GlobalVariable>> {
        match counter {
            Counter::Uniform => self.uniform,
            Counter::Own => self.own,
        }
    }

    /// Where the units are counted that were taken from the pool.
    pub(super) fn taken_at(&self, code: &mut Code<'_>) -> Handle<Expression> {
        let pool = code.value(Expression::GlobalVariable(self.pool));
        code.member(pool, PoolWords::TAKEN)
    }

    pub(super) fn term(&self, code: &mut Code<'_>, word: u32) -> Handle<Expression> {
        let terms = code.value(Expression::GlobalVariable(self.terms));
        let word = code.member(terms, word);
        code.load(word)
    }

    /// So much fuel in units, rounded up.
    pub(super) fn units_of(
        &self,
        code: &mut Code<'_>,
        fuel: Handle<Expression>,
    ) -> Handle<Expression> {
        let shift = self.term(code, TermWords::SHIFT);
        let mask = mask(code, shift);
        let sum = code.binary(BinaryOperator::Add, fuel, mask);
        code.binary(BinaryOperator::ShiftRight, sum, shift)
    }
}

/// The lowest `shift` bits.
pub(super) fn mask(code: &mut Code<'_>, shift: Handle<Expression>) -> Handle<Expression> {
    let one = code.u32(1);
    let unit = code.binary(BinaryOperator::ShiftLeft, one, shift);
    code.binary(BinaryOperator::Subtract, unit, one)
}

/// Weaves a function's payments into it.
pub(super) fn weave(function: &mut Function, plan: &FunctionPlan, counters: &Counters) {
    let is_charged = |payment: &Payment| !matches!(payment, Payment::Enclosed);
    if !plan.payments.iter().any(is_charged) {
        return;
    }
    let body = std::mem::take(&mut function.body);
    let mut weaver = Weaver {
        function,
        plan,
        counters,
        number: 0,
    };
    let body = weaver.block(body);
    weaver.function.body = body;
}

struct Weaver<'a> {
    function: &'a mut Function,
    plan: &'a FunctionPlan,
    counters: &'a Counters,
    /// Of the next loop.
    number: usize,
}

impl Weaver<'_> {
    fn block(&mut self, block: Block) -> Block {
        let mut woven = Block::with_capacity(block.len());
        for (statement, span) in block.span_into_iter() {
            let statement = match statement {
                Statement::Block(inner) => Statement::Block(self.block(inner)),
                Statement::If {
                    condition,
                    accept,
                    reject,
                } => Statement::If {
                    condition,
                    accept: self.block(accept),
                    reject: self.block(reject),
                },
                Statement::Switch { selector, cases } => Statement::Switch {
                    selector,
                    cases: cases.into_iter().map(|case| self.case(case)).collect(),
                },
                Statement::Loop {
                    body,
                    continuing,
                    break_if,
                } => {
                    woven.extend_block(self.turns(body, continuing, break_if));
                    continue;
                }
                other => other,
            };
            woven.push(statement, span);
        }
        woven
    }

    fn case(&mut self, case: SwitchCase) -> SwitchCase {
        SwitchCase {
            body: self.block(case.body),
            ..case
        }
    }

    fn turns(
        &mut self,
        body: Block,
        continuing: Block,
        break_if: Option<Handle<Expression>>,
    ) -> Block {
        let payment = self.plan.payments.get(self.number).copied();
        self.number += 1;
        let body = self.block(body);
        let continuing = self.block(continuing);
        let counters = self.counters;
        let mut code = Code::new(self.function);
        match payment {
            Some(
                payment @ (Payment::Once(counter, weight, counting)
                | Payment::Ahead(counter, weight, counting)),
            ) => {
                let counted = turns::Counted {
                    counters,
                    counter,
                    weight,
                    counting: &counting,
                };
                match payment {
                    Payment::Ahead(..) => counted.pay_ahead(&mut code, body, continuing),
                    _ => counted.pay_once(&mut code, body, continuing),
                }
            }
            Some(Payment::Whole(counter, weight)) => {
                let turns = Statement::Loop {
                    body,
                    continuing,
                    break_if,
                };
                pay_whole(&mut code, counters, counter, weight, turns);
            }
            Some(Payment::Each(counter, weight)) => {
                let mut paid = code.branch();
                pay_each(&mut paid, counters, counter, weight);
                paid.block.extend_block(body);
                let body = paid.block;
                code.push(Statement::Loop {
                    body,
                    continuing,
                    break_if,
                });
            }
            Some(Payment::Enclosed) | None => code.push(Statement::Loop {
                body,
                continuing,
                break_if,
            }),
        }
        code.block
    }
}

/// Before a loop of known length: pays for all of it, or skips it.
fn pay_whole(
    code: &mut Code<'_>,
    counters: &Counters,
    counter: Counter,
    weight: u32,
    turns: Statement,
) {
    let Some(variable) = counters.get(counter) else {
        return;
    };
    let at = code.value(Expression::GlobalVariable(variable));
    fill_if_short(code, counters, counter, weight);
    let left = code.load(at);
    let price = code.i32(weight.cast_signed());
    let fits = code.binary(BinaryOperator::GreaterEqual, left, price);
    let mut paid = code.branch();
    let rest = paid.binary(BinaryOperator::Subtract, left, price);
    paid.store(at, rest);
    paid.push(turns);
    let paid = paid.block;
    let mut skipped = code.branch();
    run_out(&mut skipped, at);
    let skipped = skipped.block;
    code.when(fits, paid, skipped);
}

/// At the top of a turn, where `break` leaves the loop and every way back comes by: pays, or ends the loop.
fn pay_each(code: &mut Code<'_>, counters: &Counters, counter: Counter, weight: u32) {
    let Some(variable) = counters.get(counter) else {
        return;
    };
    let at = code.value(Expression::GlobalVariable(variable));
    let price = code.i32(weight.cast_signed());
    let left = code.load(at);
    let is_short = code.binary(BinaryOperator::Less, left, price);
    if !counters.has_draws {
        let mut ends = code.branch();
        run_out(&mut ends, at);
        ends.push(Statement::Break);
        let ends = ends.block;
        code.when(is_short, ends, Block::new());
        let rest = code.binary(BinaryOperator::Subtract, left, price);
        code.store(at, rest);
        return;
    }
    let mut short = code.branch();
    if weight <= draw::MOST_HELD {
        let need = short.u32(weight);
        draw::fill(&mut short, counters, counter, need);
    }
    let left = short.load(at);
    let is_out = short.binary(BinaryOperator::Less, left, price);
    let mut ends = short.branch();
    run_out(&mut ends, at);
    ends.push(Statement::Break);
    let ends = ends.block;
    short.when(is_out, ends, Block::new());
    let short = short.block;
    code.when(is_short, short, Block::new());
    let left = code.load(at);
    let rest = code.binary(BinaryOperator::Subtract, left, price);
    code.store(at, rest);
}

fn fill_if_short(code: &mut Code<'_>, counters: &Counters, counter: Counter, weight: u32) {
    let can_fill = counters.has_draws && weight <= draw::MOST_HELD;
    let Some(variable) = counters.get(counter).filter(|_| can_fill) else {
        return;
    };
    let at = code.value(Expression::GlobalVariable(variable));
    let left = code.load(at);
    let price = code.i32(weight.cast_signed());
    let is_short = code.binary(BinaryOperator::Less, left, price);
    let mut short = code.branch();
    let need = short.u32(weight);
    draw::fill(&mut short, counters, counter, need);
    let short = short.block;
    code.when(is_short, short, Block::new());
}

/// Says that what was left was not enough.
pub(super) fn run_out(code: &mut Code<'_>, counter: Handle<Expression>) {
    let exhausted = code.i32(-1);
    code.store(counter, exhausted);
}

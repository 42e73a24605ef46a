//! Puts the payments of a [`FunctionPlan`] into a function's body.
//!
//! Counters go down and hold what is left; -1 says that it was not enough, and stays, since no weight fits into
//! it. Nothing is ever subtracted that does not fit, so a counter cannot wrap.

use super::code::Code;
use super::plan::{Counter, FunctionPlan, Payment};
use super::turns;
use naga::{
    BinaryOperator, Block, Expression, Function, GlobalVariable, Handle, Literal, Statement,
    SwitchCase,
};

/// The private variables that count, as far as the shader uses them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) uniform: Option<Handle<GlobalVariable>>,
    pub(super) own: Option<Handle<GlobalVariable>>,
}

impl Counters {
    fn get(self, counter: Counter) -> Option<Handle<GlobalVariable>> {
        match counter {
            Counter::Uniform => self.uniform,
            Counter::Own => self.own,
        }
    }
}

/// Weaves a function's payments into it.
pub(super) fn weave(function: &mut Function, plan: &FunctionPlan, counters: Counters) {
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
    counters: Counters,
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
        let mut code = Code::new(self.function);
        match payment {
            Some(Payment::Once(counter, weight, counting)) => {
                if let Some(counter) = self.counters.get(counter) {
                    let counter = code.value(Expression::GlobalVariable(counter));
                    turns::pay_once(&mut code, counter, weight, &counting, body, continuing);
                }
            }
            Some(Payment::Each(counter, weight)) => {
                let mut paid = code.branch();
                if let Some(counter) = self.counters.get(counter) {
                    pay_each(&mut paid, counter, weight);
                }
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

/// At the top of a turn, where `break` leaves the loop and every way back comes by: pays, or ends the loop.
fn pay_each(code: &mut Code<'_>, counter: Handle<GlobalVariable>, weight: u32) {
    let counter = code.value(Expression::GlobalVariable(counter));
    let left = code.load(counter);
    let weight = code.value(Expression::Literal(Literal::I32(weight.cast_signed())));
    let is_short = code.binary(BinaryOperator::Less, left, weight);
    let mut ends = code.branch();
    run_out(&mut ends, counter);
    ends.push(Statement::Break);
    let ends = ends.block;
    code.when(is_short, ends, Block::new());
    let rest = code.binary(BinaryOperator::Subtract, left, weight);
    code.store(counter, rest);
}

/// Says that what was left was not enough.
pub(super) fn run_out(code: &mut Code<'_>, counter: Handle<Expression>) {
    let exhausted = code.i32(-1);
    code.store(counter, exhausted);
}

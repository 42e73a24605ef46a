//! Where a loop ends for a counter's sake.
//!
//! [`crate::fuel`] knows loops whose test is the first thing in a turn, since it rewrites them. Here nothing is rewritten:
//! a test may stand anywhere in the turn, as long as every turn comes to it, and may be one part of a condition.

use super::evaluate::Subject;
use super::outline::Outline;
use crate::blocks::blocks_in;
use crate::fuel::locals::Locals;
use crate::fuel::shape::Survey;
use crate::fuel::trips::Test;
use naga::{
    BinaryOperator as Op, Block, Expression, Function, Handle, Literal, LocalVariable, Statement,
    UnaryOperator,
};
use std::collections::HashMap;

/// The most tests of one loop that are looked at.
const TESTS: usize = 16;
/// The most parts of a condition, one within another.
const PARTS: u32 = 16;

/// A test that every turn comes to, and whose failure ends the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// While what the loop goes on.
    pub(super) test: Test,
    /// The variable that is tested, and the only one that is changed, once a turn.
    pub(super) counter: Handle<LocalVariable>,
    /// What is added to it for the test alone.
    pub(super) ahead: Option<Handle<Expression>>,
    /// What it is compared with.
    pub(super) bound: Handle<Expression>,
    /// What is stored to it.
    pub(super) step: Handle<Expression>,
    /// Whether nothing is done in a turn before the test.
    pub(super) is_first: bool,
    /// Whether the test sees what the turn has made of the counter.
    pub(super) is_after_step: bool,
    /// Whether the loop ends in no other way.
    pub(super) is_sole: bool,
    /// Whether the counter changes only once the body is through.
    pub(super) steps_last: bool,
}

/// `&&` or `||`, as the front end writes them out: the right side is evaluated where the left one does not decide.
#[derive(Clone, Copy)]
struct Written {
    /// What has to hold for the right side to be evaluated: the left side, or that it does not hold.
    condition: Handle<Expression>,
    right: Handle<Expression>,
    is_and: bool,
}

/// A condition, or a part of one.
#[derive(Clone, Copy)]
struct Part {
    /// Where in a turn it is asked.
    position: usize,
    is_first: bool,
    /// Whether it has to hold for the loop to go on, or not to.
    goes_on: bool,
    /// How many conditions it is a part of.
    depth: u32,
}

impl Part {
    /// A part of it.
    fn inner(self, goes_on: bool) -> Self {
        Self {
            goes_on,
            depth: self.depth + 1,
            ..self
        }
    }
}

/// A loop, looked at for its ends.
pub(super) struct Exits<'a> {
    number: usize,
    outline: &'a Outline<'a>,
    function: &'a Function,
    locals: &'a Locals<'a>,
    survey: Survey,
    /// Whether the loop ends in one place alone.
    has_one_end: bool,
    /// The statements of a turn, without those inside of others but blocks: the body, then what continues.
    turn: Vec<&'a Statement>,
    /// How many of them are the body's.
    in_body: usize,
    written: HashMap<Handle<LocalVariable>, Written>,
    found: Vec<Exit>,
}

impl<'a> Exits<'a> {
    /// All tests of a loop that are understood.
    pub(super) fn of(number: usize, subject: Subject<'a>) -> Vec<Exit> {
        let Subject {
            outline, locals, ..
        } = subject;
        let Some(site) = outline.loops.get(number) else {
            return Vec::new();
        };
        let mut turn = Vec::new();
        flatten(site.body, &mut turn);
        let in_body = turn.len();
        flatten(site.continuing, &mut turn);
        let survey = Survey::of(locals, site.body, site.continuing);
        let ends = survey.breaks + usize::from(site.break_if.is_some());
        let mut exits = Self {
            number,
            outline,
            function: subject.scope.function,
            locals,
            has_one_end: ends == 1 && !survey.has_return,
            survey,
            turn,
            in_body,
            written: HashMap::new(),
            found: Vec::new(),
        };
        exits.look(site.break_if);
        exits.found
    }

    fn look(&mut self, break_if: Option<Handle<Expression>>) {
        let (mut is_first, mut is_certain) = (true, true);
        for position in 0..self.turn.len() {
            let statement = self.turn[position];
            if let Statement::If {
                condition,
                accept,
                reject,
            } = statement
            {
                let leaves = [accept, reject].map(leaves_loop);
                if is_certain && leaves[0] != leaves[1] {
                    let part = Part {
                        position,
                        is_first,
                        goes_on: leaves[1],
                        depth: 0,
                    };
                    self.test(*condition, part);
                }
            }
            is_first &= matches!(statement, Statement::Emit(_)) || self.write(statement);
            is_certain &= !continues(statement);
        }
        let part = Part {
            position: self.turn.len(),
            is_first: false,
            goes_on: false,
            depth: 0,
        };
        break_if
            .into_iter()
            .for_each(|condition| self.test(condition, part));
    }

    /// Remembers an `if` that is an `&&` or `||`; whether it is one.
    fn write(&mut self, statement: &Statement) -> bool {
        let Some((variable, written)) = self.short_circuit(statement) else {
            return false;
        };
        self.written.insert(variable, written);
        if let Statement::If { accept, .. } = statement {
            for inner in accept
                .iter()
                .filter(|inner| matches!(inner, Statement::If { .. }))
            {
                self.write(inner);
            }
        }
        true
    }

    fn short_circuit(&self, statement: &Statement) -> Option<(Handle<LocalVariable>, Written)> {
        let Statement::If {
            condition,
            accept,
            reject,
        } = statement
        else {
            return None;
        };
        let local = |pointer: Handle<Expression>| match self.function.expressions[pointer] {
            Expression::LocalVariable(variable) => Some(variable),
            _ => None,
        };
        let (
            Statement::Store { pointer, value },
            [
                Statement::Store {
                    pointer: other,
                    value: decided,
                },
            ],
        ) = (accept.last()?, &reject[..])
        else {
            return None;
        };
        let variable = local(*pointer).filter(|variable| local(*other) == Some(*variable))?;
        let Expression::Literal(Literal::Bool(decided)) = self.function.expressions[*decided]
        else {
            return None;
        };
        let written = Written {
            condition: *condition,
            right: *value,
            is_and: !decided,
        };
        // Anybody's variable may look like the front end's own, which has no name and is stored to nowhere else.
        let is_own = self.function.local_variables[variable].name.is_none();
        let stores = self.outline.stores.get(variable.index())?;
        (is_own && stores.len() == 2).then_some((variable, written))
    }

    /// Takes a condition apart.
    fn test(&mut self, condition: Handle<Expression>, part: Part) {
        if part.depth > PARTS || self.found.len() >= TESTS {
            return;
        }
        match self.function.expressions[condition] {
            Expression::Unary {
                op: UnaryOperator::LogicalNot,
                expr,
            } => self.test(expr, part.inner(!part.goes_on)),
            Expression::Binary { op, left, right } if is_joint(op, part.goes_on) => {
                self.test(left, part.inner(part.goes_on));
                self.test(right, part.inner(part.goes_on));
            }
            Expression::Binary { op, left, right } => {
                let test = match part.goes_on {
                    true => Test::of(op),
                    false => Test::until(op),
                };
                if let Some(test) = test {
                    self.compare(test, [left, right], part);
                    self.compare(test.flipped(), [right, left], part);
                }
            }
            Expression::Load { pointer } => {
                let Expression::LocalVariable(variable) = self.function.expressions[pointer] else {
                    return;
                };
                let written = self.written.get(&variable).copied();
                if let Some(written) = written.filter(|written| written.is_and == part.goes_on) {
                    self.test(written.condition, part.inner(true));
                    self.test(written.right, part.inner(part.goes_on));
                }
            }
            _ => {}
        }
    }

    /// A comparison of what may be the counter with something.
    fn compare(&mut self, test: Test, [load, bound]: [Handle<Expression>; 2], part: Part) {
        let (load, ahead) = self.without_offset(load);
        let Some(counter) = self.locals.loaded(load) else {
            return;
        };
        let stores = self.survey.stores.iter();
        let is_stored_once = stores.filter(|stored| **stored == counter).count() == 1;
        let is_fresh = self.outline.is_made_in(self.number, load);
        let Some((stored, step)) = self.step(counter).filter(|_| is_stored_once && is_fresh) else {
            return;
        };
        let seen = self
            .turn
            .iter()
            .position(|statement| makes(statement, load));
        self.found.push(Exit {
            test,
            counter,
            ahead,
            bound,
            step,
            is_first: part.is_first,
            is_after_step: seen.unwrap_or(part.position) > stored,
            is_sole: part.depth == 0 && self.has_one_end,
            steps_last: stored >= self.in_body,
        });
    }

    /// A value without the number that is added to it.
    fn without_offset(
        &self,
        value: Handle<Expression>,
    ) -> (Handle<Expression>, Option<Handle<Expression>>) {
        match self.function.expressions[value] {
            Expression::Binary {
                op: Op::Add,
                left,
                right,
            } if self.is_literal(right) => (left, Some(right)),
            Expression::Binary {
                op: Op::Add,
                left,
                right,
            } if self.is_literal(left) => (right, Some(left)),
            _ => (value, None),
        }
    }

    fn is_literal(&self, handle: Handle<Expression>) -> bool {
        matches!(
            self.function.expressions[handle],
            Expression::Literal(_) | Expression::Constant(_)
        )
    }

    /// Where in a turn the counter's only store stands, and what is stored; `None` where a turn may do without.
    fn step(&self, counter: Handle<LocalVariable>) -> Option<(usize, Handle<Expression>)> {
        let (position, value) =
            self.turn
                .iter()
                .enumerate()
                .find_map(|(position, statement)| match statement {
                    Statement::Store { pointer, value } => (self.locals.pointee(*pointer)
                        == Some(counter))
                    .then_some((position, *value)),
                    _ => None,
                })?;
        let is_certain = position >= self.in_body || !self.survey.has_continue;
        is_certain.then_some((position, value))
    }
}

/// Whether both sides have to hold, or neither.
fn is_joint(op: Op, goes_on: bool) -> bool {
    match op {
        Op::LogicalAnd | Op::And => goes_on,
        Op::LogicalOr | Op::InclusiveOr => !goes_on,
        _ => false,
    }
}

/// Whether a statement evaluates an expression, or has an `if` that does.
fn makes(statement: &Statement, handle: Handle<Expression>) -> bool {
    match statement {
        Statement::Emit(range) => range
            .first_and_last()
            .is_some_and(|(first, last)| (first.index()..=last.index()).contains(&handle.index())),
        Statement::If { accept, reject, .. } => [accept, reject]
            .into_iter()
            .any(|block| block.iter().any(|inner| makes(inner, handle))),
        _ => false,
    }
}

fn flatten<'a>(block: &'a Block, turn: &mut Vec<&'a Statement>) {
    for statement in block {
        match statement {
            Statement::Block(inner) => flatten(inner, turn),
            _ => turn.push(statement),
        }
    }
}

/// Whether whoever comes to the end of a block has left the loop.
fn leaves_loop(block: &Block) -> bool {
    match block.last() {
        Some(Statement::Break | Statement::Return { .. } | Statement::Kill) => {
            !block.iter().any(continues)
        }
        Some(Statement::Block(inner)) => leaves_loop(inner) && !block.iter().any(continues),
        _ => false,
    }
}

/// Whether a statement may end a turn of the loop that it stands in, and not the loop.
fn continues(statement: &Statement) -> bool {
    match statement {
        Statement::Continue => true,
        Statement::Loop { .. } => false,
        _ => blocks_in(statement).any(|block| block.iter().any(continues)),
    }
}

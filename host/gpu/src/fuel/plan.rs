//! Decides for each loop how it is paid for, and what an invocation is charged before it starts.
//!
//! Costs go bottom-up: a block's are those of its statements, a call's those of the callee, a loop's those that
//! whoever encloses it pays for. What a loop pays for itself is no part of them.

use super::facts::{self, LoopFacts};
use super::shape::Counting;
use crate::admission::{Admitted, FunctionId, Scope};
use naga::{Block, Function, Handle, Statement};

/// The heaviest weight: fits into no budget ([`super::meter::MAX_BUDGET`]), so a loop that has it never runs.
pub(super) const MAX_WEIGHT: u64 = i32::MAX as u64;

/// What a loop of known length may cost at most to be charged in advance: a heavier one is metered, since it
/// may well stand where no invocation comes.
const MAX_FIXED: u64 = 1 << 24;
/// The same for a loop that may end early.
const MAX_FIXED_WITH_EXITS: u64 = 1 << 16;
/// What the check of a loop that is charged once costs.
const CHECK_ONCE: u64 = 12;
/// What the check in each turn costs.
const CHECK_EACH: u64 = 2;
/// What the prologue and the epilogue of a metered shader cost.
const FRAME: u64 = 24;

/// Which counter a loop is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// The one that is the same in all invocations of a workgroup.
    Uniform,
    /// Each invocation's own.
    Own,
}

/// How a loop is paid for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payment {
    /// By whoever encloses it: it is finite.
    Enclosed,
    /// Once, before it, for all turns.
    Once(Counter, u32, Counting),
    /// At the start of each turn.
    Each(Counter, u32),
}

/// How the loops of one function are paid for, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct FunctionPlan {
    pub(super) payments: Vec<Payment>,
    cost: u64,
}

/// How the loops of a shader are paid for.
#[derive(Debug)]
pub(super) struct Plan {
    /// By the function's index.
    pub(super) functions: Vec<FunctionPlan>,
    pub(super) entry: FunctionPlan,
    /// What an invocation is charged in any case.
    pub(super) static_fuel: u64,
}

impl Plan {
    /// Plans an admitted shader; with `force` no loop counts as finite.
    pub(super) fn of(admitted: &Admitted, force: bool) -> Self {
        let mut plan = Self {
            functions: Vec::with_capacity(admitted.module().functions.len()),
            entry: FunctionPlan::default(),
            static_fuel: 0,
        };
        for (handle, function) in admitted.module().functions.iter() {
            let planned = plan.function(admitted, FunctionId::Function(handle), function, force);
            plan.functions.push(planned);
        }
        let function = &admitted.entry_point().function;
        plan.entry = plan.function(admitted, FunctionId::Entry, function, force);
        let frame = if plan.is_dynamic() { FRAME } else { 0 };
        let start = admitted.cost().of_start().saturating_add(frame);
        plan.static_fuel = start.saturating_add(plan.entry.cost).max(1);
        plan
    }

    /// Whether some loop is charged while the shader runs.
    pub(super) fn is_dynamic(&self) -> bool {
        self.uses(Counter::Uniform) || self.uses(Counter::Own)
    }

    /// Whether a loop is charged to a counter.
    pub(super) fn uses(&self, counter: Counter) -> bool {
        let functions = self.functions.iter().chain([&self.entry]);
        functions
            .flat_map(|function| &function.payments)
            .any(|payment| match payment {
                Payment::Enclosed => false,
                Payment::Once(charged, ..) | Payment::Each(charged, _) => *charged == counter,
            })
    }

    fn function(
        &self,
        admitted: &Admitted,
        id: FunctionId,
        function: &Function,
        force: bool,
    ) -> FunctionPlan {
        let Some(scope) = admitted.scope(id) else {
            return FunctionPlan::default();
        };
        let mut planner = Planner {
            admitted,
            id,
            scope,
            callees: &self.functions,
            facts: facts::of_function(admitted.module(), function),
            force,
            payments: Vec::new(),
        };
        let body = planner.block(&function.body);
        FunctionPlan {
            cost: body.saturating_add(admitted.cost().of_locals(function)),
            payments: planner.payments,
        }
    }
}

struct Planner<'a> {
    admitted: &'a Admitted,
    id: FunctionId,
    scope: Scope<'a>,
    callees: &'a [FunctionPlan],
    facts: Vec<LoopFacts>,
    force: bool,
    payments: Vec<Payment>,
}

impl Planner<'_> {
    fn block(&mut self, statements: &[Statement]) -> u64 {
        statements.iter().fold(0, |cost: u64, statement| {
            let alone = self.admitted.cost().of_statement(self.scope, statement);
            let inside = self.inside(statement, alone);
            cost.saturating_add(alone).saturating_add(inside)
        })
    }

    fn inside(&mut self, statement: &Statement, alone: u64) -> u64 {
        match statement {
            Statement::Block(block) => self.block(block),
            Statement::If { accept, reject, .. } => self.block(accept).max(self.block(reject)),
            Statement::Switch { cases, .. } => cases.iter().fold(0, |cost: u64, case| {
                cost.saturating_add(self.block(&case.body))
            }),
            Statement::Loop {
                body, continuing, ..
            } => self.turns(body, continuing, alone),
            Statement::Call { function, .. } => self.callee(*function),
            _ => 0,
        }
    }

    /// A function that is called stands before its caller, so its plan is made.
    fn callee(&self, handle: Handle<Function>) -> u64 {
        let plan = self.callees.get(handle.index());
        plan.map_or(u64::MAX, |plan| plan.cost)
    }

    /// What whoever encloses a loop pays for it.
    fn turns(&mut self, body: &Block, continuing: &Block, alone: u64) -> u64 {
        let number = self.payments.len();
        self.payments.push(Payment::Enclosed);
        let inside = self.block(body).saturating_add(self.block(continuing));
        let turn = alone.saturating_add(inside);
        let facts = self.facts.get(number).copied().unwrap_or_default();
        if let Some(cost) = self.fixed(facts, body, turn) {
            return cost;
        }
        let weight = turn.saturating_add(CHECK_EACH).min(MAX_WEIGHT);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self.payments[number] = self.payment(number, facts, weight);
        match self.payments[number] {
            Payment::Once(_, _, counting) => {
                CHECK_ONCE.saturating_add(self.of_head(body, counting.head))
            }
            _ => 0,
        }
    }

    /// The whole cost of a loop that is finite and not too heavy.
    fn fixed(&self, facts: LoopFacts, body: &Block, turn: u64) -> Option<u64> {
        let counting = facts.counting.filter(|_| !self.force)?;
        let last_test = self.of_head(body, counting.head);
        let cost = facts.turns?.saturating_mul(turn).saturating_add(last_test);
        let most = if counting.has_other_exits {
            MAX_FIXED_WITH_EXITS
        } else {
            MAX_FIXED
        };
        (cost <= most).then_some(cost)
    }

    /// Evaluating the test for the last time.
    fn of_head(&self, body: &Block, head: usize) -> u64 {
        let cost = self.admitted.cost();
        body.iter().take(head + 1).fold(0, |sum: u64, statement| {
            sum.saturating_add(cost.of_statement(self.scope, statement))
        })
    }

    fn payment(&self, number: usize, facts: LoopFacts, weight: u32) -> Payment {
        let uniformity = self.admitted.uniformity();
        let is_uniform = uniformity.loop_is_uniform(self.id, number);
        let counter = if is_uniform {
            Counter::Uniform
        } else {
            Counter::Own
        };
        let once = facts.counting.filter(|counting| {
            let has_uniform_turns = [counting.load, counting.bound]
                .iter()
                .all(|value| uniformity.expression_is_uniform(self.id, *value));
            facts.is_countable_at_entry && !self.force && (has_uniform_turns || !is_uniform)
        });
        match once {
            Some(counting) => Payment::Once(counter, weight, counting),
            None => Payment::Each(counter, weight),
        }
    }
}

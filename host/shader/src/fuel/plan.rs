//! Decides for each loop how it is paid for, and what an invocation is charged before it starts.
//!
//! Costs go bottom-up: a block's are those of its statements, a call's those of the callee, a loop's those that
//! whoever encloses it pays for. What a loop pays for itself is no part of them.

use super::facts::{self, LoopFacts};
use super::known::LoopTurns;
use super::shape::Counting;
use super::{FuelOptions, InstrumentError};
use crate::admission::cost::dearest;
use crate::admission::{Admitted, FunctionId, Scope};
use crate::blocks::blocks_in;
use naga::{Block, Function, Handle, Statement};

/// The heaviest weight of a turn. What weighs more fits into no counter ([`super::draw::MOST_HELD`]) and never runs.
pub(super) const MAX_WEIGHT: u64 = i32::MAX as u64;
/// The heaviest weight of a turn that is paid for together with others: their product is computed in halves of words.
const MAX_WEIGHT_ONCE: u32 = (1 << 16) - 1;

/// What a loop of known length may cost at most to be charged in advance: a heavier one is metered, since it
/// may well stand where no invocation comes.
const MAX_FIXED: u64 = 1 << 24;
/// The same for a loop that may end early.
const MAX_FIXED_WITH_EXITS: u64 = 1 << 16;
/// What a loop of known length may cost at most to be charged in advance where not every invocation reaches it.
const MAX_FIXED_IF_REACHED: u64 = 1 << 10;
/// What the check of a loop that is charged once costs.
const CHECK_ONCE: u64 = 12;
/// What the check of a loop costs that is charged ahead.
const CHECK_AHEAD: u64 = 24;
/// What the check of a loop that is charged where it is reached costs.
const CHECK_WHOLE: u64 = 4;
/// What the check in each turn costs.
const CHECK_EACH: u64 = 2;
/// What the prologue and the epilogue of a metered shader cost.
const FRAME: u64 = 32;

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
    /// Before it, all that it can cost: its length is known, and not whether it is reached.
    Whole(Counter, u32),
    /// Once, before it, for all turns.
    Once(Counter, u32, Counting),
    /// Before it, for all turns or as many as can be paid for; what is not used comes back after it.
    Ahead(Counter, u32, Counting),
    /// At the start of each turn.
    Each(Counter, u32),
}

/// How the loops of one function are paid for, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct FunctionPlan {
    pub(super) payments: Vec<Payment>,
    cost: u64,
    /// The dearest turn of a loop that is charged to a counter.
    dearest: u64,
}

/// How the loops of a shader are paid for.
#[derive(Debug)]
pub(super) struct Plan {
    /// By the function's index.
    pub(super) functions: Vec<FunctionPlan>,
    pub(super) entry: FunctionPlan,
    /// What an invocation is charged in any case.
    pub(super) static_fuel: u64,
    /// The turns that it makes at most, and those that the driver lets it, where it bounds them.
    turns: Option<[u64; 2]>,
}

impl Plan {
    /// Plans an admitted shader.
    ///
    /// # Errors
    /// It certainly makes more turns than the driver lets it.
    pub(super) fn of(admitted: &Admitted, options: FuelOptions) -> Result<Self, InstrumentError> {
        let mut plan = Self {
            functions: Vec::with_capacity(admitted.module().functions.len()),
            entry: FunctionPlan::default(),
            static_fuel: 0,
            turns: None,
        };
        if let Some(limit) = options.turns {
            plan.turns = Some([most_turns(admitted, limit)?, limit.into()]);
        }
        let force = options.force;
        for (handle, function) in admitted.module().functions.iter() {
            let planned = plan.function(admitted, FunctionId::Function(handle), function, force);
            plan.functions.push(planned);
        }
        let function = &admitted.entry_point().function;
        plan.entry = plan.function(admitted, FunctionId::Entry, function, force);
        let frame = if plan.is_metered() { FRAME } else { 0 };
        let start = admitted.cost().of_start().saturating_add(frame);
        plan.static_fuel = start.saturating_add(plan.entry.cost).max(1);
        Ok(plan)
    }

    /// Whether some loop is charged while the shader runs, or might be ended by the driver.
    pub(super) fn is_metered(&self) -> bool {
        self.may_be_cut() || self.uses(Counter::Uniform) || self.uses(Counter::Own)
    }

    /// Whether the driver might end its loops.
    pub(super) fn may_be_cut(&self) -> bool {
        self.turns.is_some_and(|[most, limit]| most >= limit)
    }

    /// The most that an invocation can spend of a counter where the driver bounds its turns: as many of the dearest.
    pub(super) fn allowance(&self) -> Option<u64> {
        let turns = self.turns?.into_iter().min()?;
        let functions = self.functions.iter().chain([&self.entry]);
        let dearest = functions.map(|function| function.dearest).max();
        Some(dearest.unwrap_or(0).saturating_mul(turns + 1))
    }

    /// Whether a loop is charged to a counter.
    pub(super) fn uses(&self, counter: Counter) -> bool {
        let functions = self.functions.iter().chain([&self.entry]);
        functions
            .flat_map(|function| &function.payments)
            .any(|payment| match payment {
                Payment::Enclosed => false,
                Payment::Whole(charged, _)
                | Payment::Once(charged, ..)
                | Payment::Ahead(charged, ..)
                | Payment::Each(charged, _) => *charged == counter,
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
            has_draws: self.turns.is_none(),
            is_in_step: admitted.is_in_step(),
            // Where a function is called from is not looked at.
            is_certain: id == FunctionId::Entry,
            payments: Vec::new(),
            dearest: 0,
        };
        let body = planner.block(&function.body);
        FunctionPlan {
            cost: body.saturating_add(admitted.cost().of_locals(function)),
            payments: planner.payments,
            dearest: planner.dearest,
        }
    }
}

/// The most turns of all loops of an invocation, on a driver that lets it make `limit`.
fn most_turns(admitted: &Admitted, limit: u32) -> Result<u64, InstrumentError> {
    let (turns, limit) = (LoopTurns::of(admitted), u64::from(limit));
    match turns.longest {
        Some((_, span)) if turns.least >= limit => Err(InstrumentError::TooManyTurns {
            span,
            turns: turns.least,
            limit,
        }),
        _ => Ok(turns.most),
    }
}

struct Planner<'a> {
    admitted: &'a Admitted,
    id: FunctionId,
    scope: Scope<'a>,
    callees: &'a [FunctionPlan],
    facts: Vec<LoopFacts>,
    force: bool,
    /// Whether a counter is filled when it holds too little.
    has_draws: bool,
    /// Whether something in the shader needs what the workgroup has alike.
    is_in_step: bool,
    /// Whether every invocation comes here that begins.
    is_certain: bool,
    payments: Vec<Payment>,
    /// The dearest turn that is charged to a counter.
    dearest: u64,
}

impl Planner<'_> {
    fn block(&mut self, statements: &[Statement]) -> u64 {
        self.block_with_head(statements, None)
    }

    /// The body of a loop that counts: whoever leaves at its head makes no turn.
    fn block_with_head(&mut self, statements: &[Statement], head: Option<usize>) -> u64 {
        let mut cost: u64 = 0;
        for (position, statement) in statements.iter().enumerate() {
            let is_certain = self.is_certain;
            let alone = self.admitted.cost().of_statement(self.scope, statement);
            let inside = self.inside(statement, alone);
            cost = cost.saturating_add(alone).saturating_add(inside);
            if Some(position) == head {
                self.is_certain = is_certain;
            }
        }
        cost
    }

    fn inside(&mut self, statement: &Statement, alone: u64) -> u64 {
        match statement {
            Statement::Block(block) => self.block(block),
            Statement::If { accept, reject, .. } => {
                let was_certain = std::mem::replace(&mut self.is_certain, false);
                let cost = self.block(accept).max(self.block(reject));
                self.is_certain = was_certain && !leaves(statement);
                cost
            }
            Statement::Switch { cases, .. } => {
                let was_certain = std::mem::replace(&mut self.is_certain, false);
                let costs = cases.iter().map(|case| self.block(&case.body));
                let costs: Vec<u64> = costs.collect();
                self.is_certain = was_certain && !leaves(statement);
                dearest(cases, costs)
            }
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
        let was_certain = self.is_certain;
        let facts = self.facts.get(number).copied().unwrap_or_default();
        let head = facts.counting.map(|counting| counting.head);
        let inside = self.block_with_head(body, head);
        let inside = inside.saturating_add(self.block(continuing));
        // Whoever left a turn early has come to the end of the loop all the same, unless by `return`.
        self.is_certain = was_certain && !returns(body) && !returns(continuing);
        let turn = alone.saturating_add(inside);
        if let Some(cost) = self.fixed(facts, body, turn) {
            if was_certain || cost <= MAX_FIXED_IF_REACHED {
                return cost;
            }
            self.dearest = self.dearest.max(cost / facts.turns.unwrap_or(1).max(1) + 1);
            let weight = u32::try_from(cost).unwrap_or(u32::MAX);
            self.payments[number] = Payment::Whole(self.counter(number), weight);
            return CHECK_WHOLE;
        }
        let weight = turn.saturating_add(CHECK_EACH).min(MAX_WEIGHT);
        self.dearest = self.dearest.max(weight);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let pays_inside = self.pays_inside(number, [body, continuing]);
        self.payments[number] = self.payment(number, facts, weight, pays_inside);
        match self.payments[number] {
            Payment::Once(_, _, counting) => {
                CHECK_ONCE.saturating_add(self.of_head(body, counting.head))
            }
            Payment::Ahead(_, _, counting) => {
                CHECK_AHEAD.saturating_add(self.of_head(body, counting.head))
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

    /// Without anything that the workgroup has to meet, each invocation counts for itself.
    fn counter(&self, number: usize) -> Counter {
        let uniformity = self.admitted.uniformity();
        if self.is_in_step && uniformity.loop_is_uniform(self.id, number) {
            Counter::Uniform
        } else {
            Counter::Own
        }
    }

    /// Whether something in a loop is charged to a counter by itself.
    fn pays_inside(&self, number: usize, blocks: [&Block; 2]) -> bool {
        let pays = |payment: &Payment| !matches!(payment, Payment::Enclosed);
        let calls = |block: &Block| {
            any_statement(block, &|statement| match statement {
                Statement::Call { function, .. } => {
                    let callee = self.callees.get(function.index());
                    callee.is_none_or(|plan| plan.payments.iter().any(pays))
                }
                _ => false,
            })
        };
        self.payments[number + 1..].iter().any(pays) || blocks.into_iter().any(calls)
    }

    fn payment(&self, number: usize, facts: LoopFacts, weight: u32, pays_inside: bool) -> Payment {
        let uniformity = self.admitted.uniformity();
        let counter = self.counter(number);
        let counted = facts.counting.filter(|counting| {
            let has_uniform_turns = [counting.load, counting.bound]
                .iter()
                .all(|value| uniformity.expression_is_uniform(self.id, *value));
            facts.is_countable_at_entry
                && !self.force
                && weight <= MAX_WEIGHT_ONCE
                && (has_uniform_turns || counter == Counter::Own)
        });
        match counted {
            Some(counting) if !counting.has_other_exits => Payment::Once(counter, weight, counting),
            // What is paid ahead is missing to what pays inside, and may be more than a counter can hold that is filled.
            Some(counting)
                if counting.counts_whole_turns
                    && counting.progress.is_distance()
                    && !self.has_draws
                    && !pays_inside =>
            {
                Payment::Ahead(counter, weight, counting)
            }
            _ => Payment::Each(counter, weight),
        }
    }
}

fn any_statement(block: &Block, is: &impl Fn(&Statement) -> bool) -> bool {
    block.iter().any(|statement| {
        is(statement) || blocks_in(statement).any(|inner| any_statement(inner, is))
    })
}

/// Whether an invocation may not come to what follows a statement.
pub(super) fn leaves(statement: &Statement) -> bool {
    match statement {
        Statement::Return { .. } | Statement::Kill | Statement::Continue => true,
        // Of a `switch`, or of the loop around: what follows in its turn may not be reached.
        Statement::Break => true,
        Statement::Loop { .. } => blocks_in(statement).any(returns),
        _ => blocks_in(statement).any(|block| block.iter().any(leaves)),
    }
}

fn returns(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Return { .. } | Statement::Kill => true,
        _ => blocks_in(statement).any(returns),
    })
}

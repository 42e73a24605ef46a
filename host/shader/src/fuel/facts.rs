//! What is known of each loop of a function before it runs.
//!
//! One walk in the order of execution follows the visible local variables ([`Locals`]) whose value is a constant.
//! A value is forgotten wherever two ways meet of which one stores to the variable: after a branch, at the head
//! of a loop, before its continuing block and after it.

use super::locals::Locals;
use super::shape::{Counting, LoopShape, Survey};
use crate::blocks::blocks_in;
use naga::{
    AddressSpace, Block, Expression, Function, Handle, Literal, LocalVariable, Module, Statement,
    StorageAccess, TypeInner,
};
use std::collections::HashMap;

/// What is known of a loop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LoopFacts {
    /// How it counts, if it does.
    pub(crate) counting: Option<Counting>,
    /// The most turns it can take, always.
    pub(crate) turns: Option<u64>,
    /// Whether the most turns that it can take can be computed right before it: it counts, and its bound cannot change
    /// while it runs.
    pub(super) is_countable_at_entry: bool,
}

/// What a visible local variable certainly holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing was stored yet.
    Zero,
    /// The value of an expression, as it was when it was stored.
    Value(Handle<Expression>),
}

/// What one walk over a function finds out.
#[derive(Debug)]
pub(crate) struct FunctionFacts {
    /// About every loop, in the order of the text, an outer loop before those inside.
    pub(crate) loops: Vec<LoopFacts>,
    /// For every loop, what the variables that it stores to hold before it, where that is certain.
    pub(crate) before: Vec<HashMap<Handle<LocalVariable>, Held>>,
    /// By the expression's index: what a load of such a variable sees, where that is certain.
    pub(crate) seen: Vec<Option<Held>>,
}

/// The facts about every loop of a function, in the order of the text, an outer loop before those inside.
pub(super) fn of_function(module: &Module, function: &Function) -> Vec<LoopFacts> {
    all_of_function(module, function, &Locals::of(module, function)).loops
}

/// All that one walk over a function finds out.
pub(crate) fn all_of_function(
    module: &Module,
    function: &Function,
    locals: &Locals<'_>,
) -> FunctionFacts {
    let mut walk = FactsWalk {
        module,
        function,
        locals,
        now: vec![None; function.local_variables.len()],
        held: vec![None; function.local_variables.len()],
        known: vec![None; function.expressions.len()],
        seen: vec![None; function.expressions.len()],
        stored: Vec::new(),
        facts: Vec::new(),
        before: Vec::new(),
    };
    for (handle, variable) in function.local_variables.iter() {
        let start = variable.init.map_or(Some(0), |init| walk.constant(init));
        let held = variable.init.map_or(Held::Zero, Held::Value);
        walk.set(handle, start, Some(held));
    }
    walk.block(&function.body);
    FunctionFacts {
        loops: walk.facts,
        before: walk.before,
        seen: walk.seen,
    }
}

struct FactsWalk<'a> {
    module: &'a Module,
    function: &'a Function,
    locals: &'a Locals<'a>,
    /// The value of each visible variable here, where it is a constant.
    now: Vec<Option<i64>>,
    /// What each visible variable holds here, where that is certain.
    held: Vec<Option<Held>>,
    /// The value of each load of such a variable.
    known: Vec<Option<i64>>,
    /// What each load of such a variable sees.
    seen: Vec<Option<Held>>,
    /// Visible variables stored to so far.
    stored: Vec<Handle<LocalVariable>>,
    facts: Vec<LoopFacts>,
    /// What the variables that each loop stores to hold before it.
    before: Vec<HashMap<Handle<LocalVariable>, Held>>,
}

impl FactsWalk<'_> {
    fn block(&mut self, block: &Block) {
        for statement in block {
            match statement {
                Statement::Emit(range) => range.clone().for_each(|handle| self.evaluate(handle)),
                Statement::Store { pointer, value } => {
                    if let Some(variable) = self.locals.pointee(*pointer) {
                        self.set(variable, self.constant(*value), Some(Held::Value(*value)));
                        self.stored.push(variable);
                    }
                }
                Statement::Loop {
                    body,
                    continuing,
                    break_if,
                } => self.turns(body, continuing, break_if.is_some()),
                Statement::Block(inner) => self.block(inner),
                _ => self.branches(statement),
            }
        }
    }

    /// Each branch may have been taken, and a case may be reached from the one before.
    fn branches(&mut self, statement: &Statement) {
        for block in blocks_in(statement) {
            let before = self.stored.len();
            self.block(block);
            self.forget_since(before);
        }
    }

    fn turns(&mut self, body: &Block, continuing: &Block, has_break_if: bool) {
        let number = self.facts.len();
        self.facts.push(LoopFacts::default());
        let survey = Survey::of(self.locals, body, continuing);
        let start: HashMap<_, _> = survey
            .stores
            .iter()
            .map(|variable| (*variable, self.now[variable.index()]))
            .collect();
        let held = survey.stores.iter();
        let held = held.filter_map(|variable| Some((*variable, self.held[variable.index()]?)));
        self.before.push(held.collect());
        let before = self.stored.len();
        self.stored.extend(&survey.stores);
        for block in [body, continuing] {
            self.forget_since(before);
            self.block(block);
        }
        self.forget_since(before);
        if !has_break_if {
            self.facts[number] = self.judge(&start, &survey, body, continuing);
        }
    }

    fn judge(
        &self,
        start: &HashMap<Handle<LocalVariable>, Option<i64>>,
        survey: &Survey,
        body: &Block,
        continuing: &Block,
    ) -> LoopFacts {
        let shape = LoopShape {
            function: self.function,
            locals: self.locals,
            survey,
            body,
            continuing,
        };
        let Some(counting) = shape.recognise(|handle| self.constant(handle)) else {
            return LoopFacts::default();
        };
        let start = start.get(&counting.counter).copied().flatten();
        let ends = start.zip(self.constant(counting.bound));
        let mut patience = Self::PATIENCE;
        LoopFacts {
            counting: Some(counting),
            turns: ends.and_then(|(start, bound)| counting.progress.turns(start, bound)),
            is_countable_at_entry: counting.progress.is_computable()
                && self.is_invariant(survey, counting.bound, &mut patience),
        }
    }

    /// Expressions looked at before a bound counts as too long to compute in advance.
    const PATIENCE: u32 = 32;

    /// Whether an expression can be computed before a loop and is the same in every turn.
    fn is_invariant(
        &self,
        survey: &Survey,
        handle: Handle<Expression>,
        patience: &mut u32,
    ) -> bool {
        use Expression as E;
        let Some(left) = patience.checked_sub(1) else {
            return false;
        };
        *patience = left;
        if !survey.evaluates(handle) {
            return true;
        }
        let mut all = |handles: &[Handle<E>]| {
            handles
                .iter()
                .all(|h| self.is_invariant(survey, *h, patience))
        };
        match self.function.expressions[handle] {
            E::Load { pointer } => self.is_unchanging(survey, pointer) && all(&[pointer]),
            E::Access { base, index } => all(&[base, index]),
            E::AccessIndex { base: one, .. }
            | E::ArrayLength(one)
            | E::Unary { expr: one, .. }
            | E::As { expr: one, .. } => all(&[one]),
            E::Binary { left, right, .. } => all(&[left, right]),
            E::Math {
                arg,
                arg1,
                arg2: None,
                arg3: None,
                ..
            } => all(&[arg]) && arg1.is_none_or(|arg| all(&[arg])),
            _ => false,
        }
    }

    /// Whether nothing stores to what a pointer points into while the loop runs.
    fn is_unchanging(&self, survey: &Survey, pointer: Handle<Expression>) -> bool {
        match self.function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.is_unchanging(survey, base)
            }
            Expression::GlobalVariable(global) => {
                match self.module.global_variables[global].space {
                    AddressSpace::Uniform => true,
                    AddressSpace::Storage { access } => access == StorageAccess::LOAD,
                    _ => false,
                }
            }
            _ => self
                .locals
                .pointee(pointer)
                .is_some_and(|variable| !survey.stores.contains(&variable)),
        }
    }

    fn set(&mut self, variable: Handle<LocalVariable>, value: Option<i64>, held: Option<Held>) {
        let is_visible = self.locals.values(variable).is_some();
        if let Some(now) = self.now.get_mut(variable.index()) {
            *now = value.filter(|_| is_visible);
        }
        if let Some(now) = self.held.get_mut(variable.index()) {
            *now = held.filter(|_| is_visible);
        }
    }

    fn forget_since(&mut self, before: usize) {
        for position in before..self.stored.len() {
            self.set(self.stored[position], None, None);
        }
    }

    fn evaluate(&mut self, handle: Handle<Expression>) {
        if let Some(variable) = self.locals.loaded(handle) {
            self.known[handle.index()] = self.now[variable.index()];
            self.seen[handle.index()] = self.held[variable.index()];
        }
    }

    /// The value of an integer expression that always has the same.
    fn constant(&self, handle: Handle<Expression>) -> Option<i64> {
        let known = self.known.get(handle.index()).copied().flatten();
        known.or_else(|| self.literal(&self.function.expressions[handle]))
    }

    fn literal(&self, expression: &Expression) -> Option<i64> {
        match *expression {
            Expression::Literal(Literal::I32(value)) => Some(i64::from(value)),
            Expression::Literal(Literal::U32(value)) => Some(i64::from(value)),
            Expression::ZeroValue(ty) => {
                matches!(self.module.types[ty].inner, TypeInner::Scalar(_)).then_some(0)
            }
            Expression::Constant(constant) => {
                let init = self.module.constants[constant].init;
                self.literal(&self.module.global_expressions[init])
            }
            _ => None,
        }
    }
}

//! What a shader costs an invocation, in units of one simple operation on one scalar.
//!
//! The weights ([`weight`]) are rounded from what GPUs take; they decide fairness, not safety: whatever they
//! are, everything that is executed weighs something. Calls are inlined, bottom-up and saturating, so a tower
//! in which each function calls the one below twice is weighed without being unfolded. Loops count once here;
//! what their iterations cost is the fuel pass's to charge.

pub mod weight;

use super::FunctionId;
use naga::proc::Layouter;
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, Block, Expression, Function, Handle, Module, Statement, SwitchCase, Type,
};

/// One function of a module, with what the validator knows of it.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The module.
    pub module: &'a Module,
    /// The function.
    pub function: &'a Function,
    /// Types of its expressions.
    pub info: &'a FunctionInfo,
}

impl<'a> Scope<'a> {
    /// A function of a module that has one entry point; `None` where there is none.
    pub(crate) fn new(module: &'a Module, info: &'a ModuleInfo, id: FunctionId) -> Option<Self> {
        Some(match id {
            FunctionId::Entry => Self {
                module,
                function: &module.entry_points.first()?.function,
                info: info.get_entry_point(0),
            },
            FunctionId::Function(handle) => Self {
                module,
                function: module.functions.try_get(handle).ok()?,
                info: &info[handle],
            },
        })
    }
}

/// The cost of every function of an admitted module.
#[derive(Debug)]
pub struct Cost {
    /// Words of 4 bytes that a value of each type takes, by the type's index.
    words: Vec<u64>,
    /// Each function's cost, by its index: callees come before callers.
    functions: Vec<u64>,
    entry: u64,
    start: u64,
    /// Whether both sides of an `if` are counted: for the size of the code, not for what is executed.
    counts_both_sides: bool,
    operations: u64,
}

impl Cost {
    /// Weighs a valid module with one entry point; `None` where its types cannot be laid out.
    pub(super) fn of_module(module: &Module, info: &ModuleInfo) -> Option<Self> {
        let code = Self::weigh(module, info, true)?;
        let executed = Self::weigh(module, info, false)?;
        Some(Self {
            operations: code.start.saturating_add(code.entry),
            ..executed
        })
    }

    fn weigh(module: &Module, info: &ModuleInfo, counts_both_sides: bool) -> Option<Self> {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).ok()?;
        let mut cost = Self {
            words: module
                .types
                .iter()
                .map(|(handle, _)| u64::from(layouter[handle].size).div_ceil(4))
                .collect(),
            functions: Vec::with_capacity(module.functions.len()),
            entry: 0,
            start: 0,
            counts_both_sides,
            operations: 0,
        };
        for (handle, _) in module.functions.iter() {
            let scope = Scope::new(module, info, FunctionId::Function(handle))?;
            cost.functions.push(cost.of_body(scope));
        }
        cost.start = cost.of_start_in(module)?;
        cost.entry = cost.of_body(Scope::new(module, info, FunctionId::Entry)?);
        Some(cost)
    }

    /// The size of the code once every call is inlined, each loop and each side of a branch once: what a driver
    /// that inlines has to compile.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// An invocation's share of what comes before the entry point: private memory, and zeroing of workgroup memory.
    pub fn of_start(&self) -> u64 {
        self.start
    }

    /// A function with everything that it calls, each loop once; its local variables included.
    pub fn of_function(&self, id: FunctionId) -> u64 {
        match id {
            FunctionId::Entry => self.entry,
            FunctionId::Function(handle) => self.of_callee(handle),
        }
    }

    /// Making the local variables of a function.
    pub fn of_locals(&self, function: &Function) -> u64 {
        let locals = function.local_variables.iter();
        sum(locals.map(|(_, local)| self.words(local.ty)))
    }

    /// A block with everything inside and everything that it calls, each loop once.
    pub fn of_block(&self, scope: Scope<'_>, block: &Block) -> u64 {
        sum(block.iter().map(|statement| {
            self.of_statement(scope, statement)
                .saturating_add(self.of_inside(scope, statement))
        }))
    }

    /// A statement alone: without the blocks in it, without the body of the function that it calls.
    pub fn of_statement(&self, scope: Scope<'_>, statement: &Statement) -> u64 {
        weight::of_statement(self, scope, statement)
    }

    /// An expression alone, where it is evaluated.
    pub(crate) fn of_expression(&self, scope: Scope<'_>, handle: Handle<Expression>) -> u64 {
        weight::of_expression(self, scope, handle)
    }

    /// Words of 4 bytes that a value of a type takes; for an array without a length, those of one element.
    pub fn words(&self, ty: Handle<Type>) -> u64 {
        self.words.get(ty.index()).copied().unwrap_or(u64::MAX)
    }

    /// Words of 4 bytes that an expression's value takes: at least 1.
    pub(super) fn words_of(&self, scope: Scope<'_>, value: Handle<Expression>) -> u64 {
        weight::words_of(self, scope, value)
    }

    /// What [`Self::of_statement`] leaves out.
    fn of_inside(&self, scope: Scope<'_>, statement: &Statement) -> u64 {
        let block = |block| self.of_block(scope, block);
        match statement {
            Statement::Block(inner) => block(inner),
            Statement::If { accept, reject, .. } if self.counts_both_sides => {
                block(accept).saturating_add(block(reject))
            }
            Statement::If { accept, reject, .. } => block(accept).max(block(reject)),
            Statement::Switch { cases, .. } if self.counts_both_sides => {
                sum(cases.iter().map(|case| block(&case.body)))
            }
            Statement::Switch { cases, .. } => {
                dearest(cases, cases.iter().map(|case| block(&case.body)))
            }
            Statement::Loop {
                body, continuing, ..
            } => block(body).saturating_add(block(continuing)),
            Statement::Call { function, .. } => self.of_callee(*function),
            _ => 0,
        }
    }

    fn of_callee(&self, handle: Handle<Function>) -> u64 {
        self.functions
            .get(handle.index())
            .copied()
            .unwrap_or(u64::MAX)
    }

    fn of_body(&self, scope: Scope<'_>) -> u64 {
        let body = self.of_block(scope, &scope.function.body);
        body.saturating_add(self.of_locals(scope.function))
    }

    /// Private memory is made by every invocation, workgroup memory is zeroed by all of a workgroup together.
    fn of_start_in(&self, module: &Module) -> Option<u64> {
        let size = module.entry_points.first()?.workgroup_size;
        let invocations = size
            .iter()
            .fold(1_u64, |product, axis| {
                product.saturating_mul(u64::from(*axis))
            })
            .max(1);
        let words = |space: AddressSpace| {
            let of_space = module
                .global_variables
                .iter()
                .filter(move |(_, variable)| variable.space == space);
            sum(of_space.map(|(_, variable)| self.words(variable.ty)))
        };
        let shared = match words(AddressSpace::WorkGroup) {
            0 => 0,
            words => words.div_ceil(invocations).saturating_add(weight::BARRIER),
        };
        Some(words(AddressSpace::Private).saturating_add(shared))
    }
}

/// The dearest way through the cases of a `switch`, of which one may fall through to the next.
pub(crate) fn dearest(cases: &[SwitchCase], costs: impl IntoIterator<Item = u64>) -> u64 {
    let (mut most, mut way) = (0, 0_u64);
    for (case, cost) in cases.iter().zip(costs) {
        way = way.saturating_add(cost);
        most = most.max(way);
        if !case.fall_through {
            way = 0;
        }
    }
    most
}

fn sum(weights: impl Iterator<Item = u64>) -> u64 {
    weights.fold(0, u64::saturating_add)
}

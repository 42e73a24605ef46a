//! The entry point of a metered shader: fills the counters, calls what was the entry point, settles.
//!
//! The old entry point becomes an ordinary function, so that a `return` anywhere in it comes back here.

use super::code::Code;
use super::meter::{METER_GROUP, METER_SLOT, MeterWords};
use super::weave::Counters;
use naga::{
    AddressSpace, AtomicFunction, BinaryOperator, Block, Expression, Function, GlobalVariable,
    Handle, MemoryDecorations, Module, ResourceBinding, Scalar, ScalarKind, Span, Statement,
    StorageAccess, StructMember, Type, TypeInner,
};

/// Adds the private counters that a shader needs.
pub(super) fn add_counters(module: &mut Module, uniform: bool, own: bool) -> Counters {
    let ty = type_of(module, None, TypeInner::Scalar(Scalar::I32));
    let mut add = |name: &str| {
        let variable = GlobalVariable {
            name: Some(name.to_owned()),
            space: AddressSpace::Private,
            binding: None,
            ty,
            init: None,
            memory_decorations: MemoryDecorations::empty(),
        };
        module.global_variables.append(variable, Span::UNDEFINED)
    };
    Counters {
        uniform: uniform.then(|| add("fuel_uniform")),
        own: own.then(|| add("fuel")),
    }
}

/// Wraps the entry point, whose body is woven already.
pub(super) fn wrap(module: &mut Module, counters: Counters, is_exact: bool) {
    let word = type_of(module, None, TypeInner::Scalar(Scalar::U32));
    let meter = add_meter(module, word);
    let Some(point) = module.entry_points.first_mut() else {
        return;
    };
    let mut wrapper = Function {
        name: point.function.name.clone(),
        arguments: point.function.arguments.clone(),
        ..Function::default()
    };
    let mut wrapped = std::mem::take(&mut point.function);
    for argument in &mut wrapped.arguments {
        argument.binding = None;
    }
    let count = wrapped.arguments.len();
    let wrapped = module.functions.append(wrapped, Span::UNDEFINED);
    let mut code = Code::new(&mut wrapper);
    let meter = code.value(Expression::GlobalVariable(meter));
    let frame = Frame {
        word,
        meter,
        budgets: fill(&mut code, meter, counters),
    };
    call(&mut code, wrapped, count);
    frame.settle(&mut code, is_exact);
    wrapper.body = code.block;
    if let Some(point) = module.entry_points.first_mut() {
        point.function = wrapper;
    }
}

fn add_meter(module: &mut Module, word: Handle<Type>) -> Handle<GlobalVariable> {
    let atomic = type_of(module, None, TypeInner::Atomic(Scalar::U32));
    let member = |position: u32, name: &str| StructMember {
        name: Some(name.to_owned()),
        ty: if position < MeterWords::EXHAUSTED {
            word
        } else {
            atomic
        },
        binding: None,
        offset: 4 * position,
    };
    let members = vec![
        member(MeterWords::BUDGET_UNIFORM, "budget_uniform"),
        member(MeterWords::BUDGET, "budget"),
        member(MeterWords::SHIFT, "shift"),
        member(MeterWords::EXHAUSTED, "exhausted"),
        member(MeterWords::SPENT, "spent"),
        member(MeterWords::EXACT_LOW, "exact_low"),
        member(MeterWords::EXACT_HIGH, "exact_high"),
        member(MeterWords::IS_EXACT, "is_exact"),
    ];
    let span = 4 * MeterWords::IS_EXACT + 4;
    let ty = type_of(module, Some("Meter"), TypeInner::Struct { members, span });
    let variable = GlobalVariable {
        name: Some("meter".to_owned()),
        space: AddressSpace::Storage {
            access: StorageAccess::LOAD | StorageAccess::STORE,
        },
        binding: Some(ResourceBinding {
            group: METER_GROUP,
            binding: METER_SLOT,
        }),
        ty,
        init: None,
        memory_decorations: MemoryDecorations::empty(),
    };
    module.global_variables.append(variable, Span::UNDEFINED)
}

fn type_of(module: &mut Module, name: Option<&str>, inner: TypeInner) -> Handle<Type> {
    let name = name.map(str::to_owned);
    module.types.insert(Type { name, inner }, Span::UNDEFINED)
}

/// Calls what was the entry point with the arguments of the one that there is now.
fn call(code: &mut Code<'_>, function: Handle<Function>, count: usize) {
    let positions = (0_u32..).take(count);
    let arguments = positions
        .map(|position| code.value(Expression::FunctionArgument(position)))
        .collect();
    code.push(Statement::Call {
        function,
        arguments,
        result: None,
    });
}

/// A counter, and what it started with.
struct Budget {
    counter: Handle<Expression>,
    given: Handle<Expression>,
}

/// Gives the counters their budgets: all of it to the only one, or half to each.
fn fill(code: &mut Code<'_>, meter: Handle<Expression>, counters: Counters) -> Vec<Budget> {
    let is_shared = counters.uniform.is_some() && counters.own.is_some();
    let words = [
        (counters.uniform, MeterWords::BUDGET_UNIFORM),
        (counters.own, MeterWords::BUDGET),
    ];
    let mut budgets = Vec::new();
    for (counter, word) in words {
        let Some(counter) = counter else { continue };
        let counter = code.value(Expression::GlobalVariable(counter));
        let given = code.member(meter, word);
        let mut given = code.load(given);
        if is_shared {
            let one = code.u32(1);
            given = code.binary(BinaryOperator::ShiftRight, given, one);
        }
        let given = code.bits_as(ScalarKind::Sint, given);
        code.store(counter, given);
        budgets.push(Budget { counter, given });
    }
    budgets
}

struct Frame {
    /// The type `u32`.
    word: Handle<Type>,
    meter: Handle<Expression>,
    budgets: Vec<Budget>,
}

impl Frame {
    /// Says what was spent, and whether it was not enough.
    fn settle(&self, code: &mut Code<'_>, is_exact: bool) {
        let mut spent = code.i32(0);
        for budget in &self.budgets {
            let left = code.load(budget.counter);
            let zero = code.i32(0);
            let is_exhausted = code.binary(BinaryOperator::Less, left, zero);
            let mut flag = code.branch();
            self.set(&mut flag, MeterWords::EXHAUSTED);
            let flag = flag.block;
            code.when(is_exhausted, flag, Block::new());
            let rest = code.max(left, zero);
            let of_budget = code.binary(BinaryOperator::Subtract, budget.given, rest);
            spent = code.binary(BinaryOperator::Add, spent, of_budget);
        }
        let spent = code.bits_as(ScalarKind::Uint, spent);
        self.add_coarse(code, spent);
        if is_exact {
            self.add_exact(code, spent);
        }
    }

    /// Most invocations spend less than a unit and leave the atomic alone.
    fn add_coarse(&self, code: &mut Code<'_>, spent: Handle<Expression>) {
        let shift = code.member(self.meter, MeterWords::SHIFT);
        let shift = code.load(shift);
        let units = code.binary(BinaryOperator::ShiftRight, spent, shift);
        let zero = code.u32(0);
        let is_some = code.binary(BinaryOperator::NotEqual, units, zero);
        let mut some = code.branch();
        self.add(&mut some, MeterWords::SPENT, units);
        let some = some.block;
        code.when(is_some, some, Block::new());
    }

    /// Adds 64 bits with a carry: the low word wrapped where the sum is below what was added.
    fn add_exact(&self, code: &mut Code<'_>, spent: Handle<Expression>) {
        self.set(code, MeterWords::IS_EXACT);
        let pointer = code.member(self.meter, MeterWords::EXACT_LOW);
        let ty = self.word;
        let before = code.function.expressions.append(
            Expression::AtomicResult {
                ty,
                comparison: false,
            },
            Span::UNDEFINED,
        );
        code.push(Statement::Atomic {
            pointer,
            fun: AtomicFunction::Add,
            value: spent,
            result: Some(before),
        });
        let after = code.binary(BinaryOperator::Add, before, spent);
        let has_wrapped = code.binary(BinaryOperator::Less, after, spent);
        let mut carry = code.branch();
        let one = carry.u32(1);
        self.add(&mut carry, MeterWords::EXACT_HIGH, one);
        let carry = carry.block;
        code.when(has_wrapped, carry, Block::new());
    }

    fn set(&self, code: &mut Code<'_>, word: u32) {
        let pointer = code.member(self.meter, word);
        let one = code.u32(1);
        code.store(pointer, one);
    }

    fn add(&self, code: &mut Code<'_>, word: u32, value: Handle<Expression>) {
        let pointer = code.member(self.meter, word);
        code.push(Statement::Atomic {
            pointer,
            fun: AtomicFunction::Add,
            value,
            result: None,
        });
    }
}

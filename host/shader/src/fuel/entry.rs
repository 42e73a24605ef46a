//! The entry point of a metered shader: fills the counters, calls what was the entry point, settles.
//!
//! An invocation that does not come to the end of it is missing in the count of those that settled.
//!
//! The old entry point becomes an ordinary function, so that a `return` anywhere in it comes back here.

use super::code::Code;
use super::meter::{
    METER_GROUP, METER_SLOT, MeterWords, POOL_SLOT, PoolWords, TERMS_SLOT, TermWords,
};
use super::weave::{Counters, Lead};
use naga::{
    AddressSpace, ArraySize, AtomicFunction, BinaryOperator as Op, Binding, Block, BuiltIn,
    Expression, Function, FunctionArgument, GlobalVariable, Handle, MathFunction,
    MemoryDecorations, Module, ResourceBinding, Scalar, Span, Statement, StorageAccess,
    StructMember, Type, TypeInner, UniqueArena, VectorSize,
};
use std::num::NonZeroU32;

/// Adds what a shader needs to pay.
pub(super) fn add_counters(
    module: &mut Module,
    [uniform, own]: [bool; 2],
    has_draws: bool,
) -> Counters {
    let signed = type_of(module, None, TypeInner::Scalar(Scalar::I32));
    let word = type_of(module, None, TypeInner::Scalar(Scalar::U32));
    let (pool, terms) = (add_pool(module), add_terms(module, word));
    let mut add = |name: &str, ty, space| {
        let variable = GlobalVariable {
            name: Some(name.to_owned()),
            space,
            binding: None,
            ty,
            init: None,
            memory_decorations: MemoryDecorations::empty(),
        };
        module.global_variables.append(variable, Span::UNDEFINED)
    };
    let lead = (uniform && has_draws).then(|| Lead {
        index: add("fuel_index", word, AddressSpace::Private),
        granted: add("fuel_granted", word, AddressSpace::WorkGroup),
        invocations: 0,
    });
    let mut counters = Counters {
        uniform: uniform.then(|| add("fuel_uniform", signed, AddressSpace::Private)),
        own: own.then(|| add("fuel", signed, AddressSpace::Private)),
        given: add("fuel_given", word, AddressSpace::Private),
        pool,
        terms,
        lead,
        word,
        has_draws,
    };
    if let (Some(lead), Some(point)) = (&mut counters.lead, module.entry_points.first()) {
        lead.invocations = point.workgroup_size.iter().product();
    }
    counters
}

/// What an invocation does at its end, beside settling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epilogue {
    /// Whether it counts what it spent to the unit.
    pub(super) has_profile: bool,
    /// Whether it looks if the driver has ended a loop.
    pub(super) may_be_cut: bool,
    /// Whether it counts itself.
    pub(super) is_counted: bool,
    /// Whether one adds for its subgroup.
    pub(super) adds_together: bool,
}

/// Wraps the entry point, whose body is woven already.
pub(super) fn wrap(module: &mut Module, counters: &Counters, epilogue: Epilogue) {
    let meter = add_meter(module);
    let vector = TypeInner::Vector {
        size: VectorSize::Tri,
        scalar: Scalar::U32,
    };
    let vector = type_of(module, None, vector);
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
    let mut place = |builtin, ty| place_of(builtin, &module.types, &mut wrapper, ty);
    let has_index = counters.lead.is_some() || epilogue.adds_together;
    let index = has_index.then(|| place(BuiltIn::LocalInvocationIndex, counters.word));
    let workgroup = (!counters.has_draws).then(|| place(BuiltIn::WorkGroupId, vector));
    let mut code = Code::new(&mut wrapper);
    let index = index.map(|place| at(&mut code, place));
    if let (Some(lead), Some(index)) = (&counters.lead, index) {
        let variable = code.value(Expression::GlobalVariable(lead.index));
        code.store(variable, index);
    }
    let stripe = workgroup.map(|place| {
        let id = at(&mut code, place);
        stripe_of(&mut code, id)
    });
    let meter = code.value(Expression::GlobalVariable(meter));
    let frame = EntryFrame {
        meter,
        counters,
        epilogue,
        stripe,
        index,
    };
    frame.begin(&mut code);
    call(&mut code, wrapped, count);
    frame.settle(&mut code);
    wrapper.body = code.block;
    if let Some(point) = module.entry_points.first_mut() {
        point.function = wrapper;
    }
}

/// A value that the entry point is given: an argument, or a member of one.
type Place = (u32, Option<u32>);

/// Where the entry point finds a built-in value of that type. It is made where there is none.
fn place_of(
    builtin: BuiltIn,
    types: &UniqueArena<Type>,
    wrapper: &mut Function,
    ty: Handle<Type>,
) -> Place {
    let is_it = |binding: &Option<Binding>| *binding == Some(Binding::BuiltIn(builtin));
    for (argument, position) in wrapper.arguments.iter().zip(0_u32..) {
        if is_it(&argument.binding) {
            return (position, None);
        }
        if let TypeInner::Struct { members, .. } = &types[argument.ty].inner {
            let member = (0_u32..)
                .zip(members)
                .find(|(_, member)| is_it(&member.binding));
            if let Some((member, _)) = member {
                return (position, Some(member));
            }
        }
    }
    wrapper.arguments.push(FunctionArgument {
        name: None,
        ty,
        binding: Some(Binding::BuiltIn(builtin)),
    });
    let last = wrapper.arguments.len() - 1;
    (u32::try_from(last).unwrap_or(u32::MAX), None)
}

fn at(code: &mut Code<'_>, (argument, member): Place) -> Handle<Expression> {
    let value = code.value(Expression::FunctionArgument(argument));
    match member {
        Some(member) => code.member(value, member),
        None => value,
    }
}

/// The first word of a workgroup's stripe. Processors that run shaders at once have workgroups that follow each other.
fn stripe_of(code: &mut Code<'_>, id: Handle<Expression>) -> Handle<Expression> {
    let [x, y, z] = [0, 1, 2].map(|axis| code.member(id, axis));
    let sum = code.binary(Op::Add, x, y);
    let sum = code.binary(Op::Add, sum, z);
    let last = code.u32(PoolWords::STRIPES - 1);
    let stripe = code.binary(Op::And, sum, last);
    let one = code.u32(1);
    let place = code.binary(Op::Add, stripe, one);
    let shift = code.u32(PoolWords::STRIPE_SHIFT);
    code.binary(Op::ShiftLeft, place, shift)
}

/// What shaders may do with a buffer that they settle in.
const SETTLED: AddressSpace = AddressSpace::Storage {
    access: StorageAccess::LOAD.union(StorageAccess::STORE),
};

fn add_pool(module: &mut Module) -> Handle<GlobalVariable> {
    let atomic = type_of(module, None, TypeInner::Atomic(Scalar::U32));
    let size = u32::try_from(PoolWords::COUNT)
        .ok()
        .and_then(NonZeroU32::new);
    let words = TypeInner::Array {
        base: atomic,
        size: size.map_or(ArraySize::Dynamic, ArraySize::Constant),
        stride: 4,
    };
    let ty = type_of(module, None, words);
    add_buffer(module, "pool", POOL_SLOT, SETTLED, ty)
}

fn add_terms(module: &mut Module, word: Handle<Type>) -> Handle<GlobalVariable> {
    let members = [
        (TermWords::CREDIT, "credit", word),
        (TermWords::TURNS, "turns", word),
        (TermWords::LIMIT, "limit", word),
        (TermWords::SHIFT, "shift", word),
        (TermWords::MOST, "most", word),
        (TermWords::FIRST, "first", word),
        (TermWords::GRAIN, "grain", word),
    ];
    let ty = words_of(module, "Terms", &members);
    add_buffer(module, "terms", TERMS_SLOT, AddressSpace::Uniform, ty)
}

fn add_meter(module: &mut Module) -> Handle<GlobalVariable> {
    let atomic = type_of(module, None, TypeInner::Atomic(Scalar::U32));
    let members = [
        (MeterWords::FLAGS, "flags", atomic),
        (MeterWords::EXACT_LOW, "exact_low", atomic),
        (MeterWords::EXACT_HIGH, "exact_high", atomic),
    ];
    let ty = words_of(module, "Meter", &members);
    add_buffer(module, "meter", METER_SLOT, SETTLED, ty)
}

/// A structure of words, by position, name and type.
fn words_of(module: &mut Module, name: &str, words: &[(u32, &str, Handle<Type>)]) -> Handle<Type> {
    let member = |(position, name, ty): &(u32, &str, Handle<Type>)| StructMember {
        name: Some((*name).to_owned()),
        ty: *ty,
        binding: None,
        offset: 4 * position,
    };
    let members: Vec<_> = words.iter().map(member).collect();
    let span = members.last().map_or(0, |member| member.offset + 4);
    type_of(module, Some(name), TypeInner::Struct { members, span })
}

fn add_buffer(
    module: &mut Module,
    name: &str,
    slot: u32,
    space: AddressSpace,
    ty: Handle<Type>,
) -> Handle<GlobalVariable> {
    let variable = GlobalVariable {
        name: Some(name.to_owned()),
        space,
        binding: Some(ResourceBinding {
            group: METER_GROUP,
            binding: slot,
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

/// What comes before and after what was the entry point.
struct EntryFrame<'a> {
    meter: Handle<Expression>,
    counters: &'a Counters,
    epilogue: Epilogue,
    /// The first word of the workgroup's stripe, where there are any.
    stripe: Option<Handle<Expression>>,
    /// The invocation's index in its workgroup, where it is needed.
    index: Option<Handle<Expression>>,
}

impl EntryFrame<'_> {
    /// Gives the counters what an invocation begins with: of what it draws from half to each, if there are two.
    fn begin(&self, code: &mut Code<'_>) {
        let mut credit = self.counters.term(code, TermWords::CREDIT);
        if !self.counters.has_draws {
            credit = self.credit_if_open(code, credit);
        }
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        code.store(given, credit);
        let shift = self.counters.term(code, TermWords::SHIFT);
        let mut fuel = code.binary(Op::ShiftLeft, credit, shift);
        if self.counters.has_draws && self.variables().count() > 1 {
            let one = code.u32(1);
            fuel = code.binary(Op::ShiftRight, fuel, one);
        }
        let fuel = code.as_i32(fuel);
        for counter in self.variables() {
            let counter = code.value(Expression::GlobalVariable(counter));
            code.store(counter, fuel);
        }
    }

    /// Nothing, where the pool is closed. Should it close between two parts of a workgroup, those that are given nothing
    /// may leave the others alone at a barrier: such a driver gives these up, which are missed at the end. So that a
    /// workgroup is told together it would have to wait for itself twice, which costs more than many a shader.
    fn credit_if_open(
        &self,
        code: &mut Code<'_>,
        credit: Handle<Expression>,
    ) -> Handle<Expression> {
        let taken = self.counters.taken_at(code);
        let taken = code.load(taken);
        let limit = self.counters.term(code, TermWords::LIMIT);
        let is_open = code.binary(Op::Less, taken, limit);
        let nothing = code.u32(0);
        code.select(is_open, credit, nothing)
    }

    fn variables(&self) -> impl Iterator<Item = Handle<GlobalVariable>> + use<> {
        [self.counters.uniform, self.counters.own]
            .into_iter()
            .flatten()
    }

    /// Gives back what is left, says whether it was not enough, and that the invocation has come to its end.
    fn settle(&self, code: &mut Code<'_>) {
        let (rest, mut flags) = self.rest(code);
        let adder = self.adder(code);
        match self.stripe {
            None => self.give_back(code, rest),
            Some(stripe) => self.add_spent(code, rest, stripe, adder),
        }
        if self.epilogue.has_profile {
            self.add_exact(code, rest);
            let exact = code.u32(MeterWords::EXACT);
            flags = code.binary(Op::InclusiveOr, flags, exact);
        }
        if self.epilogue.may_be_cut {
            let is_cut = self.is_cut(code);
            flags = with_flag(code, flags, is_cut, MeterWords::CUT);
        }
        let zero = code.u32(0);
        let is_some = code.binary(Op::NotEqual, flags, zero);
        let mut some = code.branch();
        let flags_at = some.member(self.meter, MeterWords::FLAGS);
        change(&mut some, flags_at, AtomicFunction::InclusiveOr, flags);
        let some = some.block;
        code.when(is_some, some, Block::new());
        if self.epilogue.is_counted {
            self.count(code, adder);
        }
    }

    /// Whether an invocation adds for its subgroup: the first of it that is here. Processors wait at an addition to what
    /// others add to until all that they have written is theirs: once for many invocations is felt less.
    fn adder(&self, code: &mut Code<'_>) -> Option<Handle<Expression>> {
        let index = self.index.filter(|_| self.epilogue.adds_together)?;
        let first = code.subgroup_first(index, self.counters.word);
        Some(code.binary(Op::Equal, index, first))
    }

    /// Counts an invocation that comes to its end.
    fn count(&self, code: &mut Code<'_>, adder: Option<Handle<Expression>>) {
        let pool = code.value(Expression::GlobalVariable(self.counters.pool));
        let one = code.u32(1);
        let settled = match self.stripe {
            Some(stripe) => {
                let place = code.binary(Op::Add, stripe, one);
                code.element(pool, place)
            }
            None => code.member(pool, PoolWords::SETTLED),
        };
        let Some(adder) = adder else {
            change(code, settled, AtomicFunction::Add, one);
            return;
        };
        let sum = code.subgroup_sum(one, self.counters.word);
        let mut adds = code.branch();
        change(&mut adds, settled, AtomicFunction::Add, sum);
        let adds = adds.block;
        code.when(adder, adds, Block::new());
    }

    /// What is left of what was given, and the flag that says whether it was not enough.
    fn rest(&self, code: &mut Code<'_>) -> (Handle<Expression>, Handle<Expression>) {
        let mut flags = code.u32(0);
        let mut rest = match self.variables().next() {
            Some(_) => flags,
            // Nothing was paid from what it was given.
            None => self.given_fuel(code),
        };
        for counter in self.variables() {
            let counter = code.value(Expression::GlobalVariable(counter));
            let left = code.load(counter);
            let zero = code.i32(0);
            let is_exhausted = code.binary(Op::Less, left, zero);
            flags = with_flag(code, flags, is_exhausted, MeterWords::EXHAUSTED);
            let left = code.math(MathFunction::Max, left, zero);
            let left = code.as_u32(left);
            rest = code.binary(Op::Add, rest, left);
        }
        (rest, flags)
    }

    /// Adds what was spent to the stripe, and what is full of it to what is taken from the pool.
    fn add_spent(
        &self,
        code: &mut Code<'_>,
        rest: Handle<Expression>,
        stripe: Handle<Expression>,
        adder: Option<Handle<Expression>>,
    ) {
        let given = self.given_fuel(code);
        let spent = code.binary(Op::Subtract, given, rest);
        let mut units = self.counters.units_of(code, spent);
        if adder.is_some() {
            units = code.subgroup_sum(units, self.counters.word);
        }
        let zero = code.u32(0);
        let mut adds = code.binary(Op::NotEqual, units, zero);
        if let Some(adder) = adder {
            adds = code.binary(Op::LogicalAnd, adds, adder);
        }
        let mut some = code.branch();
        self.gather(&mut some, units, stripe);
        let some = some.block;
        code.when(adds, some, Block::new());
    }

    fn gather(&self, code: &mut Code<'_>, units: Handle<Expression>, stripe: Handle<Expression>) {
        let pool = code.value(Expression::GlobalVariable(self.counters.pool));
        let gathered = code.element(pool, stripe);
        let before = code.atomic(gathered, AtomicFunction::Add, units, self.counters.word);
        let after = code.binary(Op::Add, before, units);
        let grain = self.counters.term(code, TermWords::GRAIN);
        let [before, after] =
            [before, after].map(|units| code.binary(Op::ShiftRight, units, grain));
        let full = code.binary(Op::Subtract, after, before);
        let zero = code.u32(0);
        let is_full = code.binary(Op::NotEqual, full, zero);
        let mut adds = code.branch();
        let full = adds.binary(Op::ShiftLeft, full, grain);
        let taken = self.counters.taken_at(&mut adds);
        change(&mut adds, taken, AtomicFunction::Add, full);
        let adds = adds.block;
        code.when(is_full, adds, Block::new());
    }

    /// What the counters began with, or were filled to.
    fn given_fuel(&self, code: &mut Code<'_>) -> Handle<Expression> {
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        let given = code.load(given);
        let shift = self.counters.term(code, TermWords::SHIFT);
        let fuel = code.binary(Op::ShiftLeft, given, shift);
        match self.variables().count() {
            2 if !self.counters.has_draws => code.binary(Op::Add, fuel, fuel),
            _ => fuel,
        }
    }

    fn give_back(&self, code: &mut Code<'_>, rest: Handle<Expression>) {
        let shift = self.counters.term(code, TermWords::SHIFT);
        let units = code.binary(Op::ShiftRight, rest, shift);
        let zero = code.u32(0);
        let is_some = code.binary(Op::NotEqual, units, zero);
        let mut some = code.branch();
        let taken = self.counters.taken_at(&mut some);
        some.atomic(taken, AtomicFunction::Subtract, units, self.counters.word);
        let some = some.block;
        code.when(is_some, some, Block::new());
    }

    /// Makes a few turns more, and looks whether it made them. A driver that ends the loops of an invocation after so many
    /// turns of all of them ends this one too, if it has ended one before.
    fn is_cut(&self, code: &mut Code<'_>) -> Handle<Expression> {
        let count = code.local(self.counters.word);
        let zero = code.u32(0);
        code.store(count, zero);
        let wanted = self.counters.term(code, TermWords::TURNS);
        let mut turn = code.branch();
        let made = turn.load(count);
        let is_enough = turn.binary(Op::GreaterEqual, made, wanted);
        let mut ends = turn.branch();
        ends.push(Statement::Break);
        let ends = ends.block;
        turn.when(is_enough, ends, Block::new());
        let one = turn.u32(1);
        let more = turn.binary(Op::Add, made, one);
        turn.store(count, more);
        let body = turn.block;
        code.push(Statement::Loop {
            body,
            continuing: Block::new(),
            break_if: None,
        });
        let made = code.load(count);
        code.binary(Op::NotEqual, made, wanted)
    }

    /// Adds what was given, in fuel, less what is left: 64 bits with a carry. The low word wrapped where the sum is below
    /// what was added.
    fn add_exact(&self, code: &mut Code<'_>, rest: Handle<Expression>) {
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        let mut given = code.load(given);
        if !self.counters.has_draws && self.variables().count() > 1 {
            given = code.binary(Op::Add, given, given);
        }
        let shift = self.counters.term(code, TermWords::SHIFT);
        let low = code.binary(Op::ShiftLeft, given, shift);
        let all_but_one = code.u32(31);
        let back = code.binary(Op::Subtract, all_but_one, shift);
        let high = code.binary(Op::ShiftRight, given, back);
        let one = code.u32(1);
        let high = code.binary(Op::ShiftRight, high, one);
        let zero = code.u32(0);
        let borrows = code.binary(Op::Less, low, rest);
        let borrow = code.select(borrows, one, zero);
        let high = code.binary(Op::Subtract, high, borrow);
        let low = code.binary(Op::Subtract, low, rest);
        let pointer = code.member(self.meter, MeterWords::EXACT_LOW);
        let before = code.atomic(pointer, AtomicFunction::Add, low, self.counters.word);
        let after = code.binary(Op::Add, before, low);
        let has_wrapped = code.binary(Op::Less, after, low);
        let carry = code.select(has_wrapped, one, zero);
        let high = code.binary(Op::Add, high, carry);
        let is_some = code.binary(Op::NotEqual, high, zero);
        let mut some = code.branch();
        let pointer = some.member(self.meter, MeterWords::EXACT_HIGH);
        change(&mut some, pointer, AtomicFunction::Add, high);
        let some = some.block;
        code.when(is_some, some, Block::new());
    }
}

/// An atomic operation on a word, whatever was there before.
fn change(
    code: &mut Code<'_>,
    pointer: Handle<Expression>,
    fun: AtomicFunction,
    value: Handle<Expression>,
) {
    code.push(Statement::Atomic {
        pointer,
        fun,
        value,
        result: None,
    });
}

/// Flags, with one more where a condition holds.
fn with_flag(
    code: &mut Code<'_>,
    flags: Handle<Expression>,
    condition: Handle<Expression>,
    flag: u32,
) -> Handle<Expression> {
    let flag = code.u32(flag);
    let holds = code.u32_of(condition);
    let flag = code.binary(Op::Multiply, holds, flag);
    code.binary(Op::InclusiveOr, flags, flag)
}

//! The entry point of a metered shader: fills the counters, calls what was the entry point, settles.
//!
//! An invocation that does not come to the end of it is missing in the count of those that settled.
//!
//! The old entry point becomes an ordinary function, so that a `return` anywhere in it comes back here.

use super::FuelOptions;
use super::code::Code;
use super::meter::{METER_GROUP, METER_SLOT, MeterWords, POOL_SLOT, PoolWords};
use super::weave::{Counters, Lead};
use naga::{
    AddressSpace, AtomicFunction, BinaryOperator as Op, Binding, Block, BuiltIn, Expression,
    Function, FunctionArgument, GlobalVariable, Handle, MathFunction, MemoryDecorations, Module,
    ResourceBinding, Scalar, Span, Statement, StorageAccess, StructMember, Type, TypeInner,
    UniqueArena,
};

/// Adds what a shader needs to pay.
pub(super) fn add_counters(
    module: &mut Module,
    [uniform, own]: [bool; 2],
    has_draws: bool,
) -> Counters {
    let signed = type_of(module, None, TypeInner::Scalar(Scalar::I32));
    let word = type_of(module, None, TypeInner::Scalar(Scalar::U32));
    let pool = add_pool(module, word);
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
    let lead = uniform.then(|| Lead {
        index: add("fuel_index", word, AddressSpace::Private),
        granted: add("fuel_granted", word, AddressSpace::WorkGroup),
        invocations: 0,
    });
    let mut counters = Counters {
        uniform: uniform.then(|| add("fuel_uniform", signed, AddressSpace::Private)),
        own: own.then(|| add("fuel", signed, AddressSpace::Private)),
        given: add("fuel_given", word, AddressSpace::Private),
        pool,
        lead,
        word,
        has_draws,
    };
    if let (Some(lead), Some(point)) = (&mut counters.lead, module.entry_points.first()) {
        lead.invocations = point.workgroup_size.iter().product();
    }
    counters
}

/// Wraps the entry point, whose body is woven already.
pub(super) fn wrap(
    module: &mut Module,
    counters: &Counters,
    options: FuelOptions,
    is_counted: bool,
) {
    let meter = add_meter(module, counters.word);
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
    let index = counters.lead.as_ref().map(|lead| {
        let place = index_place(&module.types, &mut wrapper, counters.word);
        (lead.index, place)
    });
    let mut code = Code::new(&mut wrapper);
    if let Some((variable, (argument, member))) = index {
        let mut value = code.value(Expression::FunctionArgument(argument));
        if let Some(member) = member {
            value = code.member(value, member);
        }
        let variable = code.value(Expression::GlobalVariable(variable));
        code.store(variable, value);
    }
    let meter = code.value(Expression::GlobalVariable(meter));
    let frame = Frame {
        meter,
        counters,
        is_counted,
    };
    frame.begin(&mut code);
    call(&mut code, wrapped, count);
    frame.settle(&mut code, options);
    wrapper.body = code.block;
    if let Some(point) = module.entry_points.first_mut() {
        point.function = wrapper;
    }
}

/// Where the entry point finds an invocation's index in its workgroup: an argument, or a member of one. It is made
/// where there is none.
fn index_place(
    types: &UniqueArena<Type>,
    wrapper: &mut Function,
    word: Handle<Type>,
) -> (u32, Option<u32>) {
    let is_index = |binding: &Option<Binding>| {
        *binding == Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex))
    };
    for (argument, position) in wrapper.arguments.iter().zip(0_u32..) {
        if is_index(&argument.binding) {
            return (position, None);
        }
        if let TypeInner::Struct { members, .. } = &types[argument.ty].inner {
            let member = (0_u32..)
                .zip(members)
                .find(|(_, member)| is_index(&member.binding));
            if let Some((member, _)) = member {
                return (position, Some(member));
            }
        }
    }
    wrapper.arguments.push(FunctionArgument {
        name: Some("index".to_owned()),
        ty: word,
        binding: Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex)),
    });
    let last = wrapper.arguments.len() - 1;
    (u32::try_from(last).unwrap_or(u32::MAX), None)
}

fn add_pool(module: &mut Module, word: Handle<Type>) -> Handle<GlobalVariable> {
    let atomic = type_of(module, None, TypeInner::Atomic(Scalar::U32));
    let members = [
        (PoolWords::LIMIT, "limit", word),
        (PoolWords::SHIFT, "shift", word),
        (PoolWords::MOST, "most", word),
        (PoolWords::FIRST, "first", word),
        (PoolWords::TAKEN, "taken", atomic),
    ];
    add_buffer(module, "Pool", "pool", POOL_SLOT, &members)
}

fn add_meter(module: &mut Module, word: Handle<Type>) -> Handle<GlobalVariable> {
    let atomic = type_of(module, None, TypeInner::Atomic(Scalar::U32));
    let members = [
        (MeterWords::CREDIT, "credit", word),
        (MeterWords::TURNS, "turns", word),
        (MeterWords::SETTLED, "settled", atomic),
        (MeterWords::EXHAUSTED, "exhausted", atomic),
        (MeterWords::CUT, "cut", atomic),
        (MeterWords::EXACT_LOW, "exact_low", atomic),
        (MeterWords::EXACT_HIGH, "exact_high", atomic),
        (MeterWords::IS_EXACT, "is_exact", atomic),
    ];
    add_buffer(module, "Meter", "meter", METER_SLOT, &members)
}

/// A storage buffer of words, by position, name and type.
fn add_buffer(
    module: &mut Module,
    type_name: &str,
    name: &str,
    slot: u32,
    words: &[(u32, &str, Handle<Type>)],
) -> Handle<GlobalVariable> {
    let member = |(position, name, ty): &(u32, &str, Handle<Type>)| StructMember {
        name: Some((*name).to_owned()),
        ty: *ty,
        binding: None,
        offset: 4 * position,
    };
    let members: Vec<_> = words.iter().map(member).collect();
    let span = members.last().map_or(0, |member| member.offset + 4);
    let ty = type_of(module, Some(type_name), TypeInner::Struct { members, span });
    let variable = GlobalVariable {
        name: Some(name.to_owned()),
        space: AddressSpace::Storage {
            access: StorageAccess::LOAD | StorageAccess::STORE,
        },
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
struct Frame<'a> {
    meter: Handle<Expression>,
    counters: &'a Counters,
    is_counted: bool,
}

impl Frame<'_> {
    /// Gives the counters what an invocation begins with: of what it draws from half to each, if there are two.
    fn begin(&self, code: &mut Code<'_>) {
        let credit = code.member(self.meter, MeterWords::CREDIT);
        let mut credit = code.load(credit);
        if !self.counters.has_draws {
            credit = self.credit_if_open(code, credit);
        }
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        code.store(given, credit);
        let shift = self.counters.pool_word(code, PoolWords::SHIFT);
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

    /// Nothing, where the pool is closed. A workgroup that has to stay in step is told together.
    fn credit_if_open(
        &self,
        code: &mut Code<'_>,
        credit: Handle<Expression>,
    ) -> Handle<Expression> {
        let taken = self.counters.pool_word(code, PoolWords::TAKEN);
        let limit = self.counters.pool_word(code, PoolWords::LIMIT);
        let is_open = code.binary(Op::Less, taken, limit);
        let nothing = code.u32(0);
        let credit = code.select(is_open, credit, nothing);
        let Some(lead) = &self.counters.lead else {
            return credit;
        };
        let index = code.value(Expression::GlobalVariable(lead.index));
        let index = code.load(index);
        let is_first = code.binary(Op::Equal, index, nothing);
        let mut first = code.branch();
        let told = first.value(Expression::GlobalVariable(lead.granted));
        first.store(told, credit);
        let first = first.block;
        code.when(is_first, first, Block::new());
        let told = code.value(Expression::GlobalVariable(lead.granted));
        code.uniform_load(told, self.counters.word)
    }

    fn variables(&self) -> impl Iterator<Item = Handle<GlobalVariable>> + use<> {
        [self.counters.uniform, self.counters.own]
            .into_iter()
            .flatten()
    }

    /// Gives back what is left, says whether it was not enough, and that the invocation has come to its end.
    fn settle(&self, code: &mut Code<'_>, options: FuelOptions) {
        let mut rest = match self.variables().next() {
            Some(_) => code.u32(0),
            // Nothing was paid from what it was given.
            None => self.given_fuel(code),
        };
        for counter in self.variables() {
            let counter = code.value(Expression::GlobalVariable(counter));
            let left = code.load(counter);
            let zero = code.i32(0);
            let is_exhausted = code.binary(Op::Less, left, zero);
            let mut flag = code.branch();
            self.set(&mut flag, MeterWords::EXHAUSTED);
            let flag = flag.block;
            code.when(is_exhausted, flag, Block::new());
            let left = code.math(MathFunction::Max, left, zero);
            let left = code.as_u32(left);
            rest = code.binary(Op::Add, rest, left);
        }
        match self.counters.has_draws {
            true => self.give_back(code, rest),
            false => self.add_spent(code, rest),
        }
        if options.profile {
            self.add_exact(code, rest);
        }
        if options.turns.is_some() {
            self.check_turns(code);
        }
        if self.is_counted {
            let one = code.u32(1);
            self.add(code, MeterWords::SETTLED, one);
        }
    }

    /// Adds what was spent to what is taken.
    fn add_spent(&self, code: &mut Code<'_>, rest: Handle<Expression>) {
        let given = self.given_fuel(code);
        let spent = code.binary(Op::Subtract, given, rest);
        let units = self.counters.units_of(code, spent);
        let zero = code.u32(0);
        let is_some = code.binary(Op::NotEqual, units, zero);
        let mut some = code.branch();
        let taken = self.counters.pool_at(&mut some, PoolWords::TAKEN);
        some.push(Statement::Atomic {
            pointer: taken,
            fun: AtomicFunction::Add,
            value: units,
            result: None,
        });
        let some = some.block;
        code.when(is_some, some, Block::new());
    }

    /// What the counters began with, or were filled to.
    fn given_fuel(&self, code: &mut Code<'_>) -> Handle<Expression> {
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        let given = code.load(given);
        let shift = self.counters.pool_word(code, PoolWords::SHIFT);
        let fuel = code.binary(Op::ShiftLeft, given, shift);
        match self.variables().count() {
            2 if !self.counters.has_draws => code.binary(Op::Add, fuel, fuel),
            _ => fuel,
        }
    }

    fn give_back(&self, code: &mut Code<'_>, rest: Handle<Expression>) {
        let shift = self.counters.pool_word(code, PoolWords::SHIFT);
        let units = code.binary(Op::ShiftRight, rest, shift);
        let zero = code.u32(0);
        let is_some = code.binary(Op::NotEqual, units, zero);
        let mut some = code.branch();
        let taken = self.counters.pool_at(&mut some, PoolWords::TAKEN);
        some.atomic(taken, AtomicFunction::Subtract, units, self.counters.word);
        let some = some.block;
        code.when(is_some, some, Block::new());
    }

    /// Makes a few turns more. A driver that ends the loops of an invocation after so many turns of all of them ends this
    /// one too, if it has ended one before.
    fn check_turns(&self, code: &mut Code<'_>) {
        let count = code.local(self.counters.word);
        let zero = code.u32(0);
        code.store(count, zero);
        let wanted = code.member(self.meter, MeterWords::TURNS);
        let wanted = code.load(wanted);
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
        let is_cut = code.binary(Op::NotEqual, made, wanted);
        let mut flag = code.branch();
        self.set(&mut flag, MeterWords::CUT);
        let flag = flag.block;
        code.when(is_cut, flag, Block::new());
    }

    /// Adds what was given, in fuel, less what is left: 64 bits with a carry. The low word wrapped where the sum is below
    /// what was added.
    fn add_exact(&self, code: &mut Code<'_>, rest: Handle<Expression>) {
        self.set(code, MeterWords::IS_EXACT);
        let given = code.value(Expression::GlobalVariable(self.counters.given));
        let mut given = code.load(given);
        if !self.counters.has_draws && self.variables().count() > 1 {
            given = code.binary(Op::Add, given, given);
        }
        let shift = self.counters.pool_word(code, PoolWords::SHIFT);
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
        self.add(&mut some, MeterWords::EXACT_HIGH, high);
        let some = some.block;
        code.when(is_some, some, Block::new());
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

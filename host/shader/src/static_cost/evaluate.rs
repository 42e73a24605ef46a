//! What is known of the values of a function, as far as somebody asks.
//!
//! An expression is looked at once, whichever turn of whichever loop it stands for: what is said of it is true of all of
//! them. What depends on itself, or on too long a chain of others, is not known.

mod place;

use super::names::{Name, Names, Sources};
use super::outline::Outline;
use super::value::{ANY, Known, Value};
use crate::admission::{FunctionId, Scope};
use crate::fuel::facts::{FunctionFacts, Held};
use crate::fuel::locals::Locals;
use crate::fuel::trips::Values;
use naga::{
    Arena, Expression, Function, Handle, Literal, LocalVariable, MathFunction, ScalarKind,
    TypeInner, UnaryOperator,
};

/// Values within values that are looked at.
const DEPTH: u32 = 64;
/// The most elements that a run-time array can have: 4 bytes each, and 32 bits of bytes.
const ELEMENTS: i64 = 1 << 30;

/// A function, with what is known of it once it was walked over.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) outline: &'a Outline<'a>,
    pub(super) locals: &'a Locals<'a>,
    pub(super) facts: &'a FunctionFacts,
    /// By the function's index: what those that it may call return.
    pub(super) results: &'a [Value],
}

/// What is asked about one function.
pub(super) struct Evaluator<'a, 'n> {
    subject: Subject<'a>,
    /// What the function is given; of the entry point, nothing.
    arguments: Vec<Value>,
    pub(super) names: &'n mut Names,
    /// By the expression's index.
    known: Vec<Option<Value>>,
    /// By the variable's index: what it may hold at any time.
    held: Vec<Option<Value>>,
    /// By the loop's number: its counter, and what that is within its turns.
    counters: Vec<Option<(Handle<LocalVariable>, Value)>>,
    depth: u32,
}

impl<'a, 'n> Evaluator<'a, 'n> {
    /// Nothing was asked yet.
    pub(super) fn new(subject: Subject<'a>, arguments: Vec<Value>, names: &'n mut Names) -> Self {
        let function = subject.scope.function;
        Self {
            subject,
            arguments,
            names,
            known: vec![None; function.expressions.len()],
            held: vec![None; function.local_variables.len()],
            counters: vec![None; subject.outline.loops.len()],
            depth: 0,
        }
    }

    /// The function that is asked about.
    pub(super) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// What is known of an expression's value.
    pub(super) fn of(&mut self, handle: Handle<Expression>) -> Value {
        if let Some(value) = self.known[handle.index()] {
            return value;
        }
        let values = self.values(handle);
        if self.depth == DEPTH {
            return self.unknown(values, "what takes too long to find out");
        }
        // Whoever asks on the way asks what depends on itself.
        self.known[handle.index()] = Some(self.unknown(values, "what it was before"));
        self.depth += 1;
        let value = self.look(handle, values);
        self.depth -= 1;
        self.known[handle.index()] = Some(value);
        value
    }

    /// What a variable holds when a loop that counts with it begins, and whether that is so whenever it does: where it is
    /// not, the loop may also begin with what it left when it was run before.
    pub(super) fn before(
        &mut self,
        number: usize,
        variable: Handle<LocalVariable>,
    ) -> (Value, bool) {
        let before = self.subject.facts.before.get(number);
        match before.and_then(|held| held.get(&variable)) {
            Some(held) => (self.of_held(*held), true),
            None => (self.ever_but(variable, Some(number)), false),
        }
    }

    /// From now on a loop's counter is that, in its turns.
    pub(super) fn count(&mut self, number: usize, variable: Handle<LocalVariable>, value: Value) {
        self.counters[number] = Some((variable, value));
    }

    /// The values of a variable that can be followed.
    pub(super) fn values_of_variable(&self, variable: Handle<LocalVariable>) -> Option<Values> {
        self.subject.locals.values(variable)
    }

    /// What a function returns: one of several, where there are several.
    pub(super) fn returned(&mut self) -> Value {
        let returned = self.subject.outline.returned.iter();
        let values = returned.map(|handle| self.of(*handle));
        let value = values.reduce(Value::or);
        value.unwrap_or_else(|| self.unknown(ANY, "nothing"))
    }

    /// What nothing is known of, since it depends on what the words name.
    pub(super) fn unknown(&mut self, values: Values, words: &str) -> Value {
        Value::any(values, Known::Unknown(self.names.of(words.to_owned())))
    }

    fn function(&self) -> &'a Function {
        self.subject.scope.function
    }

    fn inner(&self, handle: Handle<Expression>) -> &'a TypeInner {
        let scope = self.subject.scope;
        scope.info[handle].ty.inner_with(&scope.module.types)
    }

    /// The values of an expression's type.
    fn values(&self, handle: Handle<Expression>) -> Values {
        values_of(self.inner(handle).scalar_kind())
    }

    fn look(&mut self, handle: Handle<Expression>, values: Values) -> Value {
        use Expression as E;
        match self.function().expressions[handle] {
            E::Literal(_) | E::Constant(_) | E::ZeroValue(_) => {
                self.constant(&self.function().expressions, handle, values)
            }
            E::Compose { ref components, .. } => {
                let values = components.iter().map(|component| self.of(*component));
                let value = values.reduce(Value::or);
                value.unwrap_or_else(|| self.unknown(ANY, "nothing"))
            }
            E::Splat { value, .. } => self.of(value),
            E::Swizzle { vector, .. } => self.of(vector),
            E::Access { .. } | E::AccessIndex { .. } => self.part(handle, values),
            E::FunctionArgument(position) => self.argument(position, values),
            E::Load { pointer } => self.load(handle, pointer, values),
            E::ArrayLength(array) => self.length(array),
            E::Unary { op, expr } => self.unary(op, expr, values),
            E::Binary { op, left, right } => {
                let (left, right) = (self.of(left), self.of(right));
                left.binary(op, right, values)
            }
            E::Select {
                condition,
                accept,
                reject,
            } => {
                let is_same = self.of(condition).is_exact;
                let one = self.of(accept).or(self.of(reject));
                Value {
                    is_exact: one.is_exact && is_same,
                    ..one
                }
            }
            E::Relational { argument, .. } => {
                let of = self.of(argument);
                Value {
                    min: 0,
                    max: 1,
                    ..of
                }
            }
            E::Math {
                fun,
                arg,
                arg1,
                arg2,
                arg3,
            } => self.math(fun, arg, [arg1, arg2, arg3], values),
            E::As { expr, .. } => self.of(expr).converted(values),
            E::CallResult(callee) => self.result(handle, callee).converted(values),
            E::AtomicResult { .. } => self.unknown(values, "the result of an atomic operation"),
            E::WorkGroupUniformLoadResult { .. } => {
                self.unknown(values, "values of workgroup memory")
            }
            E::SubgroupBallotResult | E::SubgroupOperationResult { .. } => {
                self.unknown(values, "the result of a subgroup operation")
            }
            _ => self.unknown(values, "a value that is not followed"),
        }
    }

    /// A number; a vector is looked at as far as it is made of one.
    fn constant(
        &mut self,
        arena: &'a Arena<Expression>,
        handle: Handle<Expression>,
        values: Values,
    ) -> Value {
        let module = self.subject.scope.module;
        let number = match arena[handle] {
            Expression::Literal(literal) => match literal {
                Literal::I32(number) => i64::from(number),
                Literal::U32(number) => i64::from(number),
                Literal::AbstractInt(number) => number,
                Literal::Bool(holds) => i64::from(holds),
                _ => return Value::any(values, Known::By(Sources::default())).exactly(),
            },
            Expression::ZeroValue(_) => 0,
            Expression::Constant(constant) => {
                let init = module.constants[constant].init;
                return self.constant(&module.global_expressions, init, values);
            }
            _ => return Value::any(values, Known::By(Sources::default())),
        };
        Value::constant(number)
    }

    /// What an expression loads, or what is loaded of a whole.
    fn load(
        &mut self,
        handle: Handle<Expression>,
        pointer: Handle<Expression>,
        values: Values,
    ) -> Value {
        let Some(variable) = self.subject.locals.loaded(handle) else {
            return self.place(pointer, values);
        };
        if let Some(held) = self.subject.facts.seen[handle.index()] {
            return self.of_held(held);
        }
        let outline = self.subject.outline;
        let counters = outline
            .around(handle)
            .filter_map(|number| self.counters[number]);
        let mut counters = counters.filter(|(counter, _)| *counter == variable);
        match counters.next() {
            Some((_, value)) => value,
            None => self.ever_but(variable, None),
        }
    }

    fn of_held(&mut self, held: Held) -> Value {
        match held {
            Held::Zero => Value::constant(0),
            Held::Value(handle) => self.of(handle),
        }
    }

    /// What a variable may hold at any time; or at the beginning of a loop that counts with it, which only brings it
    /// nearer to where the loop ends.
    fn ever_but(&mut self, variable: Handle<LocalVariable>, counted_in: Option<usize>) -> Value {
        if let Some(value) = self.held[variable.index()].filter(|_| counted_in.is_none()) {
            return value;
        }
        let values = self.subject.locals.values(variable).unwrap_or(ANY);
        let local = &self.function().local_variables[variable];
        let name = local.name.as_deref().unwrap_or("a value");
        let before = format!("what `{}` was before", place::short(name));
        let before = self.unknown(values, &before);
        if counted_in.is_none() {
            self.held[variable.index()] = Some(before);
        }
        let outline = self.subject.outline;
        let mut value = match local.init {
            Some(init) => self.of(init),
            None => Value::constant(0),
        };
        for stored in &outline.stores[variable.index()] {
            let is_step = counted_in.is_some_and(|number| outline.is_made_in(number, *stored));
            if !is_step {
                value = value.or(self.of(*stored));
            }
            if value.known.is_unknown() {
                value = Value::any(values, value.known);
                break;
            }
        }
        if counted_in.is_none() {
            self.held[variable.index()] = Some(value);
        }
        value
    }

    /// An argument: of the entry point, a built-in value.
    fn argument(&mut self, position: u32, values: Values) -> Value {
        if self.subject.outline.id == FunctionId::Entry {
            return self.built_in(position, &[], values);
        }
        let given = self.arguments.get(position as usize).copied();
        given.unwrap_or_else(|| self.unknown(values, "an argument"))
    }

    fn unary(&mut self, op: UnaryOperator, expr: Handle<Expression>, values: Values) -> Value {
        let of = self.of(expr);
        match op {
            UnaryOperator::Negate => {
                Value::constant(0).binary(naga::BinaryOperator::Subtract, of, values)
            }
            UnaryOperator::LogicalNot => Value {
                min: 0,
                max: 1,
                ..of
            },
            UnaryOperator::BitwiseNot => Value {
                min: values.min,
                max: values.max,
                ..of
            },
        }
    }

    fn math(
        &mut self,
        fun: MathFunction,
        arg: Handle<Expression>,
        others: [Option<Handle<Expression>>; 3],
        values: Values,
    ) -> Value {
        let first = self.of(arg);
        let others: Vec<Value> = others
            .into_iter()
            .flatten()
            .map(|other| self.of(other))
            .collect();
        let made = others.iter().fold(first, |made, other| Value {
            known: made.known.and(other.known),
            is_exact: made.is_exact && other.is_exact,
            ..made
        });
        let within = |(min, max): (i64, i64)| Value { min, max, ..made };
        match (fun, &others[..]) {
            (MathFunction::Min, [other]) => first.least_of(*other, values),
            (MathFunction::Max, [other]) => first.greatest_of(*other, values),
            (MathFunction::Clamp, [low, high]) => {
                let high = first.greatest_of(*low, values).least_of(*high, values);
                Value {
                    known: high.known.or(low.known.and(others[1].known)),
                    ..high
                }
            }
            (MathFunction::Abs, _) if first.min >= 0 => first,
            (
                MathFunction::CountLeadingZeros
                | MathFunction::CountTrailingZeros
                | MathFunction::CountOneBits,
                _,
            ) => within((0, 32)),
            _ => within((values.min, values.max)),
        }
    }

    /// What a call returns: as its callee does for any arguments, depending on those of this call.
    fn result(&mut self, handle: Handle<Expression>, callee: Handle<Function>) -> Value {
        let outline = self.subject.outline;
        let call = outline
            .results
            .get(&handle)
            .map(|number| &outline.calls[*number]);
        let result = self.subject.results.get(callee.index()).copied();
        let (Some(call), Some(result)) = (call, result) else {
            return self.unknown(ANY, "the result of a call");
        };
        let Known::By(sources) = result.known else {
            return result;
        };
        let mut given = Value {
            known: Known::By(sources.without_arguments()),
            ..result
        };
        for position in sources.arguments() {
            let Some(argument) = call.arguments.get(position) else {
                continue;
            };
            let argument = self.of(*argument);
            given.known = given.known.and(argument.known);
            given.is_exact &= argument.is_exact;
        }
        given
    }

    /// How long a run-time array is.
    fn length(&mut self, array: Handle<Expression>) -> Value {
        let known = match self.name_of(array) {
            Some(name) => {
                let words = format!("arrayLength(&{name})");
                Known::By(Sources::named(self.names.of(words)))
            }
            None => Known::Unknown(self.name("the length of an array that it is given")),
        };
        Value {
            known,
            ..Value::within(1, ELEMENTS)
        }
        .exactly()
    }

    fn name(&mut self, words: &str) -> Name {
        self.names.of(words.to_owned())
    }
}

/// The values of a kind of scalars; of what is no integer, any.
pub(super) fn values_of(kind: Option<ScalarKind>) -> Values {
    match kind {
        Some(ScalarKind::Sint) => Values::I32,
        Some(ScalarKind::Uint) => Values::U32,
        Some(ScalarKind::Bool) => Values { min: 0, max: 1 },
        _ => ANY,
    }
}

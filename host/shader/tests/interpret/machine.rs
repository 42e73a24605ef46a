//! Runs a compute shader from naga's IR, a workgroup at a time, its invocations in step.
//!
//! What a statement does it does for a set of invocations, so a barrier that only some of them reach is seen as
//! such and is an error. Integers wrap, memory starts as zeros, and a limit on steps ends what does not end.

use super::value::{LANES, Place, Space, Value, binary, math, unary};
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, Arena, AtomicFunction, Binding, Block, BuiltIn, CollectiveOperation, Expression,
    Function, GatherMode, Handle, Literal, Module, ScalarKind, Statement, SubgroupOperation,
    SwitchCase, SwitchValue, TypeInner,
};
use std::collections::HashMap;

/// A set of invocations: a bit for each.
pub(crate) type Mask = u8;
const ALL: Mask = Mask::MAX;

/// Why a run did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It took more steps than it may.
    Steps,
    /// Some invocations of a workgroup met a barrier without the others.
    DivergentBarrier,
}

/// What is bound: words by group and slot.
pub(crate) type Buffers = HashMap<(u32, u32), Vec<u32>>;

/// What each statement weighs, by its address.
pub(crate) type Weights = HashMap<*const Statement, u64>;

/// A run of a module's only entry point.
pub(crate) struct Machine<'a> {
    module: &'a Module,
    info: &'a ModuleInfo,
    /// Steps left.
    pub(crate) steps: u64,
    weights: Option<&'a Weights>,
    /// What the invocations executed, in those weights, all together.
    pub(crate) weight: u64,
    /// By the global variable's index.
    shared: Vec<Vec<u32>>,
    private: Vec<[u32; LANES]>,
    private_offsets: Vec<usize>,
    locals: Vec<Vec<[u32; LANES]>>,
}

/// A call that is under way.
struct Frame<'a> {
    function: &'a Function,
    info: &'a FunctionInfo,
    values: Vec<[Value; LANES]>,
    arguments: Vec<[Value; LANES]>,
    local_offsets: Vec<usize>,
    depth: usize,
    returned: Mask,
    result: [Value; LANES],
}

/// Invocations on their way out of the innermost loop or switch, and to its next turn.
#[derive(Default)]
struct Leaving {
    breaks: Mask,
    continues: Mask,
}

const NOTHING: [Value; LANES] = [Value::Word(0); LANES];

impl<'a> Machine<'a> {
    pub(crate) fn new(module: &'a Module, info: &'a ModuleInfo, steps: u64) -> Self {
        let mut private_offsets = Vec::new();
        let mut count = 0;
        for (_, global) in module.global_variables.iter() {
            private_offsets.push(count);
            if global.space == AddressSpace::Private {
                count += words(module, global.ty);
            }
        }
        Self {
            module,
            info,
            steps,
            weights: None,
            weight: 0,
            shared: Vec::new(),
            private: vec![[0; LANES]; count],
            private_offsets,
            locals: Vec::new(),
        }
    }

    /// Adds up what is executed, too.
    pub(crate) fn weighed(mut self, weights: &'a Weights) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Runs that many workgroups one after the other.
    pub(crate) fn run(&mut self, buffers: &mut Buffers, workgroups: u32) -> Result<(), Fault> {
        let result = self.workgroups(buffers, workgroups);
        for (index, (_, global)) in self.module.global_variables.iter().enumerate() {
            if let (Some(binding), Some(words)) = (&global.binding, self.shared.get_mut(index)) {
                buffers.insert((binding.group, binding.binding), std::mem::take(words));
            }
        }
        result
    }

    fn workgroups(&mut self, buffers: &Buffers, workgroups: u32) -> Result<(), Fault> {
        self.shared = (self.module.global_variables.iter())
            .map(|(_, global)| match &global.binding {
                Some(binding) => buffers[&(binding.group, binding.binding)].clone(),
                None => vec![0; words(self.module, global.ty)],
            })
            .collect();
        for workgroup in 0..workgroups {
            self.private.fill([0; LANES]);
            for (index, (_, global)) in self.module.global_variables.iter().enumerate() {
                if global.space == AddressSpace::WorkGroup {
                    self.shared[index].fill(0);
                }
            }
            let function = &self.module.entry_points[0].function;
            let arguments = function.arguments.iter().map(|argument| {
                std::array::from_fn(|lane| builtin(argument.binding.as_ref(), lane, workgroup))
            });
            let arguments = arguments.collect();
            self.call(function, self.info.get_entry_point(0), arguments, ALL)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<[Value; LANES]>,
        mask: Mask,
    ) -> Result<[Value; LANES], Fault> {
        let mut count = 0;
        let mut local_offsets = Vec::new();
        for (_, local) in function.local_variables.iter() {
            local_offsets.push(count);
            count += words(self.module, local.ty);
        }
        let mut frame = Frame {
            function,
            info,
            values: vec![NOTHING; function.expressions.len()],
            arguments,
            local_offsets,
            depth: self.locals.len(),
            returned: 0,
            result: NOTHING,
        };
        self.locals.push(vec![[0; LANES]; count]);
        for (handle, local) in function.local_variables.iter() {
            if let Some(init) = local.init {
                let values = self.value(&frame, init).map(Value::word);
                self.locals[frame.depth][frame.local_offsets[handle.index()]] = values;
            }
        }
        let end = self.block(&mut frame, &function.body, mask, &mut Leaving::default());
        self.locals.pop();
        end.map(|_| frame.result)
    }

    /// Executes a block for some invocations; those that reach its end.
    fn block(
        &mut self,
        frame: &mut Frame<'a>,
        block: &'a Block,
        mut mask: Mask,
        leaving: &mut Leaving,
    ) -> Result<Mask, Fault> {
        for statement in block {
            if mask == 0 {
                break;
            }
            self.steps = self.steps.checked_sub(1).ok_or(Fault::Steps)?;
            if let Some(weight) = self
                .weights
                .and_then(|of| of.get(&std::ptr::from_ref(statement)))
            {
                self.weight += weight * u64::from(mask.count_ones());
            }
            mask = self.statement(frame, statement, mask, leaving)?;
        }
        Ok(mask)
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'a>,
        statement: &'a Statement,
        mask: Mask,
        leaving: &mut Leaving,
    ) -> Result<Mask, Fault> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    frame.values[handle.index()] = self.evaluate(frame, handle, mask);
                }
            }
            Statement::Block(inner) => return self.block(frame, inner, mask, leaving),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let holds = mask & truth(self.value(frame, *condition));
                let accepted = self.block(frame, accept, holds, leaving)?;
                return Ok(accepted | self.block(frame, reject, mask & !holds, leaving)?);
            }
            Statement::Switch { selector, cases } => {
                let selector = self.value(frame, *selector).map(Value::word);
                return self.switch(frame, selector, cases, mask, leaving);
            }
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => return self.turns(frame, [body, continuing], *break_if, mask),
            Statement::Break => {
                leaving.breaks |= mask;
                return Ok(0);
            }
            Statement::Continue => {
                leaving.continues |= mask;
                return Ok(0);
            }
            Statement::Return { value } => {
                if let Some(value) = value {
                    let values = self.value(frame, *value);
                    lanes(mask).for_each(|lane| frame.result[lane] = values[lane]);
                }
                frame.returned |= mask;
                return Ok(0);
            }
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) if mask != ALL => {
                return Err(Fault::DivergentBarrier);
            }
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => {}
            Statement::WorkGroupUniformLoad { .. } if mask != ALL => {
                return Err(Fault::DivergentBarrier);
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let places = self.value(frame, *pointer);
                for lane in lanes(mask) {
                    let word = *self.word(places[lane].place(), lane);
                    frame.values[result.index()][lane] = Value::Word(word);
                }
            }
            Statement::Store { pointer, value } => {
                let places = self.value(frame, *pointer);
                let values = self.value(frame, *value);
                for lane in lanes(mask) {
                    *self.word(places[lane].place(), lane) = values[lane].word();
                }
            }
            Statement::Atomic {
                pointer,
                fun,
                value,
                result,
            } => {
                let places = self.value(frame, *pointer);
                let values = self.value(frame, *value);
                for lane in lanes(mask) {
                    let word = self.word(places[lane].place(), lane);
                    let before = *word;
                    *word = atomic(fun, before, values[lane].word());
                    if let Some(result) = result {
                        frame.values[result.index()][lane] = Value::Word(before);
                    }
                }
            }
            // A workgroup is one subgroup.
            Statement::SubgroupCollectiveOperation {
                op: SubgroupOperation::Add,
                collective_op: CollectiveOperation::Reduce,
                argument,
                result,
            } => {
                let values = self.value(frame, *argument);
                let sum = lanes(mask).fold(0u32, |sum, lane| sum.wrapping_add(values[lane].word()));
                lanes(mask).for_each(|lane| frame.values[result.index()][lane] = Value::Word(sum));
            }
            Statement::SubgroupGather {
                mode: GatherMode::BroadcastFirst,
                argument,
                result,
            } => {
                let values = self.value(frame, *argument);
                if let Some(first) = lanes(mask).next() {
                    let all = lanes(mask);
                    all.for_each(|lane| frame.values[result.index()][lane] = values[first]);
                }
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let given = arguments
                    .iter()
                    .map(|argument| self.value(frame, *argument));
                let given = given.collect();
                let callee = &self.module.functions[*function];
                let given = self.call(callee, &self.info[*function], given, mask)?;
                if let Some(result) = result {
                    lanes(mask).for_each(|lane| frame.values[result.index()][lane] = given[lane]);
                }
            }
            other => panic!("{other:?} is not interpreted"),
        }
        Ok(mask)
    }

    fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        selector: [u32; LANES],
        cases: &'a [SwitchCase],
        mask: Mask,
        leaving: &mut Leaving,
    ) -> Result<Mask, Fault> {
        let chosen = |lane: usize| {
            let is = |case: &SwitchCase| match case.value {
                SwitchValue::U32(value) => value == selector[lane],
                SwitchValue::I32(value) => value.cast_unsigned() == selector[lane],
                SwitchValue::Default => false,
            };
            let default = |case: &SwitchCase| case.value == SwitchValue::Default;
            let chosen = cases.iter().position(is);
            chosen.or_else(|| cases.iter().position(default))
        };
        let mut inside = Leaving::default();
        let (mut falling, mut ended) = (0, 0);
        for (number, case) in cases.iter().enumerate() {
            let here = lanes(mask).filter(|lane| chosen(*lane) == Some(number));
            let start = here.fold(falling, |mask, lane| mask | 1 << lane);
            let end = self.block(frame, &case.body, start, &mut inside)?;
            (falling, ended) = if case.fall_through {
                (end, ended)
            } else {
                (0, ended | end)
            };
        }
        leaving.continues |= inside.continues;
        Ok(ended | falling | inside.breaks)
    }

    fn turns(
        &mut self,
        frame: &mut Frame<'a>,
        [body, continuing]: [&'a Block; 2],
        break_if: Option<Handle<Expression>>,
        mut mask: Mask,
    ) -> Result<Mask, Fault> {
        let mut leaving = Leaving::default();
        while mask != 0 {
            self.steps = self.steps.checked_sub(1).ok_or(Fault::Steps)?;
            let end = self.block(frame, body, mask, &mut leaving)?;
            let next = end | std::mem::take(&mut leaving.continues);
            mask = self.block(frame, continuing, next, &mut leaving)?;
            if let Some(condition) = break_if {
                let ends = mask & truth(self.value(frame, condition));
                leaving.breaks |= ends;
                mask &= !ends;
            }
        }
        Ok(leaving.breaks)
    }

    fn word(&mut self, place: Place, lane: usize) -> &mut u32 {
        match place.space {
            Space::Local(depth) => &mut self.locals[depth][place.offset][lane],
            Space::Private => &mut self.private[place.offset][lane],
            Space::Shared(index) => &mut self.shared[index][place.offset],
        }
    }

    /// What an expression is here: evaluated already, or a constant or a variable's place.
    fn value(&self, frame: &Frame<'a>, handle: Handle<Expression>) -> [Value; LANES] {
        let place = |space, offset| [Value::Pointer(Place { space, offset }); LANES];
        match frame.function.expressions[handle] {
            Expression::FunctionArgument(argument) => frame.arguments[argument as usize],
            Expression::LocalVariable(local) => place(
                Space::Local(frame.depth),
                frame.local_offsets[local.index()],
            ),
            Expression::GlobalVariable(global) => {
                match self.module.global_variables[global].space {
                    AddressSpace::Private => {
                        place(Space::Private, self.private_offsets[global.index()])
                    }
                    _ => place(Space::Shared(global.index()), 0),
                }
            }
            _ => match self.constant(&frame.function.expressions, handle) {
                Some(word) => [Value::Word(word); LANES],
                None => frame.values[handle.index()],
            },
        }
    }

    fn constant(&self, arena: &Arena<Expression>, handle: Handle<Expression>) -> Option<u32> {
        Some(match arena[handle] {
            Expression::Literal(Literal::U32(value)) => value,
            Expression::Literal(Literal::I32(value)) => value.cast_unsigned(),
            Expression::Literal(Literal::Bool(value)) => u32::from(value),
            Expression::ZeroValue(_) => 0,
            Expression::Constant(constant) => {
                let init = self.module.constants[constant].init;
                return self.constant(&self.module.global_expressions, init);
            }
            _ => return None,
        })
    }

    fn evaluate(
        &mut self,
        frame: &Frame<'a>,
        handle: Handle<Expression>,
        mask: Mask,
    ) -> [Value; LANES] {
        let of = |machine: &Self, handle| machine.value(frame, handle);
        let kind = |handle: Handle<Expression>| {
            let inner = frame.info[handle].ty.inner_with(&self.module.types);
            inner.scalar_kind().unwrap_or(ScalarKind::Uint)
        };
        let words = |map: &dyn Fn(usize) -> u32| {
            std::array::from_fn(|lane| {
                Value::Word(if mask >> lane & 1 == 1 { map(lane) } else { 0 })
            })
        };
        match frame.function.expressions[handle] {
            Expression::Load { pointer } => {
                let places = of(self, pointer);
                let mut loaded = NOTHING;
                for lane in lanes(mask) {
                    loaded[lane] = Value::Word(*self.word(places[lane].place(), lane));
                }
                loaded
            }
            Expression::Binary { op, left, right } => {
                let (kind, left, right) = (kind(left), of(self, left), of(self, right));
                words(&|lane| binary(op, kind, left[lane].word(), right[lane].word()))
            }
            Expression::Unary { op, expr } => {
                let value = of(self, expr);
                words(&|lane| unary(op, value[lane].word()))
            }
            Expression::Select {
                condition,
                accept,
                reject,
            } => {
                let (accept, reject) = (of(self, accept), of(self, reject));
                let holds = truth(of(self, condition));
                words(&|lane| match holds >> lane & 1 {
                    1 => accept[lane].word(),
                    _ => reject[lane].word(),
                })
            }
            Expression::As { expr, .. } => of(self, expr),
            Expression::Math {
                fun,
                arg,
                arg1: Some(arg1),
                ..
            } => {
                let (kind, left, right) = (kind(arg), of(self, arg), of(self, arg1));
                words(&|lane| math(fun, kind, left[lane].word(), right[lane].word()))
            }
            Expression::ArrayLength(pointer) => {
                let places = of(self, pointer);
                words(&|lane| match places[lane].place().space {
                    Space::Shared(index) => {
                        u32::try_from(self.shared[index].len()).expect("buffers are small")
                    }
                    other => panic!("{other:?} has no length"),
                })
            }
            Expression::AccessIndex { base, index } => {
                let stride = self.offset_of(frame, base, index);
                of(self, base).map(|value| match value {
                    Value::Pointer(place) => Value::Pointer(Place {
                        offset: place.offset + stride,
                        ..place
                    }),
                    Value::Vector(vector) => Value::Word(vector[index as usize]),
                    Value::Word(_) => Value::Word(0),
                })
            }
            Expression::Access { base, index } => {
                let (bases, indices) = (of(self, base), of(self, index));
                let mut places = NOTHING;
                for lane in lanes(mask) {
                    let place = bases[lane].place();
                    let offset = place.offset + indices[lane].word() as usize;
                    places[lane] = Value::Pointer(Place { offset, ..place });
                }
                places
            }
            ref other => panic!("{other:?} is not interpreted"),
        }
    }

    /// Words from a composite's start to a part of it. Elements of arrays are words.
    fn offset_of(&self, frame: &Frame<'a>, base: Handle<Expression>, index: u32) -> usize {
        let types = &self.module.types;
        let inner = frame.info[base].ty.inner_with(types);
        let TypeInner::Pointer { base, .. } = *inner else {
            return 0;
        };
        match &types[base].inner {
            TypeInner::Struct { members, .. } => members[index as usize].offset as usize / 4,
            _ => index as usize,
        }
    }
}

fn lanes(mask: Mask) -> impl Iterator<Item = usize> {
    (0..LANES).filter(move |lane| mask >> lane & 1 == 1)
}

fn truth(values: [Value; LANES]) -> Mask {
    let is_true = |value: Value| matches!(value, Value::Word(1));
    (0..LANES).fold(0, |mask, lane| {
        mask | Mask::from(is_true(values[lane])) << lane
    })
}

fn atomic(fun: &AtomicFunction, before: u32, value: u32) -> u32 {
    match fun {
        AtomicFunction::Add => before.wrapping_add(value),
        AtomicFunction::Subtract => before.wrapping_sub(value),
        AtomicFunction::Max => before.max(value),
        AtomicFunction::ExclusiveOr => before ^ value,
        AtomicFunction::InclusiveOr => before | value,
        other => panic!("{other:?} is not interpreted"),
    }
}

fn builtin(binding: Option<&Binding>, lane: usize, workgroup: u32) -> Value {
    match binding {
        Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex)) => {
            Value::Word(u32::try_from(lane).expect("few lanes"))
        }
        Some(Binding::BuiltIn(BuiltIn::WorkGroupId)) => Value::Vector([workgroup, 0, 0]),
        other => panic!("{other:?} is not interpreted"),
    }
}

/// Words that a value of a type takes.
fn words(module: &Module, ty: Handle<naga::Type>) -> usize {
    (module.types[ty].inner.size(module.to_ctx()) as usize).div_ceil(4)
}

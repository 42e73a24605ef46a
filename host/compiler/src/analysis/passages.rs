//! Passages of a body in which nothing is computed that is followed: arithmetic on floating-point numbers and vectors, what is read for it, and
//! what it leaves. Most of a kernel is that. A run takes each in one step.

use super::code::Body;
use super::operators::Arity;
use wasmparser::{Operator, ValType};

/// Operators that together cost something, and leave at most one number of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// Its last operator.
    pub(super) last: usize,
    /// Units of fuel.
    pub(super) cost: u32,
    /// Whether it leaves a number.
    pub(super) leaves: bool,
}

/// A value on the stack, as far as one stretch without branches tells.
#[derive(Clone, Copy)]
struct Operand {
    /// Where what computes it begins, if it is computed in this stretch and nothing else happens on the way.
    first: Option<usize>,
    /// Whether nothing will be known of it.
    is_opaque: bool,
}

const FROM_BEFORE: Operand = Operand {
    first: None,
    is_opaque: false,
};

/// What an operator does to the stack, to an eye that sees only what is followed.
enum Effect {
    /// Takes operands and leaves a number that is followed.
    Followed(u32),
    /// Takes operands and leaves a number of which nothing is known.
    Opaque(u32),
    /// As `Opaque` where both numbers are, of which it leaves one; else as `Followed`.
    Choice,
    /// Takes one operand, which is gone without a trace if nothing is known of it.
    Gone,
    /// Takes operands, and something is followed that it does; it leaves so many.
    Done(u32, u32),
    /// A block begins or ends, or something is called.
    Turn,
}

/// The longest passage from each operator, by its place: those that begin nowhere else are in others.
pub(super) fn find(body: &Body<'_>, parameters: &[ValType]) -> Vec<Option<Passage>> {
    let is_integer = |local: u32| {
        let local = local as usize;
        let ty = parameters
            .get(local)
            .or_else(|| body.locals.get(local - parameters.len()));
        matches!(ty, Some(ValType::I32 | ValType::I64))
    };
    let mut passages = vec![None; body.operators.len()];
    // What operators before each place cost.
    let mut spent = 0;
    let mut costs = Vec::with_capacity(body.operators.len() + 1);
    let mut stack: Vec<Operand> = Vec::new();
    // Where the last passage that leaves nothing begins and ends.
    let mut gone: Option<(usize, usize)> = None;
    for (at, operator) in body.operators.iter().enumerate() {
        costs.push(spent);
        spent += cost(operator);
        let mut take = |count: u32| -> (Option<usize>, bool) {
            let (mut first, mut is_opaque) = (Some(at), true);
            for _ in 0..count {
                let operand = stack.pop().unwrap_or(FROM_BEFORE);
                first = first.and(operand.first);
                is_opaque &= operand.is_opaque;
            }
            (first, is_opaque)
        };
        let mut note = |first: usize, leaves: bool| {
            let cost = spent - costs[first];
            let last = at;
            passages[first] = Some(Passage { last, cost, leaves });
        };
        match effect(operator, &is_integer) {
            Effect::Turn => stack.clear(),
            Effect::Done(takes, leaves) => {
                take(takes);
                stack.extend((0..leaves).map(|_| FROM_BEFORE));
            }
            Effect::Gone => {
                let operand = stack.pop().unwrap_or(FROM_BEFORE);
                if let Some(mut first) = operand.first.filter(|_| operand.is_opaque) {
                    note(first, false);
                    if let Some((before, end)) = gone
                        && end + 1 == first
                    {
                        first = before;
                        note(first, false);
                    }
                    gone = Some((first, at));
                }
            }
            effect => {
                let (takes, is_opaque) = match effect {
                    Effect::Opaque(takes) => (takes, Some(true)),
                    Effect::Choice => (2, None),
                    Effect::Followed(takes) => (takes, Some(false)),
                    _ => (0, Some(false)),
                };
                let condition = match is_opaque {
                    None => take(1).0,
                    Some(_) => Some(at),
                };
                let (first, are_opaque) = take(takes);
                let first = condition.and(first);
                let is_opaque = is_opaque.unwrap_or(are_opaque);
                if let Some(first) = first.filter(|first| is_opaque && *first < at) {
                    note(first, true);
                }
                stack.push(Operand { first, is_opaque });
            }
        }
    }
    passages
}

/// What the engine's fuel counts for an operator.
pub(super) fn cost(operator: &Operator<'_>) -> u32 {
    match operator {
        Operator::Nop | Operator::Drop | Operator::Else | Operator::End => 0,
        _ => 1,
    }
}

fn effect(operator: &Operator<'_>, is_integer: &impl Fn(u32) -> bool) -> Effect {
    use Operator as O;
    match operator {
        O::Block { .. }
        | O::Loop { .. }
        | O::If { .. }
        | O::Else
        | O::End
        | O::Br { .. }
        | O::BrIf { .. }
        | O::BrTable { .. }
        | O::Return
        | O::Unreachable
        | O::Call { .. }
        | O::CallIndirect { .. } => Effect::Turn,
        O::LocalGet { local_index } if is_integer(*local_index) => Effect::Followed(0),
        O::LocalGet { .. } => Effect::Opaque(0),
        O::LocalSet { local_index } if is_integer(*local_index) => Effect::Done(1, 0),
        O::LocalTee { local_index } if is_integer(*local_index) => Effect::Done(1, 1),
        O::LocalTee { .. } => Effect::Opaque(1),
        O::LocalSet { .. } | O::Drop => Effect::Gone,
        O::GlobalGet { .. } | O::I32Const { .. } | O::I64Const { .. } => Effect::Followed(0),
        O::GlobalSet { .. } => Effect::Done(1, 0),
        O::I32Load { .. }
        | O::I64Load { .. }
        | O::I32Load8U { .. }
        | O::I64Load8U { .. }
        | O::I32Load16U { .. }
        | O::I64Load16U { .. }
        | O::I32Eqz
        | O::I64Eqz
        | O::I32Clz
        | O::I64Clz
        | O::I32Ctz
        | O::I64Ctz
        | O::I32Popcnt
        | O::I64Popcnt
        | O::I64ExtendI32U
        | O::I64ExtendI32S
        | O::I32WrapI64 => Effect::Followed(1),
        O::I32Add
        | O::I64Add
        | O::I32Sub
        | O::I64Sub
        | O::I32Mul
        | O::I64Mul
        | O::I32Shl
        | O::I64Shl
        | O::I32ShrU
        | O::I32ShrS
        | O::I64ShrU
        | O::I64ShrS
        | O::I32And
        | O::I64And
        | O::I32Or
        | O::I64Or
        | O::I32Xor
        | O::I64Xor
        | O::I32DivU
        | O::I32DivS
        | O::I64DivU
        | O::I64DivS
        | O::I32RemU
        | O::I32RemS
        | O::I64RemU
        | O::I64RemS
        | O::I32Eq
        | O::I64Eq
        | O::I32Ne
        | O::I64Ne
        | O::I32LtU
        | O::I64LtU
        | O::I32LtS
        | O::I64LtS
        | O::I32LeU
        | O::I64LeU
        | O::I32LeS
        | O::I64LeS
        | O::I32GtU
        | O::I64GtU
        | O::I32GtS
        | O::I64GtS
        | O::I32GeU
        | O::I64GeU
        | O::I32GeS
        | O::I64GeS => Effect::Followed(2),
        O::Select | O::TypedSelect { .. } => Effect::Choice,
        O::MemoryGrow { .. } => Effect::Done(1, 1),
        operator => match operator.operator_arity(&Arity) {
            Some((takes, 1)) => Effect::Opaque(takes),
            Some((takes, leaves)) => Effect::Done(takes, leaves),
            None => Effect::Turn,
        },
    }
}

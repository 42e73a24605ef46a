//! Values of an interpreted shader, and arithmetic on them.

use naga::{BinaryOperator, MathFunction, ScalarKind, UnaryOperator};

/// Invocations of a workgroup, which go in step.
pub(crate) const LANES: usize = 8;

/// What an expression is in one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A scalar of 32 bits; of a boolean: 0 or 1.
    Word(u32),
    /// A built-in vector.
    Vector([u32; 3]),
    /// A pointer.
    Pointer(Place),
}

/// A place in memory, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) space: Space,
    pub(crate) offset: usize,
}

/// A memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// An invocation's local variables of the function call at that depth.
    Local(usize),
    /// An invocation's private variables.
    Private,
    /// The global variable with that index, shared by all invocations.
    Shared(usize),
}

impl Value {
    pub(crate) fn word(self) -> u32 {
        match self {
            Self::Word(word) => word,
            other => panic!("{other:?} is no scalar"),
        }
    }

    pub(crate) fn place(self) -> Place {
        match self {
            Self::Pointer(place) => place,
            other => panic!("{other:?} is no pointer"),
        }
    }
}

pub(crate) fn binary(op: BinaryOperator, kind: ScalarKind, left: u32, right: u32) -> u32 {
    use BinaryOperator as B;
    let order = if kind == ScalarKind::Sint {
        left.cast_signed().cmp(&right.cast_signed())
    } else {
        left.cmp(&right)
    };
    match op {
        B::Add => left.wrapping_add(right),
        B::Subtract => left.wrapping_sub(right),
        B::Multiply => left.wrapping_mul(right),
        B::Divide if kind == ScalarKind::Uint => left.checked_div(right).unwrap_or(left),
        B::Modulo if kind == ScalarKind::Uint => left.checked_rem(right).unwrap_or(0),
        B::And | B::LogicalAnd => left & right,
        B::InclusiveOr | B::LogicalOr => left | right,
        B::ExclusiveOr => left ^ right,
        B::ShiftLeft => left.wrapping_shl(right),
        B::ShiftRight if kind == ScalarKind::Uint => left.wrapping_shr(right),
        B::Equal => u32::from(left == right),
        B::NotEqual => u32::from(left != right),
        B::Less => u32::from(order.is_lt()),
        B::LessEqual => u32::from(order.is_le()),
        B::Greater => u32::from(order.is_gt()),
        B::GreaterEqual => u32::from(order.is_ge()),
        other => panic!("{other:?} of {kind:?} is not interpreted"),
    }
}

pub(crate) fn unary(op: UnaryOperator, value: u32) -> u32 {
    match op {
        UnaryOperator::Negate => value.wrapping_neg(),
        UnaryOperator::LogicalNot => value ^ 1,
        UnaryOperator::BitwiseNot => !value,
    }
}

pub(crate) fn math(fun: MathFunction, kind: ScalarKind, left: u32, right: u32) -> u32 {
    let is_left_less = binary(BinaryOperator::Less, kind, left, right) == 1;
    match (fun, is_left_less) {
        (MathFunction::Min, true) | (MathFunction::Max, false) => left,
        (MathFunction::Min, false) | (MathFunction::Max, true) => right,
        (other, _) => panic!("{other:?} is not interpreted"),
    }
}

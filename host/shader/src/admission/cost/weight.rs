//! The table of weights.
//!
//! | what | weight |
//! |---|---|
//! | arithmetic, logic, comparison, selection, conversion | 1 for each scalar of the result |
//! | multiplication of matrices | 2 for each product of two scalars |
//! | division, remainder, square root and the like | [`DIVISION`] for each scalar |
//! | exponential, logarithm, trigonometry, power | [`TRANSCENDENTAL`] for each scalar |
//! | load, store | [`MEMORY`] for each word of 4 bytes |
//! | atomic operation | [`ATOMIC`] |
//! | barrier | [`BARRIER`]; `workgroupUniformLoad` has two |
//! | subgroup operation | [`SUBGROUP`] |
//! | call | [`CALL`], and what is called |
//! | branch, switch, turn of a loop | 1 |
//! | variable | 1 for each word of 4 bytes: it starts as zeros |

use super::{Cost, Scope};
use naga::{
    AtomicFunction, BinaryOperator, Expression, Handle, MathFunction, Statement, TypeInner,
};

/// Division, remainder, square root and the like.
pub const DIVISION: u64 = 4;
/// Exponential, logarithm, trigonometry, power.
pub const TRANSCENDENTAL: u64 = 8;
/// Load and store of a word.
pub const MEMORY: u64 = 2;
/// Atomic operation.
pub const ATOMIC: u64 = 8;
/// Barrier.
pub const BARRIER: u64 = 16;
/// Subgroup operation.
pub const SUBGROUP: u64 = 8;
/// Call.
pub const CALL: u64 = 2;

pub(super) fn of_statement(cost: &Cost, scope: Scope<'_>, statement: &Statement) -> u64 {
    match statement {
        Statement::Emit(range) => super::sum(
            range
                .clone()
                .map(|handle| of_expression(cost, scope, handle)),
        ),
        Statement::Block(_) => 0,
        Statement::Store { value, .. } => MEMORY.saturating_mul(words_of(cost, scope, *value)),
        Statement::Atomic { fun, .. } => match fun {
            AtomicFunction::Exchange { compare: Some(_) } => 2 * ATOMIC,
            _ => ATOMIC,
        },
        Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => BARRIER,
        Statement::WorkGroupUniformLoad { result, .. } => MEMORY
            .saturating_mul(words_of(cost, scope, *result))
            .saturating_add(2 * BARRIER),
        Statement::SubgroupBallot { .. } => SUBGROUP,
        Statement::SubgroupGather { result, .. }
        | Statement::SubgroupCollectiveOperation { result, .. } => {
            SUBGROUP.saturating_mul(words_of(cost, scope, *result))
        }
        Statement::Call { arguments, .. } => super::sum(
            arguments
                .iter()
                .map(|argument| words_of(cost, scope, *argument)),
        )
        .saturating_add(CALL),
        _ => 1,
    }
}

/// An expression, at the place where it is evaluated.
pub(super) fn of_expression(cost: &Cost, scope: Scope<'_>, handle: Handle<Expression>) -> u64 {
    let words = words_of(cost, scope, handle);
    match scope.function.expressions[handle] {
        Expression::Literal(_)
        | Expression::Constant(_)
        | Expression::Override(_)
        | Expression::FunctionArgument(_)
        | Expression::GlobalVariable(_)
        | Expression::LocalVariable(_)
        | Expression::CallResult(_)
        | Expression::AtomicResult { .. }
        | Expression::WorkGroupUniformLoadResult { .. }
        | Expression::SubgroupBallotResult
        | Expression::SubgroupOperationResult { .. } => 0,
        Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => {
            of_access(cost, scope, base, handle)
        }
        Expression::Load { .. } => MEMORY.saturating_mul(words),
        Expression::Binary { op, left, right } => of_binary(cost, scope, op, [left, right, handle]),
        Expression::Math { fun, arg, .. } => {
            let scalars = words.max(words_of(cost, scope, arg));
            of_math(fun).saturating_mul(scalars)
        }
        Expression::Relational { argument, .. } => words_of(cost, scope, argument),
        Expression::ArrayLength(_) => MEMORY,
        _ => words,
    }
}

/// Through a pointer an access is address arithmetic; a value that is indexed is first put into memory.
fn of_access(
    cost: &Cost,
    scope: Scope<'_>,
    base: Handle<Expression>,
    handle: Handle<Expression>,
) -> u64 {
    let types = &scope.module.types;
    let is_fixed = matches!(
        scope.function.expressions[handle],
        Expression::AccessIndex { .. }
    );
    match scope.info[base].ty.inner_with(types) {
        TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } if is_fixed => 1,
        TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } => 2,
        _ if is_fixed => words_of(cost, scope, handle),
        _ => MEMORY.saturating_mul(words_of(cost, scope, base)),
    }
}

fn of_binary(
    cost: &Cost,
    scope: Scope<'_>,
    op: BinaryOperator,
    [left, right, result]: [Handle<Expression>; 3],
) -> u64 {
    let words = [left, right, result]
        .map(|handle| words_of(cost, scope, handle))
        .into_iter()
        .fold(0, u64::max);
    match op {
        BinaryOperator::Divide | BinaryOperator::Modulo => DIVISION.saturating_mul(words),
        BinaryOperator::Multiply => {
            let inner = columns(scope, left).or(columns(scope, right));
            words.saturating_mul(inner.map_or(1, |columns| 2 * columns))
        }
        _ => words,
    }
}

/// The columns of a matrix; `None` for everything else.
fn columns(scope: Scope<'_>, handle: Handle<Expression>) -> Option<u64> {
    match scope.info[handle].ty.inner_with(&scope.module.types) {
        TypeInner::Matrix { columns, rows, .. } => {
            Some(u64::from((*columns as u8).max(*rows as u8)))
        }
        _ => None,
    }
}

fn of_math(fun: MathFunction) -> u64 {
    use MathFunction as F;
    match fun {
        F::Abs | F::Min | F::Max | F::Saturate | F::Ceil | F::Floor | F::Trunc | F::Fract => 1,
        F::Radians | F::Degrees | F::Sign | F::Fma | F::Step | F::Transpose | F::Clamp => 1,
        F::CountOneBits | F::ReverseBits | F::CountLeadingZeros | F::CountTrailingZeros => 1,
        F::Dot | F::Outer | F::Cross | F::Mix | F::Round | F::FaceForward | F::Reflect => 2,
        F::Sqrt | F::InverseSqrt | F::Length | F::Distance | F::Normalize => DIVISION,
        F::SmoothStep | F::Refract | F::Determinant => 2 * DIVISION,
        F::Inverse => 4 * DIVISION,
        F::Cos | F::Sin | F::Tan | F::Exp | F::Exp2 | F::Log | F::Log2 => TRANSCENDENTAL,
        F::Cosh | F::Sinh | F::Tanh | F::Acos | F::Asin | F::Atan | F::Pow => 2 * TRANSCENDENTAL,
        F::Atan2 | F::Asinh | F::Acosh | F::Atanh => 2 * TRANSCENDENTAL,
        _ => DIVISION,
    }
}

/// The words of an expression's value: at least 1.
pub(super) fn words_of(cost: &Cost, scope: Scope<'_>, handle: Handle<Expression>) -> u64 {
    let ty = &scope.info[handle].ty;
    match (ty.handle(), ty.inner_with(&scope.module.types)) {
        (_, TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. }) => 1,
        (Some(handle), _) => cost.words(handle).max(1),
        (None, inner) => inner
            .try_size(scope.module.to_ctx())
            .map_or(u64::MAX, |size| u64::from(size).div_ceil(4).max(1)),
    }
}

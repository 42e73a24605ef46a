//! Refuses a `continuing` block that uses a value which a `continue` may have left unmade.
//!
//! WGSL forbids it: a `continue` must not jump over a declaration that `continuing` uses. naga 30 does not look,
//! and would hand a module on in which the value is undefined on that way: a loop's step could be anything, and
//! nothing that is proven of the loop would hold.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use naga::{Block, Expression, Function, Handle, Module, Statement};
use std::collections::HashSet;

type Values = HashSet<Handle<Expression>>;

/// Looks at every loop of a module.
pub(super) fn check(source: ShaderText<'_>, module: &Module) -> Result<(), ShaderRefusal> {
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    let functions = module.functions.iter().map(|(_, function)| function);
    functions
        .chain(entries)
        .try_for_each(|function| check_block(source, function, &function.body))
}

fn check_block(
    source: ShaderText<'_>,
    function: &Function,
    block: &Block,
) -> Result<(), ShaderRefusal> {
    block.iter().try_for_each(|statement| {
        if let Statement::Loop {
            body,
            continuing,
            break_if,
        } = statement
        {
            check_loop(source, function, body, continuing, *break_if)?;
        }
        inner(statement)
            .into_iter()
            .try_for_each(|block| check_block(source, function, block))
    })
}

fn check_loop(
    source: ShaderText<'_>,
    function: &Function,
    body: &Block,
    continuing: &Block,
    break_if: Option<Handle<Expression>>,
) -> Result<(), ShaderRefusal> {
    let Some(first) = body.iter().position(continues) else {
        return Ok(());
    };
    let mut skipped = Values::new();
    for statement in body.iter().skip(first) {
        made(statement, &mut skipped);
    }
    let (mut own, mut wanted) = (Values::new(), Vec::from_iter(break_if));
    for statement in continuing {
        made(statement, &mut own);
        used(statement, &mut wanted);
    }
    // What `continuing` makes itself is made of values in turn.
    let mut seen = Values::new();
    while let Some(value) = wanted.pop() {
        if skipped.contains(&value) {
            let span = function.expressions.get_span(value);
            return Err(source.refuse(span, RefusalReason::SkippedByContinue));
        }
        if seen.insert(value) && own.contains(&value) {
            operands(&function.expressions[value], &mut wanted);
        }
    }
    Ok(())
}

/// The blocks inside a statement.
pub(super) fn inner(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(block) => vec![block],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop {
            body, continuing, ..
        } => vec![body, continuing],
        _ => Vec::new(),
    }
}

/// Whether a statement may continue the loop that it stands in.
fn continues(statement: &Statement) -> bool {
    match statement {
        Statement::Continue => true,
        Statement::Loop { .. } => false,
        other => inner(other)
            .into_iter()
            .any(|block| block.iter().any(continues)),
    }
}

/// The values that a statement makes, with everything inside.
fn made(statement: &Statement, values: &mut Values) {
    match statement {
        Statement::Emit(range) => values.extend(range.clone()),
        Statement::Call { result, .. } | Statement::Atomic { result, .. } => {
            values.extend(*result);
        }
        Statement::WorkGroupUniformLoad { result, .. }
        | Statement::SubgroupBallot { result, .. }
        | Statement::SubgroupGather { result, .. }
        | Statement::SubgroupCollectiveOperation { result, .. } => {
            values.insert(*result);
        }
        _ => {}
    }
    for block in inner(statement) {
        block.iter().for_each(|statement| made(statement, values));
    }
}

/// The values that a statement takes or makes, with everything inside.
fn used(statement: &Statement, values: &mut Vec<Handle<Expression>>) {
    if let Statement::Emit(range) = statement {
        values.extend(range.clone());
    }
    taken(statement, values);
    for block in inner(statement) {
        block.iter().for_each(|statement| used(statement, values));
    }
}

/// The values that a statement alone takes.
pub(super) fn taken(statement: &Statement, values: &mut Vec<Handle<Expression>>) {
    match statement {
        Statement::If { condition, .. } => values.push(*condition),
        Statement::Switch { selector, .. } => values.push(*selector),
        Statement::Loop { break_if, .. } => values.extend(*break_if),
        Statement::Return { value } => values.extend(*value),
        Statement::Store { pointer, value } => values.extend([*pointer, *value]),
        Statement::Atomic {
            pointer,
            fun,
            value,
            ..
        } => {
            values.extend([*pointer, *value]);
            if let naga::AtomicFunction::Exchange {
                compare: Some(compare),
            } = fun
            {
                values.push(*compare);
            }
        }
        Statement::WorkGroupUniformLoad { pointer, .. } => values.push(*pointer),
        Statement::Call { arguments, .. } => values.extend(arguments),
        Statement::SubgroupBallot { predicate, .. } => values.extend(*predicate),
        Statement::SubgroupCollectiveOperation { argument, .. } => values.push(*argument),
        Statement::SubgroupGather { mode, argument, .. } => {
            values.push(*argument);
            use naga::GatherMode as Mode;
            if let Mode::Broadcast(index)
            | Mode::Shuffle(index)
            | Mode::ShuffleDown(index)
            | Mode::ShuffleUp(index)
            | Mode::ShuffleXor(index)
            | Mode::QuadBroadcast(index) = mode
            {
                values.push(*index);
            }
        }
        _ => {}
    }
}

/// The values that an expression is made of. Images and rays are not offered to kernels.
pub(super) fn operands(expression: &Expression, values: &mut Vec<Handle<Expression>>) {
    match expression {
        Expression::Compose { components, .. } => values.extend(components),
        Expression::Access { base, index } => values.extend([*base, *index]),
        Expression::AccessIndex { base, .. } => values.push(*base),
        Expression::Splat { value, .. } => values.push(*value),
        Expression::Swizzle { vector, .. } => values.push(*vector),
        Expression::Load { pointer } => values.push(*pointer),
        Expression::Unary { expr, .. } | Expression::As { expr, .. } => values.push(*expr),
        Expression::Binary { left, right, .. } => values.extend([*left, *right]),
        Expression::Select {
            condition,
            accept,
            reject,
        } => values.extend([*condition, *accept, *reject]),
        Expression::Relational { argument, .. } => values.push(*argument),
        Expression::Math {
            arg,
            arg1,
            arg2,
            arg3,
            ..
        } => {
            values.push(*arg);
            values.extend([*arg1, *arg2, *arg3].into_iter().flatten());
        }
        Expression::ArrayLength(array) => values.push(*array),
        _ => {}
    }
}

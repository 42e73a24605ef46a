//! How deep a module's parts stand in each other.
//!
//! SPIR-V is flat, WGSL is not, and whoever reads WGSL goes down into it. Expressions are brought up by names, as many as are needed;
//! branches stay where they are, and too many of them within each other are refused.

use naga::{Expression, Function, Handle, Module, Statement};

/// How deep blocks may stand in each other.
pub(super) const MAX_BLOCKS: usize = 48;
/// How deep expressions stand in each other, from one that has a name to the next.
const MAX_EXPRESSIONS: u32 = 12;

/// How deep blocks stand in each other at most.
pub(super) fn blocks(module: &Module) -> usize {
    let bodies = functions(module).map(|function| (&function.body, 1));
    let mut waiting: Vec<_> = bodies.collect();
    let mut deepest = 0;
    while let Some((block, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        let mut add = |block| waiting.push((block, depth + 1));
        for statement in block.iter() {
            match statement {
                Statement::Block(block) => add(block),
                Statement::If { accept, reject, .. } => {
                    add(accept);
                    add(reject);
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    add(body);
                    add(continuing);
                }
                Statement::Switch { cases, .. } => cases.iter().for_each(|case| add(&case.body)),
                _ => {}
            }
        }
    }
    deepest
}

fn functions(module: &Module) -> impl Iterator<Item = &Function> {
    let functions = module.functions.iter().map(|(_, function)| function);
    functions.chain(module.entry_points.iter().map(|entry| &entry.function))
}

/// Gives names to expressions within expressions.
pub(super) fn name_expressions(module: &mut Module) {
    for (_, function) in module.functions.iter_mut() {
        name_in(function);
    }
    for entry in &mut module.entry_points {
        name_in(&mut entry.function);
    }
}

fn name_in(function: &mut Function) {
    let mut depths: Vec<u32> = Vec::with_capacity(function.expressions.len());
    let mut deep = Vec::new();
    for (handle, expression) in function.expressions.iter() {
        let below = operands(expression);
        let below = below.iter().filter_map(|one| depths.get(one.index()));
        let mut depth = below.max().map_or(0, |depth| depth + 1);
        if depth >= MAX_EXPRESSIONS && is_value(expression) {
            deep.push(handle);
            depth = 0;
        }
        depths.push(depth);
    }
    for handle in deep {
        let name = || format!("part_{}", handle.index());
        function
            .named_expressions
            .entry(handle)
            .or_insert_with(name);
    }
}

/// Whether an expression is a value that a name may stand for.
fn is_value(expression: &Expression) -> bool {
    matches!(
        expression,
        Expression::Binary { .. }
            | Expression::Unary { .. }
            | Expression::Select { .. }
            | Expression::Math { .. }
            | Expression::As { .. }
            | Expression::Relational { .. }
            | Expression::Compose { .. }
    )
}

/// The expressions that an expression is written with.
fn operands(expression: &Expression) -> Vec<Handle<Expression>> {
    match *expression {
        Expression::Binary { left, right, .. } => vec![left, right],
        Expression::Unary { expr, .. } | Expression::As { expr, .. } => vec![expr],
        Expression::Select {
            condition,
            accept,
            reject,
        } => vec![condition, accept, reject],
        Expression::Math {
            arg,
            arg1,
            arg2,
            arg3,
            ..
        } => [Some(arg), arg1, arg2, arg3]
            .into_iter()
            .flatten()
            .collect(),
        Expression::Relational { argument, .. } => vec![argument],
        Expression::Access { base, index } => vec![base, index],
        Expression::AccessIndex { base, .. } => vec![base],
        Expression::Splat { value, .. } => vec![value],
        Expression::Swizzle { vector, .. } => vec![vector],
        Expression::Compose { ref components, .. } => components.clone(),
        // What is loaded has a name already.
        _ => Vec::new(),
    }
}

//! Where one function indexes tables.

use super::super::skipped::{inner, operands, taken};
use super::{Load, Tables};
use naga::valid::FunctionInfo;
use naga::{ArraySize, Block, Expression, Function, Handle, Module, Scalar, TypeInner};
use std::collections::{HashMap, HashSet};

/// One step into a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// By a number of that type, known at run time, into so many.
    Index(Scalar, u32),
    /// To a member, an element or a component.
    Member(u32),
}

/// A value that is found in a table.
pub(super) struct Site {
    pub(super) load: Load,
    pub(super) indices: Vec<Handle<Expression>>,
}

/// What one function finds in tables.
#[derive(Default)]
pub(super) struct Sites {
    pub(super) found: HashMap<Handle<Expression>, Site>,
    /// Values on the way to one that is found, of no use otherwise.
    pub(super) passed: HashSet<Handle<Expression>>,
}

/// A way into a table.
#[derive(Clone)]
struct Way {
    member: u32,
    steps: Vec<Step>,
    indices: Vec<Handle<Expression>>,
}

impl Sites {
    pub(super) fn of(
        module: &Module,
        function: &Function,
        info: &FunctionInfo,
        tables: &mut Tables,
    ) -> Self {
        let ways = ways(module, function, info, tables);
        let mut sites = Self::default();
        if ways.is_empty() {
            return sites;
        }
        let wanted = wanted(function, &ways);
        for (handle, way) in ways {
            if !wanted.contains(&handle) {
                sites.passed.insert(handle);
                continue;
            }
            let result = info[handle].ty.inner_with(&module.types).clone();
            let load = Load {
                member: way.member,
                way: way.steps,
                result,
            };
            let indices = way.indices;
            sites.found.insert(handle, Site { load, indices });
        }
        sites
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

/// The values that lie in tables, with the ways there.
fn ways(
    module: &Module,
    function: &Function,
    info: &FunctionInfo,
    tables: &mut Tables,
) -> HashMap<Handle<Expression>, Way> {
    let mut ways: HashMap<Handle<Expression>, Way> = HashMap::new();
    let mut members: HashMap<Handle<Expression>, Option<u32>> = HashMap::new();
    for (handle, expression) in function.expressions.iter() {
        let (base, index) = match *expression {
            Expression::Access { base, index } => (base, Some(index)),
            Expression::AccessIndex { base, .. } => (base, None),
            _ => continue,
        };
        let way = match (ways.get(&base), index) {
            (Some(way), _) => Some(way.clone()),
            // A table is one where it is indexed at run time.
            (None, Some(_)) => members
                .entry(base)
                .or_insert_with(|| tables.member(module, function, base))
                .map(|member| Way {
                    member,
                    steps: Vec::new(),
                    indices: Vec::new(),
                }),
            (None, None) => None,
        };
        let Some(mut way) = way else {
            continue;
        };
        match (index, expression) {
            (Some(index), _) => {
                let TypeInner::Scalar(scalar) = *info[index].ty.inner_with(&module.types) else {
                    continue;
                };
                let Some(count) = count(module, info, base) else {
                    continue;
                };
                way.steps.push(Step::Index(scalar, count));
                way.indices.push(index);
            }
            (None, Expression::AccessIndex { index, .. }) => way.steps.push(Step::Member(*index)),
            _ => continue,
        }
        ways.insert(handle, way);
    }
    ways
}

/// How many elements or components a value has.
fn count(module: &Module, info: &FunctionInfo, value: Handle<Expression>) -> Option<u32> {
    match *info[value].ty.inner_with(&module.types) {
        TypeInner::Array {
            size: ArraySize::Constant(count),
            ..
        } => Some(count.get()),
        TypeInner::Vector { size, .. } => Some(size as u32),
        _ => None,
    }
}

/// The values that something takes, steps further into tables left out.
fn wanted(
    function: &Function,
    ways: &HashMap<Handle<Expression>, Way>,
) -> HashSet<Handle<Expression>> {
    let mut wanted = Vec::new();
    for (handle, expression) in function.expressions.iter() {
        match *expression {
            Expression::Access { index, .. } if ways.contains_key(&handle) => wanted.push(index),
            Expression::AccessIndex { .. } if ways.contains_key(&handle) => {}
            _ => operands(expression, &mut wanted),
        }
    }
    of_block(&function.body, &mut wanted);
    wanted.into_iter().collect()
}

fn of_block(block: &Block, wanted: &mut Vec<Handle<Expression>>) {
    for statement in block {
        taken(statement, wanted);
        inner(statement)
            .into_iter()
            .for_each(|block| of_block(block, wanted));
    }
}

//! The loops and calls of one function, and which loop each of its values is made in.

use crate::admission::FunctionId;
use crate::blocks::blocks_in;
use naga::{Block, Expression, Function, Handle, LocalVariable, Span, Statement};
use std::collections::HashMap;

/// A loop.
#[derive(Clone, Copy)]
pub(super) struct LoopSite<'a> {
    pub(super) body: &'a Block,
    pub(super) continuing: &'a Block,
    pub(super) break_if: Option<Handle<Expression>>,
    pub(super) span: Span,
    /// The loop around it.
    pub(super) parent: Option<usize>,
    /// How many loops of the function are around it.
    pub(super) depth: u32,
}

/// A call.
pub(super) struct CallSite<'a> {
    pub(super) callee: Handle<Function>,
    pub(super) arguments: &'a [Handle<Expression>],
    /// The innermost loop around it.
    pub(super) home: Option<usize>,
}

/// A function, looked through once.
pub(super) struct Outline<'a> {
    pub(super) id: FunctionId,
    /// In the order of the text, an outer loop before those inside.
    pub(super) loops: Vec<LoopSite<'a>>,
    pub(super) calls: Vec<CallSite<'a>>,
    /// By the result's expression: its call.
    pub(super) results: HashMap<Handle<Expression>, usize>,
    /// By the variable's index: what is stored to it as a whole.
    pub(super) stores: Vec<Vec<Handle<Expression>>>,
    /// What it returns.
    pub(super) returned: Vec<Handle<Expression>>,
    /// By the expression's index: the innermost loop that it is evaluated in.
    homes: Vec<Option<usize>>,
}

impl<'a> Outline<'a> {
    /// Looks through a function.
    pub(super) fn of(id: FunctionId, function: &'a Function) -> Self {
        let mut outline = Self {
            id,
            loops: Vec::new(),
            calls: Vec::new(),
            results: HashMap::new(),
            stores: vec![Vec::new(); function.local_variables.len()],
            returned: Vec::new(),
            homes: vec![None; function.expressions.len()],
        };
        outline.take(function, &function.body, None);
        outline
    }

    /// The loops that an expression is evaluated in, from the inside out.
    pub(super) fn around(&self, handle: Handle<Expression>) -> impl Iterator<Item = usize> + '_ {
        let innermost = self.homes.get(handle.index()).copied().flatten();
        std::iter::successors(innermost, |number| self.loops.get(*number)?.parent)
    }

    /// Whether an expression is evaluated in each turn of a loop that needs it.
    pub(super) fn is_made_in(&self, number: usize, handle: Handle<Expression>) -> bool {
        self.around(handle).any(|around| around == number)
    }

    fn take(&mut self, function: &'a Function, block: &'a Block, home: Option<usize>) {
        for (statement, span) in block.span_iter() {
            let mut inside = home;
            match statement {
                Statement::Emit(range) => range.clone().for_each(|handle| {
                    self.homes[handle.index()] = home;
                }),
                Statement::Store { pointer, value } => {
                    if let Expression::LocalVariable(variable) = function.expressions[*pointer] {
                        self.stores_to(variable).push(*value);
                    }
                }
                Statement::Return { value } => self.returned.extend(value),
                Statement::Call {
                    function: callee,
                    arguments,
                    result,
                } => {
                    let number = self.calls.len();
                    self.results.extend(result.map(|result| (result, number)));
                    self.calls.push(CallSite {
                        callee: *callee,
                        arguments,
                        home,
                    });
                }
                Statement::Loop {
                    body,
                    continuing,
                    break_if,
                } => {
                    inside = Some(self.loops.len());
                    let depth = home.map_or(0, |home| self.loops[home].depth + 1);
                    self.loops.push(LoopSite {
                        body,
                        continuing,
                        break_if: *break_if,
                        span: *span,
                        parent: home,
                        depth,
                    });
                }
                _ => {}
            }
            blocks_in(statement).for_each(|block| self.take(function, block, inside));
        }
    }

    fn stores_to(&mut self, variable: Handle<LocalVariable>) -> &mut Vec<Handle<Expression>> {
        &mut self.stores[variable.index()]
    }
}

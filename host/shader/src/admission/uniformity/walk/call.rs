//! Calls: what they require, what they give, and what they write.

use super::super::graph::{CallerInput, DIFFERENT, Found, Graph, Node, SAME};
use super::super::pointer;
use super::super::summary::{CollectiveOperation, Requirement, Summary};
use super::{Call, Walk};
use crate::admission::refusal::{RefusalReason, ShaderRefusal};
use naga::{Block, Expression, Function, Handle, Span, Statement};
use std::rc::Rc;

impl Walk<'_> {
    pub(super) fn call(
        &mut self,
        callee: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
        place: Span,
        flow: Node,
    ) -> Result<(), ShaderRefusal> {
        let summaries = self.summaries;
        let Some(summary) = summaries.get(callee.index()) else {
            return Err(self.source.refuse(place, RefusalReason::FrontEnd));
        };
        self.check_aliases(summary, arguments, place)?;
        let mut given = Vec::new();
        for argument in arguments {
            given.push(self.give_argument(*argument));
        }
        let of_input = |input: CallerInput| match input {
            CallerInput::Flow => flow,
            CallerInput::Value(argument) => {
                given.get(argument).map_or(DIFFERENT, |(value, _)| *value)
            }
            CallerInput::Contents(argument) => given
                .get(argument)
                .map_or(DIFFERENT, |(_, contents)| *contents),
        };
        for (input, operation) in &summary.required {
            let within = operation
                .within
                .clone()
                .unwrap_or_else(|| Rc::clone(&summary.name));
            self.requirements.push(Requirement {
                node: of_input(*input),
                place,
                operation: CollectiveOperation {
                    within: Some(within),
                    ..operation.clone()
                },
            });
        }
        let joined = |graph: &mut Graph, found: &Found| {
            let different = found.is_different.then_some(DIFFERENT);
            graph.join(
                found
                    .inputs
                    .iter()
                    .map(|input| of_input(*input))
                    .chain(different),
            )
        };
        for (argument, found) in &summary.written {
            let value = joined(&mut self.graph, found);
            if let Some(pointer) = arguments.get(*argument) {
                self.store(*pointer, value, flow);
            }
        }
        if let Some(result) = result {
            let node = joined(&mut self.graph, &summary.result);
            self.give(result, node);
        }
        self.calls.push(Call {
            callee,
            flow,
            arguments: given,
        });
        Ok(())
    }

    /// The value of an argument, and what it points to.
    pub(super) fn give_argument(&mut self, argument: Handle<Expression>) -> (Node, Node) {
        let inner = self.scope.info[argument]
            .ty
            .inner_with(&self.scope.module.types);
        if !pointer::is_pointer(inner) {
            return (self.value(argument), SAME);
        }
        let pointer = self.follow(argument);
        (self.address(&pointer), self.contents(&pointer))
    }

    /// Refuses two pointers into one variable of which one is written through: a function is analysed as if
    /// its arguments pointed to different things, as WGSL asks.
    pub(super) fn check_aliases(
        &self,
        summary: &Summary,
        arguments: &[Handle<Expression>],
        place: Span,
    ) -> Result<(), ShaderRefusal> {
        let mut slots: Vec<(usize, usize)> = arguments
            .iter()
            .enumerate()
            .filter(|(_, handle)| {
                let inner = self.scope.info[**handle]
                    .ty
                    .inner_with(&self.scope.module.types);
                pointer::is_pointer(inner)
            })
            .filter_map(|(argument, handle)| {
                Some((self.slot(self.follow(*handle).root)?, argument))
            })
            .collect();
        slots.sort_unstable();
        let is_written = |argument| {
            summary
                .written
                .iter()
                .any(|(written, _)| *written == argument)
        };
        let is_aliased = |pair: &[(usize, usize)]| match pair {
            [(left, first), (right, second)] => {
                left == right && (is_written(*first) || is_written(*second))
            }
            _ => false,
        };
        if slots.windows(2).any(is_aliased) {
            let name = summary.name.to_string();
            return Err(self
                .source
                .refuse(place, RefusalReason::AliasedPointers(name)));
        }
        Ok(())
    }

    /// The slots that a block may write, its calls included.
    pub(super) fn written_slots(&self, block: &Block) -> Vec<usize> {
        let mut slots = Vec::new();
        self.collect_written(block, &mut slots);
        slots
    }

    pub(super) fn collect_written(&self, block: &Block, slots: &mut Vec<usize>) {
        for statement in block {
            match *statement {
                Statement::Store { pointer, .. } => {
                    slots.extend(self.slot(self.follow(pointer).root))
                }
                Statement::Call {
                    function,
                    ref arguments,
                    ..
                } => {
                    let summary = self.summaries.get(function.index());
                    for (argument, _) in summary.iter().flat_map(|summary| &summary.written) {
                        let pointer = arguments.get(*argument).map(|handle| self.follow(*handle));
                        slots.extend(pointer.and_then(|pointer| self.slot(pointer.root)));
                    }
                }
                Statement::Block(ref inner) => self.collect_written(inner, slots),
                Statement::If {
                    ref accept,
                    ref reject,
                    ..
                } => {
                    self.collect_written(accept, slots);
                    self.collect_written(reject, slots);
                }
                Statement::Switch { ref cases, .. } => {
                    for case in cases {
                        self.collect_written(&case.body, slots);
                    }
                }
                Statement::Loop {
                    ref body,
                    ref continuing,
                    ..
                } => {
                    self.collect_written(body, slots);
                    self.collect_written(continuing, slots);
                }
                _ => {}
            }
        }
    }
}

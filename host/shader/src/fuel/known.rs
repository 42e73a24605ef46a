//! How many turns all loops of an invocation make together, as far as that is known.
//!
//! Some drivers end the loops of an invocation, silently, after so many turns ([`super::FuelOptions::turns`]). A shader that
//! certainly makes more cannot work there; one that certainly makes fewer needs no check.

use super::facts::{self, LoopFacts};
use super::plan::leaves;
use crate::admission::Admitted;
use naga::{Block, Function, Handle, Module, Span, Statement};

/// Loops of up to so many turns may be unrolled by a driver, and are no loops then.
const UNROLLED: u64 = 64;

/// Turns of an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct LoopTurns {
    /// At least so many.
    pub(super) least: u64,
    /// At most so many: of either side of every branch, since a driver may run both for its neighbours.
    pub(super) most: u64,
    /// The loop that makes most of [`Self::least`], and how many.
    pub(super) longest: Option<(u64, Span)>,
}

impl LoopTurns {
    /// The turns of an admitted shader.
    pub(super) fn of(admitted: &Admitted) -> Self {
        let module = admitted.module();
        let mut functions = Vec::with_capacity(module.functions.len());
        for (_, function) in module.functions.iter() {
            let turns = KnownWalk::of(module, function, &functions);
            functions.push(turns);
        }
        KnownWalk::of(module, &admitted.entry_point().function, &functions)
    }

    fn and(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
            longest: self.longest_of(other),
        }
    }

    fn or(self, other: Self) -> Self {
        let fewer = match self.least <= other.least {
            true => self,
            false => other,
        };
        Self {
            most: self.most.saturating_add(other.most),
            ..fewer
        }
    }

    fn longest_of(self, other: Self) -> Option<(u64, Span)> {
        let both = [self.longest, other.longest].into_iter().flatten();
        both.max_by_key(|(turns, _)| *turns)
    }
}

struct KnownWalk<'a> {
    functions: &'a [LoopTurns],
    facts: Vec<LoopFacts>,
    /// Of the next loop.
    number: usize,
}

impl<'a> KnownWalk<'a> {
    fn of(module: &Module, function: &Function, functions: &'a [LoopTurns]) -> LoopTurns {
        let facts = facts::of_function(module, function);
        let mut walk = Self {
            functions,
            facts,
            number: 0,
        };
        walk.block(&function.body, None)
    }

    /// A block; the body of a loop that counts with the place where that is left.
    fn block(&mut self, block: &Block, head: Option<usize>) -> LoopTurns {
        let (mut turns, mut is_certain) = (LoopTurns::default(), true);
        for (position, (statement, span)) in block.span_iter().enumerate() {
            let more = self.statement(statement, *span);
            turns = match is_certain {
                true => turns.and(more),
                false => LoopTurns {
                    most: turns.most.saturating_add(more.most),
                    ..turns
                },
            };
            is_certain &= Some(position) == head || !leaves(statement);
        }
        turns
    }

    fn statement(&mut self, statement: &Statement, span: Span) -> LoopTurns {
        match statement {
            Statement::Block(inner) => self.block(inner, None),
            Statement::If { accept, reject, .. } => {
                let accepted = self.block(accept, None);
                accepted.or(self.block(reject, None))
            }
            Statement::Switch { cases, .. } => {
                let cases = cases.iter().map(|case| self.block(&case.body, None));
                cases.reduce(LoopTurns::or).unwrap_or_default()
            }
            Statement::Loop {
                body, continuing, ..
            } => self.turns(body, continuing, span),
            Statement::Call { function, .. } => self.callee(*function),
            _ => LoopTurns::default(),
        }
    }

    fn callee(&self, function: Handle<Function>) -> LoopTurns {
        self.functions
            .get(function.index())
            .copied()
            .unwrap_or_default()
    }

    fn turns(&mut self, body: &Block, continuing: &Block, span: Span) -> LoopTurns {
        let facts = self.facts.get(self.number).copied().unwrap_or_default();
        self.number += 1;
        let head = facts.counting.map(|counting| counting.head);
        let body = self.block(body, head);
        let inside = body.and(self.block(continuing, None));
        let Some(turns) = facts.turns else {
            return LoopTurns {
                most: u64::MAX,
                ..LoopTurns::default()
            };
        };
        let is_whole = facts
            .counting
            .is_some_and(|counting| !counting.has_other_exits);
        let own = match turns > UNROLLED {
            true => turns,
            false => 0,
        };
        let least = match is_whole {
            true => own.saturating_add(turns.saturating_mul(inside.least)),
            false => 0,
        };
        LoopTurns {
            least,
            // The last look at the test is a turn to a driver.
            most: turns
                .saturating_mul(inside.most.saturating_add(1))
                .saturating_add(1),
            longest: (least > 0).then_some((least, span)),
        }
    }
}

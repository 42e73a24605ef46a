//! What one turn of a loop does, by kind: the weights of the metering, told apart.
//!
//! Calls are inlined, bottom-up and saturating, as where they are weighed; of the ways through a branch the dearest is
//! taken. Loops inside are left out, since they are told of by themselves.

use crate::admission::{Admitted, FunctionId, Scope};
use hotcell_model::shader::Work;
use naga::{Block, Expression, Handle, ScalarKind, Statement, SwitchCase};

/// The work of every function, each of its loops apart.
pub(super) struct AllWork<'a> {
    admitted: &'a Admitted,
    /// By the function's index.
    functions: Vec<FunctionWork>,
}

/// The work of a function.
#[derive(Debug, Default)]
pub(super) struct FunctionWork {
    /// Outside of its loops.
    pub(super) outside: Work,
    /// In one turn of each loop, outside of those inside; in the order of the text, an outer loop before those inside.
    pub(super) turns: Vec<Work>,
}

impl<'a> AllWork<'a> {
    /// The work of an admitted shader's functions, and that of its entry point.
    pub(super) fn of(admitted: &'a Admitted) -> (Vec<FunctionWork>, FunctionWork) {
        let mut all = Self {
            admitted,
            functions: Vec::with_capacity(admitted.module().functions.len()),
        };
        for (handle, _) in admitted.module().functions.iter() {
            let work = all.of_function(FunctionId::Function(handle));
            all.functions.push(work);
        }
        let mut entry = all.of_function(FunctionId::Entry);
        let start = memory(admitted.cost().of_start());
        entry.outside = and(entry.outside, start);
        (all.functions, entry)
    }

    fn of_function(&self, id: FunctionId) -> FunctionWork {
        let Some(scope) = self.admitted.scope(id) else {
            return FunctionWork::default();
        };
        let mut walk = WorkWalk {
            all: self,
            scope,
            turns: Vec::new(),
        };
        let body = walk.block(&scope.function.body);
        let locals = memory(self.admitted.cost().of_locals(scope.function));
        FunctionWork {
            outside: and(body, locals),
            turns: walk.turns,
        }
    }
}

struct WorkWalk<'a> {
    all: &'a AllWork<'a>,
    scope: Scope<'a>,
    turns: Vec<Work>,
}

impl WorkWalk<'_> {
    fn block(&mut self, block: &Block) -> Work {
        block.iter().fold(Work::default(), |work, statement| {
            and(work, self.statement(statement))
        })
    }

    fn statement(&mut self, statement: &Statement) -> Work {
        match statement {
            Statement::Block(inner) => self.block(inner),
            Statement::If { accept, reject, .. } => {
                let sides = [self.block(accept), self.block(reject)];
                and(self.alone(statement), dearer(sides))
            }
            Statement::Switch { cases, .. } => {
                let ways: Vec<Work> = cases.iter().map(|case| self.block(&case.body)).collect();
                and(self.alone(statement), dearest(cases, &ways))
            }
            Statement::Loop {
                body, continuing, ..
            } => {
                let number = self.turns.len();
                self.turns.push(Work::default());
                let turn = and(self.block(body), self.block(continuing));
                self.turns[number] = and(turn, self.alone(statement));
                Work::default()
            }
            Statement::Call { function, .. } => {
                let callee = self.all.functions.get(function.index());
                let callee = callee.map(|work| work.outside).unwrap_or_default();
                and(self.alone(statement), callee)
            }
            _ => self.alone(statement),
        }
    }

    /// A statement without those inside of it, and without what it calls.
    fn alone(&self, statement: &Statement) -> Work {
        let cost = self.all.admitted.cost();
        let weight = cost.of_statement(self.scope, statement);
        match statement {
            Statement::Emit(range) => range
                .clone()
                .map(|handle| self.expression(handle))
                .fold(Work::default(), and),
            Statement::Store { .. } => memory(weight),
            Statement::Atomic { .. } => Work {
                atomics: 1,
                ..memory(weight)
            },
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => Work {
                barriers: 1,
                ..memory(weight)
            },
            // One before the load and one after.
            Statement::WorkGroupUniformLoad { .. } => Work {
                barriers: 2,
                ..memory(weight)
            },
            Statement::SubgroupGather { result, .. }
            | Statement::SubgroupCollectiveOperation { result, .. } => {
                self.of_kind(&[*result], weight)
            }
            _ => integer(weight),
        }
    }

    fn expression(&self, handle: Handle<Expression>) -> Work {
        use Expression as E;
        let weight = self.all.admitted.cost().of_expression(self.scope, handle);
        match self.scope.function.expressions[handle] {
            E::Load { .. } | E::ArrayLength(_) => memory(weight),
            E::Access { .. } => memory(weight),
            E::AccessIndex { base, .. } if self.is_pointer(base) => memory(weight),
            E::Binary { left, .. } => self.of_kind(&[handle, left], weight),
            E::Math { arg, .. } => self.of_kind(&[handle, arg], weight),
            E::As { expr, .. } => self.of_kind(&[handle, expr], weight),
            E::Relational { argument, .. } => self.of_kind(&[handle, argument], weight),
            _ => self.of_kind(&[handle], weight),
        }
    }

    /// Floating-point work, if one of the values is of that kind.
    fn of_kind(&self, values: &[Handle<Expression>], weight: u64) -> Work {
        let types = &self.scope.module.types;
        let is_floating = values.iter().any(|handle| {
            let kind = self.scope.info[*handle].ty.inner_with(types).scalar_kind();
            kind == Some(ScalarKind::Float)
        });
        match is_floating {
            true => Work {
                floating: weight,
                ..Work::default()
            },
            false => integer(weight),
        }
    }

    fn is_pointer(&self, handle: Handle<Expression>) -> bool {
        let inner = self.scope.info[handle]
            .ty
            .inner_with(&self.scope.module.types);
        inner.pointer_space().is_some()
    }
}

fn memory(weight: u64) -> Work {
    Work {
        memory: weight,
        ..Work::default()
    }
}

fn integer(weight: u64) -> Work {
    Work {
        integer: weight,
        ..Work::default()
    }
}

/// Both.
pub(super) fn and(one: Work, two: Work) -> Work {
    Work {
        floating: one.floating.saturating_add(two.floating),
        integer: one.integer.saturating_add(two.integer),
        memory: one.memory.saturating_add(two.memory),
        barriers: one.barriers.saturating_add(two.barriers),
        atomics: one.atomics.saturating_add(two.atomics),
    }
}

/// One of two ways: the operations of the dearer, and as many barriers and atomics as one of them has.
fn dearer([one, two]: [Work; 2]) -> Work {
    let dear = match one.operations() >= two.operations() {
        true => one,
        false => two,
    };
    Work {
        barriers: one.barriers.max(two.barriers),
        atomics: one.atomics.max(two.atomics),
        ..dear
    }
}

/// The dearest way through the cases of a `switch`, of which one may fall through to the next.
fn dearest(cases: &[SwitchCase], ways: &[Work]) -> Work {
    let (mut most, mut way) = (Work::default(), Work::default());
    for (case, work) in cases.iter().zip(ways) {
        way = and(way, *work);
        most = dearer([most, way]);
        if !case.fall_through {
            way = Work::default();
        }
    }
    most
}

//! Local variables whose every change can be seen: integers that are only ever loaded and stored by name.
//!
//! A variable whose address goes anywhere else (into a call, above all) may change behind the analysis' back and
//! is not looked at further.

use super::trips::Values;
use crate::blocks::blocks_in;
use naga::{
    Block, Expression, Function, Handle, LocalVariable, Module, Scalar, Statement, TypeInner,
};

/// The visible local variables of a function.
pub(crate) struct Locals<'a> {
    function: &'a Function,
    /// By the variable's index; `None` for those that are not visible.
    values: Vec<Option<Values>>,
}

impl<'a> Locals<'a> {
    pub(crate) fn of(module: &Module, function: &'a Function) -> Self {
        let values = function
            .local_variables
            .iter()
            .map(|(_, variable)| match module.types[variable.ty].inner {
                TypeInner::Scalar(Scalar::I32) => Some(Values::I32),
                TypeInner::Scalar(Scalar::U32) => Some(Values::U32),
                _ => None,
            })
            .collect();
        let mut locals = Self { function, values };
        for (_, expression) in function.expressions.iter() {
            locals.hide_operands(expression);
        }
        locals.hide_arguments(&function.body);
        locals
    }

    /// The values that a visible variable can have.
    pub(crate) fn values(&self, variable: Handle<LocalVariable>) -> Option<Values> {
        self.values.get(variable.index()).copied().flatten()
    }

    /// The visible variable that a pointer points to.
    pub(crate) fn pointee(&self, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
        match self.function.expressions[pointer] {
            Expression::LocalVariable(variable) => self.values(variable).map(|_| variable),
            _ => None,
        }
    }

    /// The visible variable that an expression loads.
    pub(crate) fn loaded(&self, value: Handle<Expression>) -> Option<Handle<LocalVariable>> {
        match self.function.expressions[value] {
            Expression::Load { pointer } => self.pointee(pointer),
            _ => None,
        }
    }

    fn hide(&mut self, handle: Handle<Expression>) {
        if let Expression::LocalVariable(variable) = self.function.expressions[handle]
            && let Some(values) = self.values.get_mut(variable.index())
        {
            *values = None;
        }
    }

    /// A load is the one expression that a pointer to an integer is for; these are the others that the validator
    /// might let one into.
    fn hide_operands(&mut self, expression: &Expression) {
        match expression {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.hide(*base);
            }
            Expression::Compose { components, .. } => {
                components.iter().for_each(|handle| self.hide(*handle));
            }
            Expression::Select { accept, reject, .. } => {
                self.hide(*accept);
                self.hide(*reject);
            }
            _ => {}
        }
    }

    /// Hides what is an operand of a statement, other than as the place of a store.
    fn hide_arguments(&mut self, block: &Block) {
        for statement in block {
            match statement {
                Statement::Call { arguments, .. } => {
                    arguments.iter().for_each(|handle| self.hide(*handle));
                }
                Statement::Store { value: handle, .. }
                | Statement::Return {
                    value: Some(handle),
                }
                | Statement::Atomic {
                    pointer: handle, ..
                } => self.hide(*handle),
                _ => blocks_in(statement).for_each(|block| self.hide_arguments(block)),
            }
        }
    }
}

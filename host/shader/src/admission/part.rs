//! Refuses a call that is given a pointer to a part of a variable.
//!
//! WGSL has such calls where a device offers them; naga's validator lets them pass and its SPIR-V back end, which has no
//! name for the part, panics on them. A pointer to a whole variable, and one that a function was given itself, go on.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use naga::{Block, Expression, Function, Handle, Module, Statement, TypeInner};

/// Looks at every call of a module.
pub(super) fn check(source: ShaderText<'_>, module: &Module) -> Result<(), ShaderRefusal> {
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    let functions = module.functions.iter().map(|(_, function)| function);
    functions.chain(entries).try_for_each(|caller| {
        let calls = Calls {
            source,
            module,
            caller,
        };
        calls.check_block(&caller.body)
    })
}

/// The calls of one function.
struct Calls<'a> {
    source: ShaderText<'a>,
    module: &'a Module,
    caller: &'a Function,
}

impl Calls<'_> {
    fn check_block(&self, block: &Block) -> Result<(), ShaderRefusal> {
        block.iter().try_for_each(|statement| match statement {
            Statement::Call {
                function,
                arguments,
                ..
            } => self.check_call(*function, arguments),
            Statement::Block(inner) => self.check_block(inner),
            Statement::If { accept, reject, .. } => {
                self.check_block(accept)?;
                self.check_block(reject)
            }
            Statement::Switch { cases, .. } => cases
                .iter()
                .try_for_each(|case| self.check_block(&case.body)),
            Statement::Loop {
                body, continuing, ..
            } => {
                self.check_block(body)?;
                self.check_block(continuing)
            }
            _ => Ok(()),
        })
    }

    fn check_call(
        &self,
        callee: Handle<Function>,
        arguments: &[Handle<Expression>],
    ) -> Result<(), ShaderRefusal> {
        let callee = &self.module.functions[callee];
        for (parameter, argument) in callee.arguments.iter().zip(arguments) {
            let is_pointer = matches!(
                self.module.types[parameter.ty].inner,
                TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. }
            );
            if is_pointer && !is_whole(&self.caller.expressions[*argument]) {
                let span = self.caller.expressions.get_span(*argument);
                let name = callee.name.clone().unwrap_or_default();
                return Err(self.source.refuse(span, RefusalReason::PointerToPart(name)));
            }
        }
        Ok(())
    }
}

/// Whether a pointer is one to all of a variable, as far as its function can tell.
fn is_whole(pointer: &Expression) -> bool {
    matches!(
        pointer,
        Expression::GlobalVariable(_)
            | Expression::LocalVariable(_)
            | Expression::FunctionArgument(_)
    )
}

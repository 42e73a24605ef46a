//! Ends of functions that are never come to.
//!
//! WGSL lets a function that returns a value end in a `loop` that is left by `return` alone. The front end puts a `return`
//! of nothing behind it, which is not valid; here it becomes one of zeros. No run comes to it but one whose loop ran
//! out of fuel. A `while (true)` is taken for such a loop. Where the end can be come to, the function is refused.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use naga::{
    Arena, Block, Constant, Expression, Function, Handle, Literal, Module, Span, Statement,
};

/// Looks at every function that returns a value.
pub(super) fn complete(source: ShaderText<'_>, module: &mut Module) -> Result<(), ShaderRefusal> {
    let constants = Constants {
        constants: &module.constants,
        expressions: &module.global_expressions,
    };
    let points = module.entry_points.iter_mut();
    let points = points.map(|point| (Span::UNDEFINED, &mut point.function));
    let functions = module.functions.iter_mut_span();
    let functions = functions.map(|(_, function, span)| (*span, function));
    for (span, function) in functions.chain(points) {
        if !complete_function(&constants, function) {
            let name = function.name.clone().unwrap_or_default();
            return Err(source.refuse(span, RefusalReason::MissingReturn(name)));
        }
    }
    Ok(())
}

/// Whether all that the front end added to a function could be completed.
fn complete_function(constants: &Constants<'_>, function: &mut Function) -> bool {
    let Some(result) = &function.result else {
        return true;
    };
    let zeros = Expression::ZeroValue(result.ty);
    let zeros = function.expressions.append(zeros, Span::UNDEFINED);
    let flow = Flow {
        constants,
        expressions: &function.expressions,
    };
    flow.complete(&mut function.body, zeros, true)
}

/// The constants of a module.
struct Constants<'a> {
    constants: &'a Arena<Constant>,
    expressions: &'a Arena<Expression>,
}

/// Where the statements of one function lead.
struct Flow<'a> {
    constants: &'a Constants<'a>,
    expressions: &'a Arena<Expression>,
}

/// How statements may be left, other than by `return` and `continue`.
#[derive(Clone, Copy, Default)]
struct Ways {
    falls: bool,
    breaks: bool,
}

impl Flow<'_> {
    /// Gives the added `return`s at the end of a block a value; whether none of them is ever come to.
    fn complete(&self, block: &mut Block, zeros: Handle<Expression>, is_reached: bool) -> bool {
        let Some((_, before)) = block.split_last() else {
            return true;
        };
        let is_reached = is_reached && self.of_all(before).falls;
        // What an author writes has a place.
        let is_added = block.span_iter().last().map(|(_, span)| *span) == Some(Span::UNDEFINED);
        match block.last_mut() {
            Some(Statement::Return { value }) if is_added && value.is_none() => {
                *value = Some(zeros);
                !is_reached
            }
            Some(Statement::Block(inner)) => self.complete(inner, zeros, is_reached),
            Some(Statement::If { accept, reject, .. }) => {
                self.complete(accept, zeros, is_reached) && self.complete(reject, zeros, is_reached)
            }
            Some(Statement::Switch { cases, .. }) => {
                let breaks = cases.iter().any(|case| self.of_all(&case.body).breaks);
                let mut cases = cases.iter_mut();
                let is_complete =
                    cases.all(|case| self.complete(&mut case.body, zeros, is_reached));
                is_complete && !(is_reached && breaks)
            }
            _ => true,
        }
    }

    fn of_all(&self, statements: &[Statement]) -> Ways {
        let mut ways = Ways {
            falls: true,
            breaks: false,
        };
        for statement in statements {
            let next = self.of(statement);
            ways.breaks |= ways.falls && next.breaks;
            ways.falls &= next.falls;
        }
        ways
    }

    fn of(&self, statement: &Statement) -> Ways {
        let falls = Ways {
            falls: true,
            breaks: false,
        };
        match statement {
            Statement::Break => Ways {
                falls: false,
                breaks: true,
            },
            Statement::Continue | Statement::Return { .. } => Ways::default(),
            Statement::Block(block) => self.of_all(block),
            Statement::If { .. } if self.is_no_end(statement) => falls,
            Statement::If { accept, reject, .. } => self.of_all(accept).or(self.of_all(reject)),
            Statement::Switch { cases, .. } => {
                let cases = cases.iter().map(|case| self.of_all(&case.body));
                let ways = cases.fold(Ways::default(), Ways::or);
                Ways {
                    falls: ways.falls || ways.breaks,
                    breaks: false,
                }
            }
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => Ways {
                falls: break_if.is_some()
                    || self.of_all(body).breaks
                    || self.of_all(continuing).breaks,
                breaks: false,
            },
            _ => falls,
        }
    }

    /// Whether a statement is the head of a `while (true)`: it leaves the loop where `true` is not.
    fn is_no_end(&self, statement: &Statement) -> bool {
        match statement {
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                accept.is_empty()
                    && matches!(reject[..], [Statement::Break])
                    && self.is_true(*condition)
            }
            _ => false,
        }
    }

    fn is_true(&self, condition: Handle<Expression>) -> bool {
        let value = match self.expressions[condition] {
            Expression::Constant(constant) => {
                let init = self.constants.constants[constant].init;
                &self.constants.expressions[init]
            }
            ref other => other,
        };
        matches!(value, Expression::Literal(Literal::Bool(true)))
    }
}

impl Ways {
    fn or(self, other: Self) -> Self {
        Self {
            falls: self.falls || other.falls,
            breaks: self.breaks || other.breaks,
        }
    }
}

//! Writes statements of naga's IR: every expression is evaluated where it is written.

use naga::{
    BinaryOperator, Block, Expression, Function, Handle, Literal, MathFunction, Range, ScalarKind,
    Span, Statement,
};

/// A block in the making.
pub(super) struct Code<'a> {
    pub(super) function: &'a mut Function,
    pub(super) block: Block,
}

impl<'a> Code<'a> {
    pub(super) fn new(function: &'a mut Function) -> Self {
        Self {
            function,
            block: Block::new(),
        }
    }

    /// A further block of the same function.
    pub(super) fn branch(&mut self) -> Code<'_> {
        Code::new(self.function)
    }

    pub(super) fn push(&mut self, statement: Statement) {
        self.block.push(statement, Span::UNDEFINED);
    }

    /// An expression, evaluated here.
    pub(super) fn value(&mut self, expression: Expression) -> Handle<Expression> {
        let is_always_there = expression.needs_pre_emit();
        let handle = self
            .function
            .expressions
            .append(expression, Span::UNDEFINED);
        if !is_always_there {
            self.push(Statement::Emit(Range::new_from_bounds(handle, handle)));
        }
        handle
    }

    pub(super) fn u32(&mut self, value: u32) -> Handle<Expression> {
        self.value(Expression::Literal(Literal::U32(value)))
    }

    pub(super) fn i32(&mut self, value: i32) -> Handle<Expression> {
        self.value(Expression::Literal(Literal::I32(value)))
    }

    pub(super) fn load(&mut self, pointer: Handle<Expression>) -> Handle<Expression> {
        self.value(Expression::Load { pointer })
    }

    pub(super) fn store(&mut self, pointer: Handle<Expression>, value: Handle<Expression>) {
        self.push(Statement::Store { pointer, value });
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::Binary { op, left, right })
    }

    pub(super) fn max(
        &mut self,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::Math {
            fun: MathFunction::Max,
            arg: left,
            arg1: Some(right),
            arg2: None,
            arg3: None,
        })
    }

    /// The same 32 bits as another integer type.
    pub(super) fn bits_as(
        &mut self,
        kind: ScalarKind,
        expr: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::As {
            expr,
            kind,
            convert: None,
        })
    }

    pub(super) fn member(&mut self, base: Handle<Expression>, index: u32) -> Handle<Expression> {
        self.value(Expression::AccessIndex { base, index })
    }

    pub(super) fn when(&mut self, condition: Handle<Expression>, accept: Block, reject: Block) {
        self.push(Statement::If {
            condition,
            accept,
            reject,
        });
    }
}

//! Writes statements of naga's IR: every expression is evaluated where it is written.

use naga::{
    AtomicFunction, BinaryOperator, Block, CollectiveOperation, Expression, Function, GatherMode,
    Handle, Literal, LocalVariable, MathFunction, Range, ScalarKind, Span, Statement,
    SubgroupOperation, Type,
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

    pub(super) fn math(
        &mut self,
        fun: MathFunction,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::Math {
            fun,
            arg: left,
            arg1: Some(right),
            arg2: None,
            arg3: None,
        })
    }

    pub(super) fn select(
        &mut self,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::Select {
            condition,
            accept,
            reject,
        })
    }

    /// A variable of the function. Each turn of a loop finds in it what the last one left.
    pub(super) fn local(&mut self, ty: Handle<Type>) -> Handle<Expression> {
        let variable = LocalVariable {
            name: None,
            ty,
            init: None,
        };
        let variables = &mut self.function.local_variables;
        let variable = variables.append(variable, Span::UNDEFINED);
        self.value(Expression::LocalVariable(variable))
    }

    /// An atomic operation on a word of type `ty`; what was there before.
    pub(super) fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: AtomicFunction,
        value: Handle<Expression>,
        ty: Handle<Type>,
    ) -> Handle<Expression> {
        let before = Expression::AtomicResult {
            ty,
            comparison: false,
        };
        let before = self.function.expressions.append(before, Span::UNDEFINED);
        self.push(Statement::Atomic {
            pointer,
            fun,
            value,
            result: Some(before),
        });
        before
    }

    /// What is in a word of workgroup memory, for all invocations together.
    pub(super) fn uniform_load(
        &mut self,
        pointer: Handle<Expression>,
        ty: Handle<Type>,
    ) -> Handle<Expression> {
        let result = Expression::WorkGroupUniformLoadResult { ty };
        let result = self.function.expressions.append(result, Span::UNDEFINED);
        self.push(Statement::WorkGroupUniformLoad { pointer, result });
        result
    }

    /// The sum of a word of type `ty` over the invocations of a subgroup that come here.
    pub(super) fn subgroup_sum(
        &mut self,
        argument: Handle<Expression>,
        ty: Handle<Type>,
    ) -> Handle<Expression> {
        let result = self.of_subgroup(ty);
        self.push(Statement::SubgroupCollectiveOperation {
            op: SubgroupOperation::Add,
            collective_op: CollectiveOperation::Reduce,
            argument,
            result,
        });
        result
    }

    /// The word of the first of them.
    pub(super) fn subgroup_first(
        &mut self,
        argument: Handle<Expression>,
        ty: Handle<Type>,
    ) -> Handle<Expression> {
        let result = self.of_subgroup(ty);
        self.push(Statement::SubgroupGather {
            mode: GatherMode::BroadcastFirst,
            argument,
            result,
        });
        result
    }

    fn of_subgroup(&mut self, ty: Handle<Type>) -> Handle<Expression> {
        let result = Expression::SubgroupOperationResult { ty };
        self.function.expressions.append(result, Span::UNDEFINED)
    }

    /// The same 32 bits as an `i32`.
    pub(super) fn as_i32(&mut self, expr: Handle<Expression>) -> Handle<Expression> {
        self.bits_as(ScalarKind::Sint, expr)
    }

    /// The same 32 bits as a `u32`.
    pub(super) fn as_u32(&mut self, expr: Handle<Expression>) -> Handle<Expression> {
        self.bits_as(ScalarKind::Uint, expr)
    }

    /// 1 for a condition that holds, else 0.
    pub(super) fn u32_of(&mut self, condition: Handle<Expression>) -> Handle<Expression> {
        self.value(Expression::As {
            expr: condition,
            kind: ScalarKind::Uint,
            convert: Some(4),
        })
    }

    fn bits_as(&mut self, kind: ScalarKind, expr: Handle<Expression>) -> Handle<Expression> {
        self.value(Expression::As {
            expr,
            kind,
            convert: None,
        })
    }

    pub(super) fn member(&mut self, base: Handle<Expression>, index: u32) -> Handle<Expression> {
        self.value(Expression::AccessIndex { base, index })
    }

    pub(super) fn element(
        &mut self,
        base: Handle<Expression>,
        index: Handle<Expression>,
    ) -> Handle<Expression> {
        self.value(Expression::Access { base, index })
    }

    pub(super) fn when(&mut self, condition: Handle<Expression>, accept: Block, reject: Block) {
        self.push(Statement::If {
            condition,
            accept,
            reject,
        });
    }
}

//! Expressions, and what pointers point to.

use super::super::builtin;
use super::super::graph::{CallerInput, DIFFERENT, Node, SAME};
use super::super::pointer::{self, Pointer, Root};
use super::Walk;
use naga::{Expression, Handle};

impl Walk<'_> {
    /// Values made of constants are never evaluated by a statement. Operands come first, so nothing recurses.
    pub(super) fn give_constants(&mut self) {
        let function = self.scope.function;
        for (handle, expression) in function.expressions.iter() {
            let is_same =
                |handle: &Handle<Expression>| self.values.get(handle.index()) == Some(&Some(SAME));
            let is_constant = match expression {
                Expression::Literal(_)
                | Expression::Constant(_)
                | Expression::Override(_)
                | Expression::ZeroValue(_) => true,
                Expression::Compose { components, .. } => components.iter().all(is_same),
                Expression::Splat { value, .. } => is_same(value),
                _ => false,
            };
            if is_constant {
                self.give(handle, SAME);
            }
        }
    }

    /// The value of an expression: what it depends on.
    pub(in crate::admission::uniformity) fn value(&mut self, handle: Handle<Expression>) -> Node {
        if let Some(node) = self.values.get(handle.index()).copied().flatten() {
            return node;
        }
        let node = self.evaluate(handle);
        self.give(handle, node);
        node
    }

    pub(super) fn give(&mut self, handle: Handle<Expression>, node: Node) {
        if let Some(value) = self.values.get_mut(handle.index()) {
            *value = Some(node);
        }
    }

    pub(super) fn join_values(
        &mut self,
        handles: impl IntoIterator<Item = Handle<Expression>>,
    ) -> Node {
        let mut nodes = Vec::new();
        for handle in handles {
            nodes.push(self.value(handle));
        }
        self.graph.join(nodes)
    }

    pub(super) fn evaluate(&mut self, handle: Handle<Expression>) -> Node {
        match self.scope.function.expressions[handle] {
            Expression::Literal(_)
            | Expression::Constant(_)
            | Expression::Override(_)
            | Expression::ZeroValue(_)
            | Expression::GlobalVariable(_)
            | Expression::LocalVariable(_)
            | Expression::WorkGroupUniformLoadResult { .. } => SAME,
            Expression::FunctionArgument(argument) => self.argument(argument),
            Expression::AccessIndex { base, index } => match self.member(base, index) {
                Some(node) => node,
                None => self.value(base),
            },
            Expression::Load { pointer } => self.load(pointer),
            Expression::Compose { ref components, .. } => {
                self.join_values(components.iter().copied())
            }
            Expression::Access { base, index } => self.join_values([base, index]),
            Expression::Splat { value, .. } => self.value(value),
            Expression::Swizzle { vector, .. } => self.value(vector),
            Expression::Unary { expr, .. } | Expression::As { expr, .. } => self.value(expr),
            Expression::Binary { left, right, .. } => self.join_values([left, right]),
            Expression::Select {
                condition,
                accept,
                reject,
            } => self.join_values([condition, accept, reject]),
            Expression::Relational { argument, .. } => self.value(argument),
            Expression::Math {
                arg,
                arg1,
                arg2,
                arg3,
                ..
            } => self.join_values([Some(arg), arg1, arg2, arg3].into_iter().flatten()),
            Expression::ArrayLength(pointer) => self.value(pointer),
            _ => DIFFERENT,
        }
    }

    pub(super) fn argument(&self, argument: u32) -> Node {
        if self.is_entry {
            builtin::of_argument(self.scope, argument)
        } else {
            CallerInput::Value(argument as usize).node()
        }
    }

    /// A member of a structure of built-in values.
    pub(super) fn member(&self, base: Handle<Expression>, index: u32) -> Option<Node> {
        match self.scope.function.expressions[base] {
            Expression::FunctionArgument(argument) if self.is_entry => {
                builtin::of_member(self.scope, argument, index)
            }
            _ => None,
        }
    }

    pub(super) fn follow(&self, handle: Handle<Expression>) -> Pointer {
        pointer::follow(self.scope.module, self.scope.function, handle)
    }

    pub(super) fn slot(&self, root: Root) -> Option<usize> {
        match root {
            Root::Local(local) => Some(local.index()),
            Root::Argument(argument) => {
                Some(self.scope.function.local_variables.len() + argument as usize)
            }
            Root::Constant(_) | Root::Shared(_) => None,
        }
    }

    /// Where a pointer points: what its indices depend on, and the argument that it is made of.
    pub(super) fn address(&mut self, pointer: &Pointer) -> Node {
        let indices = self.join_values(pointer.indices.iter().copied());
        match pointer.root {
            Root::Argument(argument)
            | Root::Constant(Some(argument))
            | Root::Shared(Some(argument)) => {
                let start = CallerInput::Value(argument as usize).node();
                self.graph.join([indices, start])
            }
            _ => indices,
        }
    }

    /// What a pointer points to.
    pub(super) fn contents(&mut self, pointer: &Pointer) -> Node {
        let address = self.address(pointer);
        match (self.slot(pointer.root), pointer.root) {
            (Some(slot), _) => {
                let held = self.variables.get(slot);
                self.graph.join([address, held])
            }
            (None, Root::Constant(_)) => address,
            (None, _) => DIFFERENT,
        }
    }

    pub(super) fn load(&mut self, handle: Handle<Expression>) -> Node {
        let pointer = self.follow(handle);
        self.contents(&pointer)
    }

    pub(super) fn store(&mut self, handle: Handle<Expression>, value: Node, flow: Node) {
        let pointer = self.follow(handle);
        let Some(slot) = self.slot(pointer.root) else {
            return;
        };
        let address = self.address(&pointer);
        let before = if pointer.is_whole {
            SAME
        } else {
            self.variables.get(slot)
        };
        let stored = self.graph.join([value, flow, address, before]);
        self.variables.set(&mut self.graph, slot, stored);
    }
}

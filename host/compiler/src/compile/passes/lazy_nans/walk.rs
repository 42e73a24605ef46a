//! A walk over a function's instructions with the values on its stack.
//!
//! It is done twice: to learn which values flow where, and to rewrite. Wasm's validator goes along and tells types and heights;
//! code that it calls unreachable is passed over, since nothing in it ever runs.

use super::graph::{Graph, Node, SETTLED};
use super::rules::Rule;
use super::value::Facts;
use super::webs::{Webs, access};
use std::ops::Range;
use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator,
    OperatorsReader, ValType, ValidatorResources,
};

/// A function as it stands in a component.
pub(super) struct Function<'a> {
    pub(super) body: &'a FunctionBody<'a>,
    function: &'a FuncToValidate<ValidatorResources>,
}

/// An instruction that can be reached.
pub(super) struct Step<'a> {
    /// Where it stands in the component.
    pub(super) at: usize,
    pub(super) action: Action,
    /// The values that it takes, the last on top.
    pub(super) operands: &'a [Node],
    validator: &'a FuncValidator<ValidatorResources>,
}

/// What an instruction does with values.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// Takes them by a rule; the result, if there is more to know of it than that it is settled, is the next node.
    Take(Rule),
    /// Writes one to a web.
    Write(Node),
}

impl Step<'_> {
    /// The type of an operand, counted from the deepest.
    pub(super) fn operand_type(&self, operand: usize) -> Result<ValType, String> {
        let depth = self.operands.len() - 1 - operand;
        let ty = self.validator.get_operand_type(depth).flatten();
        ty.ok_or_else(|| format!("no type for an operand at {:#x}", self.at))
    }
}

impl<'a> Function<'a> {
    pub(super) fn new(
        body: &'a FunctionBody<'a>,
        function: &'a FuncToValidate<ValidatorResources>,
    ) -> Self {
        Self { body, function }
    }

    pub(super) fn operators(&self) -> Result<OperatorsReader<'a>, String> {
        self.body.get_operators_reader().map_err(words)
    }

    /// A validator at the function's beginning, and how many parameters there are.
    pub(super) fn validator(
        &self,
        allocations: FuncValidatorAllocations,
    ) -> Result<(FuncValidator<ValidatorResources>, u32), String> {
        let function = FuncToValidate {
            resources: self.function.resources.clone(),
            index: self.function.index,
            ty: self.function.ty,
            features: self.function.features,
        };
        let mut validator = function.into_validator(allocations);
        let parameters = validator.len_locals();
        let mut reader = self.body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(words)?;
        Ok((validator, parameters))
    }

    /// Shows every instruction that can be reached to `see`.
    pub(super) fn walk(
        &self,
        webs: Option<&Webs>,
        allocations: &mut FuncValidatorAllocations,
        mut see: impl FnMut(&Step<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut validator, _) = self.validator(std::mem::take(allocations))?;
        let mut operators = self.operators()?;
        let mut stack = Stack::new(webs);
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset().map_err(words)?;
            let web = stack.web(&operator, &validator);
            let frame = validator.get_control_frame(0);
            let is_dead = frame.is_none_or(|frame| frame.unreachable);
            let taken = match is_dead {
                true => None,
                false => Some(stack.taken(&operator, web, &validator)?),
            };
            if let Some((action, range)) = &taken {
                see(&Step {
                    at,
                    action: *action,
                    operands: &stack.nodes[range.clone()],
                    validator: &validator,
                })?;
            }
            validator.op(at, &operator).map_err(words)?;
            let height = validator.operand_stack_height() as usize;
            match taken {
                Some((action, range)) => stack.leave(&operator, action, web, range.start, height),
                None => stack.nodes.resize(height, SETTLED),
            }
        }
        *allocations = validator.into_allocations();
        Ok(())
    }
}

/// Whether values of the type can be NaNs.
pub(super) fn can_be_lazy(ty: Option<ValType>) -> bool {
    matches!(ty, Some(ValType::F32 | ValType::F64 | ValType::V128))
}

/// The values on the stack.
struct Stack<'a> {
    nodes: Vec<Node>,
    webs: Option<&'a Webs>,
    /// Accesses to locals so far.
    accesses: usize,
    next: Node,
}

impl<'a> Stack<'a> {
    fn new(webs: Option<&'a Webs>) -> Self {
        let count = webs.map_or(0, |webs| webs.count);
        Self {
            nodes: Vec::new(),
            webs,
            accesses: 0,
            next: SETTLED + 1 + count,
        }
    }

    /// The node of the local that an instruction reads or writes.
    fn web(
        &mut self,
        operator: &Operator<'_>,
        validator: &FuncValidator<ValidatorResources>,
    ) -> Node {
        let Some(local) = access(operator) else {
            return SETTLED;
        };
        if !can_be_lazy(validator.get_local_type(local)) {
            return SETTLED;
        }
        let web = self.webs.and_then(|webs| webs.of_access.get(self.accesses));
        self.accesses += 1;
        web.map_or(SETTLED, |web| Graph::web(*web))
    }

    /// What an instruction does, and where its operands stand.
    fn taken(
        &self,
        operator: &Operator<'_>,
        web: Node,
        validator: &FuncValidator<ValidatorResources>,
    ) -> Result<(Action, Range<usize>), String> {
        let action = match operator {
            Operator::LocalSet { .. } | Operator::LocalTee { .. } => Action::Write(web),
            _ => Action::Take(Rule::of(operator)),
        };
        let arity = operator.operator_arity(validator);
        let (taken, _) = arity.ok_or_else(|| format!("no arity for {operator:?}"))?;
        let height = self.nodes.len();
        let begin = height.checked_sub(taken as usize);
        let begin = begin.ok_or_else(|| format!("too few operands for {operator:?}"))?;
        Ok((action, begin..height))
    }

    /// Leaves the stack as the instruction does, `height` high.
    fn leave(
        &mut self,
        operator: &Operator<'_>,
        action: Action,
        web: Node,
        begin: usize,
        height: usize,
    ) {
        self.nodes.truncate(begin);
        match (operator, action) {
            (Operator::LocalGet { .. } | Operator::LocalTee { .. }, _) => self.nodes.push(web),
            (_, Action::Take(rule)) if has_node(rule) => {
                self.nodes.push(self.next);
                self.next += 1;
            }
            _ => {}
        }
        self.nodes.resize(height, SETTLED);
    }
}

/// Whether there can be more to know of what a rule makes than that it is settled.
pub(super) fn has_node(rule: Rule) -> bool {
    match rule {
        Rule::Bits | Rule::Blind => false,
        Rule::Compare { makes, .. } | Rule::Known(makes) => makes != Facts::NONE,
        _ => true,
    }
}

pub(super) fn words(error: wasmparser::BinaryReaderError) -> String {
    error.to_string()
}

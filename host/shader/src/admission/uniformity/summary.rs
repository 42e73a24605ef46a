//! What a caller must know of a function that it calls.

use super::graph::{CallerInput, Found, Graph, Node};
use crate::admission::place::ShaderText;
use crate::admission::refusal::{RefusalReason, ShaderRefusal};
use naga::Span;
use std::rc::Rc;

/// An operation that all invocations of a workgroup must meet together.
#[derive(Clone, Debug)]
pub(super) struct CollectiveOperation {
    /// As the author writes it.
    pub(super) name: &'static str,
    /// The function that it stands in, where that is not the place's.
    pub(super) within: Option<Rc<str>>,
    /// Whether the pointer given to it is what differs.
    pub(super) is_about_pointer: bool,
}

/// Something that must not differ, and the operation for whose sake.
#[derive(Clone, Debug)]
pub(super) struct Requirement {
    pub(super) node: Node,
    pub(super) place: Span,
    pub(super) operation: CollectiveOperation,
}

impl Requirement {
    fn refusal(&self, source: ShaderText<'_>) -> ShaderRefusal {
        let operation = self.operation.name;
        let within = self.operation.within.as_deref().map(str::to_owned);
        let reason = if self.operation.is_about_pointer {
            RefusalReason::NonUniformPointer { within }
        } else {
            RefusalReason::NonUniform { operation, within }
        };
        source.refuse(self.place, reason)
    }
}

/// What a call of a function asks of its caller, and gives.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) name: Rc<str>,
    /// Inputs that must not differ.
    pub(super) required: Vec<(CallerInput, CollectiveOperation)>,
    /// What the result depends on.
    pub(super) result: Found,
    /// For each argument through which the function may write: what is there afterwards.
    pub(super) written: Vec<(usize, Found)>,
}

/// Which inputs must not differ so that nothing does that is required not to.
///
/// # Errors
/// The first requirement that cannot be kept whatever the inputs are.
pub(super) fn required(
    source: ShaderText<'_>,
    graph: &Graph,
    requirements: &[Requirement],
) -> Result<Vec<(CallerInput, CollectiveOperation)>, ShaderRefusal> {
    let mut search = graph.search();
    let mut required = Vec::new();
    for requirement in requirements {
        let found = search.from(requirement.node);
        if found.is_different {
            return Err(requirement.refusal(source));
        }
        let inputs = found.inputs.into_iter();
        required.extend(inputs.map(|input| (input, requirement.operation.clone())));
    }
    Ok(required)
}

//! Which values and which control flow are the same in all invocations of a workgroup.
//!
//! Barriers, `workgroupUniformLoad` and subgroup operations may only be reached by all invocations of a
//! workgroup together; stock validators accept a barrier that some of them never meet, and a device can hang on
//! it. Each function becomes a graph (`walk`) and, from the callees up, a summary: what it requires of its
//! callers, and what its result and what it writes depend on. Then, from the entry point down, it is told what
//! every call path brings, and each loop and expression is the same or not.
//!
//! The rules are those of the WGSL specification: private variables, workgroup memory and storage that can be
//! written always differ; what differs between subgroups only is treated as differing.

mod builtin;
mod graph;
mod pointer;
mod summary;
mod variables;
mod walk;

use super::FunctionId;
use super::cost::Scope;
use super::place::ShaderText;
use super::refusal::ShaderRefusal;
use crate::blocks::blocks_in;
use graph::{CallerInput, Node};
use naga::valid::ModuleInfo;
use naga::{
    Barrier, Block, CollectiveOperation, Expression, GatherMode, Handle, Module, Statement,
    SubgroupOperation,
};
use summary::Summary;
use walk::Walk;

/// What is the same in all invocations of a workgroup, wherever the entry point's calls lead.
#[derive(Debug, Default)]
pub struct Uniformity {
    /// By the function's index; the entry point is the last.
    functions: Vec<FunctionUniformity>,
}

/// Whether a module has something that all invocations of a workgroup, or of a subgroup, have to meet together.
pub(super) fn is_in_step(module: &Module) -> bool {
    fn meets(block: &Block) -> bool {
        block.iter().any(|statement| match statement {
            Statement::ControlBarrier(_)
            | Statement::WorkGroupUniformLoad { .. }
            | Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => true,
            _ => blocks_in(statement).any(meets),
        })
    }
    let functions = module.functions.iter().map(|(_, function)| function);
    let points = module.entry_points.iter().map(|point| &point.function);
    functions
        .chain(points)
        .any(|function| meets(&function.body))
}

/// What differs in one function on some call path.
#[derive(Debug, Default)]
struct FunctionUniformity {
    is_called_together: bool,
    loops: Vec<bool>,
    expressions: Vec<bool>,
}

impl Uniformity {
    /// Whether all invocations of a workgroup enter a loop together, and leave it in the same turn, on every
    /// call path. Loops are numbered from 0 in the order of the text: an outer one before those inside, those
    /// of a loop's body before those of its `continuing` block.
    pub fn loop_is_uniform(&self, function: FunctionId, number: usize) -> bool {
        let verdict = self.verdict(function);
        verdict.is_some_and(|verdict| verdict.loops.get(number) == Some(&true))
    }

    /// Whether an expression has the same value in all invocations of a workgroup that evaluate it together, on
    /// every call path. For a pointer: whether it points to the same place.
    pub fn expression_is_uniform(
        &self,
        function: FunctionId,
        expression: Handle<Expression>,
    ) -> bool {
        let verdict = self.verdict(function);
        verdict.is_some_and(|verdict| verdict.expressions.get(expression.index()) == Some(&true))
    }

    /// Whether a function is only ever called by all invocations of a workgroup together.
    pub fn function_is_uniform(&self, function: FunctionId) -> bool {
        self.verdict(function)
            .is_some_and(|verdict| verdict.is_called_together)
    }

    /// The analysis of a valid module with one entry point.
    ///
    /// # Errors
    /// An operation that must be met by all invocations of a workgroup may be met by some of them only.
    pub(super) fn of_module(
        source: ShaderText<'_>,
        module: &Module,
        info: &ModuleInfo,
    ) -> Result<Self, ShaderRefusal> {
        let mut summaries: Vec<Summary> = Vec::new();
        let mut functions = Vec::new();
        let handles = module
            .functions
            .iter()
            .map(|(handle, _)| FunctionId::Function(handle));
        for id in handles.chain([FunctionId::Entry]) {
            let Some(scope) = Scope::new(module, info, id) else {
                continue;
            };
            let is_entry = id == FunctionId::Entry;
            let mut walk = Walk::over(source, scope, is_entry, &summaries)?;
            let summary = Summary {
                name: scope.function.name.as_deref().unwrap_or_default().into(),
                required: summary::required(source, &walk.graph, &walk.requirements)?,
                result: walk.result(),
                written: walk.written(),
            };
            let expressions = scope.function.expressions.iter();
            functions.push(Analysed {
                expressions: expressions.map(|(handle, _)| walk.value(handle)).collect(),
                graph: walk.graph,
                loops: walk.loops,
                calls: walk.calls,
            });
            summaries.push(summary);
        }
        Ok(Self {
            functions: judge(&functions),
        })
    }

    fn verdict(&self, function: FunctionId) -> Option<&FunctionUniformity> {
        match function {
            FunctionId::Entry => self.functions.last(),
            FunctionId::Function(handle) => {
                let (_, functions) = self.functions.split_last()?;
                functions.get(handle.index())
            }
        }
    }
}

/// A function after its walk.
struct Analysed {
    graph: graph::Graph,
    expressions: Vec<Node>,
    loops: Vec<Node>,
    calls: Vec<walk::Call>,
}

/// From the entry point down: what each function is given on some call path, and what therefore differs in it.
fn judge(functions: &[Analysed]) -> Vec<FunctionUniformity> {
    let mut differing: Vec<Vec<CallerInput>> = functions.iter().map(|_| Vec::new()).collect();
    let mut verdicts = Vec::with_capacity(functions.len());
    for (index, function) in functions.iter().enumerate().rev() {
        let mut inputs = std::mem::take(&mut differing[index]);
        inputs.sort_unstable();
        inputs.dedup();
        let is_varying = function.graph.varying(&inputs);
        let is_same = |node: &Node| is_varying.get(node.index()) == Some(&false);
        for call in &function.calls {
            let Some(given) = differing.get_mut(call.callee.index()) else {
                continue;
            };
            if !is_same(&call.flow) {
                given.push(CallerInput::Flow);
            }
            for (argument, (value, contents)) in call.arguments.iter().enumerate() {
                if !is_same(value) {
                    given.push(CallerInput::Value(argument));
                }
                if !is_same(contents) {
                    given.push(CallerInput::Contents(argument));
                }
            }
        }
        verdicts.push(FunctionUniformity {
            is_called_together: !inputs.contains(&CallerInput::Flow),
            loops: function.loops.iter().map(is_same).collect(),
            expressions: function.expressions.iter().map(is_same).collect(),
        });
    }
    verdicts.reverse();
    verdicts
}

/// The name of an operation that all invocations of a workgroup must meet together; `None` for all others.
fn operation_name(statement: &Statement) -> Option<&'static str> {
    match *statement {
        Statement::ControlBarrier(barrier) | Statement::MemoryBarrier(barrier) => {
            Some(barrier_name(barrier))
        }
        Statement::WorkGroupUniformLoad { .. } => Some("workgroupUniformLoad"),
        Statement::SubgroupBallot { .. } => Some("subgroupBallot"),
        Statement::SubgroupGather { mode, .. } => Some(gather_name(mode)),
        Statement::SubgroupCollectiveOperation {
            op, collective_op, ..
        } => Some(collective_name(op, collective_op)),
        _ => None,
    }
}

fn barrier_name(barrier: Barrier) -> &'static str {
    if barrier.contains(Barrier::WORK_GROUP) {
        "workgroupBarrier"
    } else if barrier.contains(Barrier::STORAGE) {
        "storageBarrier"
    } else if barrier.contains(Barrier::SUB_GROUP) {
        "subgroupBarrier"
    } else {
        "textureBarrier"
    }
}

fn gather_name(mode: GatherMode) -> &'static str {
    match mode {
        GatherMode::BroadcastFirst => "subgroupBroadcastFirst",
        GatherMode::Broadcast(_) => "subgroupBroadcast",
        GatherMode::Shuffle(_) => "subgroupShuffle",
        GatherMode::ShuffleDown(_) => "subgroupShuffleDown",
        GatherMode::ShuffleUp(_) => "subgroupShuffleUp",
        GatherMode::ShuffleXor(_) => "subgroupShuffleXor",
        GatherMode::QuadBroadcast(_) => "quadBroadcast",
        GatherMode::QuadSwap(_) => "quadSwap",
    }
}

fn collective_name(op: SubgroupOperation, collective: CollectiveOperation) -> &'static str {
    use CollectiveOperation as C;
    use SubgroupOperation as S;
    match (op, collective) {
        (S::All, _) => "subgroupAll",
        (S::Any, _) => "subgroupAny",
        (S::Add, C::Reduce) => "subgroupAdd",
        (S::Add, C::InclusiveScan) => "subgroupInclusiveAdd",
        (S::Add, C::ExclusiveScan) => "subgroupExclusiveAdd",
        (S::Mul, C::Reduce) => "subgroupMul",
        (S::Mul, C::InclusiveScan) => "subgroupInclusiveMul",
        (S::Mul, C::ExclusiveScan) => "subgroupExclusiveMul",
        (S::Min, _) => "subgroupMin",
        (S::Max, _) => "subgroupMax",
        (S::And, _) => "subgroupAnd",
        (S::Or, _) => "subgroupOr",
        (S::Xor, _) => "subgroupXor",
    }
}

//! One function's statements, turned into a graph of what depends on what.
//!
//! The rules are those of *Uniformity* in the WGSL specification. A branch on a value that differs makes the
//! flow inside differ; after it the flow is as before if no branch leaves early. A loop's flow depends on that
//! of its last turn, and a value that is stored depends on the flow of the store, so that what differs between
//! two ways to a point is never taken for the same. Locals are followed through branches; where loops and
//! switches are entered or left, all that they write is joined.

mod call;
mod value;

use super::graph::{CallerInput, Found, Graph, Node, SAME};
use super::summary::{CollectiveOperation, Requirement, Summary};
use super::variables::Variables;
use crate::admission::cost::Scope;
use crate::admission::place::ShaderText;
use crate::admission::refusal::ShaderRefusal;
use naga::{Block, Expression, Function, Handle, Span, Statement, SwitchCase};

/// A call, for what it brings the callee.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) callee: Handle<Function>,
    pub(super) flow: Node,
    /// For each argument: its value, and what it points to.
    pub(super) arguments: Vec<(Node, Node)>,
}

/// How a block may be left other than by its end.
#[derive(Clone, Copy, Default)]
struct Leaves {
    breaks: bool,
    continues: bool,
    returns: bool,
}

impl Leaves {
    fn any(self) -> bool {
        self.breaks || self.continues || self.returns
    }

    fn or(self, other: Self) -> Self {
        Self {
            breaks: self.breaks || other.breaks,
            continues: self.continues || other.continues,
            returns: self.returns || other.returns,
        }
    }
}

/// The flow after a block, or `None` if its end is never reached; and how else it is left.
type Exit = (Option<Node>, Leaves);

/// Where `break` and `continue` lead.
struct Target {
    breaks: Node,
    /// `None` for a switch.
    continues: Option<Node>,
    /// Depends on every way out.
    exits: Node,
}

/// The walk over one function.
pub(super) struct Walk<'a> {
    source: ShaderText<'a>,
    scope: Scope<'a>,
    is_entry: bool,
    summaries: &'a [Summary],
    pub(super) graph: Graph,
    variables: Variables,
    values: Vec<Option<Node>>,
    targets: Vec<Target>,
    result: Node,
    pub(super) requirements: Vec<Requirement>,
    pub(super) loops: Vec<Node>,
    pub(super) calls: Vec<Call>,
}

impl<'a> Walk<'a> {
    /// Walks a function whose callees have summaries.
    ///
    /// # Errors
    /// A call with two pointers into one variable.
    pub(super) fn over(
        source: ShaderText<'a>,
        scope: Scope<'a>,
        is_entry: bool,
        summaries: &'a [Summary],
    ) -> Result<Self, ShaderRefusal> {
        let function = scope.function;
        let arguments = function.arguments.len();
        let mut graph = Graph::new(arguments);
        let locals = function.local_variables.iter().map(|_| SAME);
        let contents = (0..arguments).map(|argument| CallerInput::Contents(argument).node());
        let variables = Variables::new(locals.chain(contents).collect());
        let result = graph.node();
        let mut walk = Self {
            source,
            scope,
            is_entry,
            summaries,
            graph,
            variables,
            values: vec![None; function.expressions.len()],
            targets: Vec::new(),
            result,
            requirements: Vec::new(),
            loops: Vec::new(),
            calls: Vec::new(),
        };
        let first = function.local_variables.len();
        let contents = (first..first + arguments).collect();
        walk.variables.enter(&mut walk.graph, contents);
        walk.give_constants();
        walk.block(&function.body, CallerInput::Flow.node())?;
        Ok(walk)
    }

    /// What the result of the function depends on.
    pub(super) fn result(&self) -> Found {
        self.graph.search().from(self.result)
    }

    /// What may be written through each argument.
    pub(super) fn written(&self) -> Vec<(usize, Found)> {
        let first = self.scope.function.local_variables.len();
        let slots = self.written_slots(&self.scope.function.body);
        let mut arguments: Vec<usize> = slots
            .into_iter()
            .filter_map(|slot| slot.checked_sub(first))
            .collect();
        arguments.sort_unstable();
        arguments.dedup();
        arguments
            .into_iter()
            .filter_map(|argument| {
                let joined = self.variables.joined(first + argument)?;
                Some((argument, self.graph.search().from(joined)))
            })
            .collect()
    }

    fn block(&mut self, block: &Block, mut flow: Node) -> Result<Exit, ShaderRefusal> {
        let mut is_reached = true;
        let mut leaves = Leaves::default();
        for (statement, place) in block.span_iter() {
            let (end, left) = self.statement(statement, *place, flow)?;
            leaves = leaves.or(left);
            match end {
                Some(end) => flow = end,
                None => is_reached = false,
            }
        }
        Ok((is_reached.then_some(flow), leaves))
    }

    fn statement(
        &mut self,
        statement: &Statement,
        place: Span,
        flow: Node,
    ) -> Result<Exit, ShaderRefusal> {
        match *statement {
            Statement::Block(ref block) => return self.block(block, flow),
            Statement::If {
                condition,
                ref accept,
                ref reject,
            } => return self.branch(condition, accept, reject, flow),
            Statement::Switch {
                selector,
                ref cases,
            } => return self.switch(selector, cases, flow),
            Statement::Loop {
                ref body,
                ref continuing,
                break_if,
            } => return self.repeat(body, continuing, break_if, flow),
            Statement::Break => return Ok(self.leave_by_break(flow)),
            Statement::Continue => return Ok(self.leave_by_continue(flow)),
            Statement::Return { value } => return Ok(self.leave_by_return(value, flow)),
            Statement::Emit(ref range) => {
                for handle in range.clone() {
                    let node = self.evaluate(handle);
                    self.give(handle, node);
                }
            }
            Statement::Store { pointer, value } => {
                let value = self.value(value);
                self.store(pointer, value, flow);
            }
            Statement::Call {
                function,
                ref arguments,
                result,
            } => self.call(function, arguments, result, place, flow)?,
            _ => self.synchronise(statement, place, flow),
        }
        Ok((Some(flow), Leaves::default()))
    }

    /// Barriers and their kin; everything else is of no matter here.
    fn synchronise(&mut self, statement: &Statement, place: Span, flow: Node) {
        let Some(name) = super::operation_name(statement) else {
            return;
        };
        self.require(flow, place, name, false);
        if let Statement::WorkGroupUniformLoad { pointer, .. } = *statement {
            let pointer = self.follow(pointer);
            let address = self.address(&pointer);
            self.require(address, place, name, true);
        }
    }

    fn require(&mut self, node: Node, place: Span, name: &'static str, is_about_pointer: bool) {
        self.requirements.push(Requirement {
            node,
            place,
            operation: CollectiveOperation {
                name,
                within: None,
                is_about_pointer,
            },
        });
    }

    fn branch(
        &mut self,
        condition: Handle<Expression>,
        accept: &Block,
        reject: &Block,
        flow: Node,
    ) -> Result<Exit, ShaderRefusal> {
        let condition = self.value(condition);
        let inside = self.graph.join([flow, condition]);
        let mut ends = Vec::new();
        let mut written = Vec::new();
        let mut leaves = Leaves::default();
        for block in [accept, reject] {
            let mark = self.variables.mark();
            let (end, left) = self.block(block, inside)?;
            let changed = self.variables.undo(&mark);
            leaves = leaves.or(left);
            if let Some(end) = end {
                ends.push(end);
                written.push(changed);
            }
        }
        self.variables.join(&mut self.graph, &written);
        Ok((self.after(flow, &ends, leaves), leaves))
    }

    /// The flow after branches with those ends: all meet again if none left early.
    fn after(&mut self, before: Node, ends: &[Node], leaves: Leaves) -> Option<Node> {
        match ends {
            [] => None,
            _ if leaves.any() => Some(self.graph.join(ends.iter().copied())),
            _ => Some(before),
        }
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &[SwitchCase],
        flow: Node,
    ) -> Result<Exit, ShaderRefusal> {
        let selector = self.value(selector);
        let inside = self.graph.join([flow, selector]);
        let breaks = self.graph.node();
        let slots = cases
            .iter()
            .flat_map(|case| self.written_slots(&case.body))
            .collect();
        self.variables.enter(&mut self.graph, slots);
        self.targets.push(Target {
            breaks,
            continues: None,
            exits: breaks,
        });
        let mut ends = Vec::new();
        let mut leaves = Leaves::default();
        let mut falls = None;
        let mut mark = self.variables.mark();
        for case in cases {
            let start = self.graph.join([inside].into_iter().chain(falls));
            let (end, left) = self.block(&case.body, start)?;
            leaves = leaves.or(left);
            falls = end.filter(|_| case.fall_through);
            if !case.fall_through {
                ends.extend(end);
                self.variables.undo(&mark);
                mark = self.variables.mark();
            }
        }
        self.targets.pop();
        self.variables.leave(&mut self.graph);
        if leaves.breaks {
            ends.push(breaks);
        }
        leaves.breaks = false;
        Ok((self.after(flow, &ends, leaves), leaves))
    }

    fn repeat(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
        flow: Node,
    ) -> Result<Exit, ShaderRefusal> {
        let [head, next, breaks, exits] = [(); 4].map(|()| self.graph.node());
        self.loops.push(head);
        self.graph.depend(head, flow);
        // A loop whose fuel ran out is left at its head.
        self.graph.depend(breaks, head);
        self.graph.depend(exits, breaks);
        let mut slots = self.written_slots(body);
        slots.extend(self.written_slots(continuing));
        self.variables.enter(&mut self.graph, slots);
        self.variables.turn();
        self.targets.push(Target {
            breaks,
            continues: Some(next),
            exits,
        });
        let (end, left) = self.block(body, head)?;
        self.continue_with(next, end);
        self.variables.turn();
        let (turned, _) = self.block(continuing, next)?;
        self.targets.pop();
        self.continue_with(head, turned);
        if let Some(condition) = break_if {
            let condition = self.value(condition);
            self.graph.depend(head, condition);
        }
        self.variables.leave(&mut self.graph);
        let after = if left.returns { breaks } else { flow };
        let leaves = Leaves {
            returns: left.returns,
            ..Leaves::default()
        };
        Ok((Some(after), leaves))
    }

    fn continue_with(&mut self, node: Node, end: Option<Node>) {
        if let Some(end) = end {
            self.graph.depend(node, end);
        }
    }

    fn leave_by_break(&mut self, flow: Node) -> Exit {
        if let Some(target) = self.targets.last() {
            self.graph.depend(target.breaks, flow);
        }
        let leaves = Leaves {
            breaks: true,
            ..Leaves::default()
        };
        (None, leaves)
    }

    fn leave_by_continue(&mut self, flow: Node) -> Exit {
        let innermost = self
            .targets
            .iter()
            .rev()
            .find_map(|target| target.continues);
        if let Some(next) = innermost {
            self.graph.depend(next, flow);
        }
        let leaves = Leaves {
            continues: true,
            ..Leaves::default()
        };
        (None, leaves)
    }

    fn leave_by_return(&mut self, value: Option<Handle<Expression>>, flow: Node) -> Exit {
        self.graph.depend(self.result, flow);
        for target in &self.targets {
            self.graph.depend(target.exits, flow);
        }
        if let Some(value) = value {
            let value = self.value(value);
            self.graph.depend(self.result, value);
        }
        let leaves = Leaves {
            returns: true,
            ..Leaves::default()
        };
        (None, leaves)
    }
}

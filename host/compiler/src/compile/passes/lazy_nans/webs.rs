//! Which accesses of a local belong together: a web is whatever meets in some read.
//!
//! Compilers use one local for several variables. By reaching definitions (found backwards from the reads, as in Braun and
//! others, *Simple and Efficient Construction of Static Single Assignment Form*, 2013) a local's accesses fall into webs;
//! each is lazy or settled as a whole. The work is bounded by a multiple of the function's length.

use std::collections::HashMap;
use wasmparser::{BinaryReaderError, Operator, OperatorsReader};

/// Steps over edges between blocks for each instruction, and how many there are for free. The listed kernels need 1.6 at most.
const STEPS: usize = 6;
const FREE_STEPS: usize = 4096;

/// The webs of a function's locals, numbered from 0.
pub(super) struct Webs {
    /// The web of each access to a local that can be lazy, in the order of the instructions.
    pub(super) of_access: Vec<u32>,
    pub(super) count: u32,
    /// The webs that hold a parameter.
    pub(super) parameters: Vec<u32>,
}

/// The local that an instruction reads or writes.
pub(super) fn access(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => Some(*local_index),
        _ => None,
    }
}

impl Webs {
    /// Finds the webs of the locals for which `can_be_lazy` says so; of the locals, the first `parameters` are parameters.
    /// Nothing where that takes too many steps.
    pub(super) fn find(
        operators: OperatorsReader<'_>,
        parameters: u32,
        can_be_lazy: impl Fn(u32) -> bool,
    ) -> Result<Option<Self>, BinaryReaderError> {
        let mut flow = Flow::new();
        let mut of_access = Vec::new();
        let mut len = 0;
        for operator in operators {
            let operator = operator?;
            len += 1;
            match access(&operator).filter(|local| can_be_lazy(*local)) {
                Some(local) => {
                    let is_read = matches!(operator, Operator::LocalGet { .. });
                    of_access.push(flow.access(local, is_read));
                }
                None => flow.operator(&operator)?,
            }
        }
        let is_whole = flow.connect(len * STEPS + FREE_STEPS);
        Ok(is_whole.then(|| flow.finish(&of_access, parameters)))
    }
}

/// A block of the control flow graph, by its number.
type Block = u32;
/// A definition, or the place at the beginning of a block where definitions meet.
type Node = u32;

struct Label {
    /// Where branches to it go.
    target: Block,
    /// What follows its end.
    end: Block,
    /// The other arm of an `if`, until it was entered.
    otherwise: Option<Block>,
}

struct Flow {
    /// The blocks before each block.
    before: Vec<Vec<Block>>,
    current: Block,
    labels: Vec<Label>,
    /// Node by node, one that it belongs together with.
    parents: Vec<Node>,
    /// The last node of a local in a block.
    last: HashMap<(Block, u32), Node>,
    /// Where definitions of a local meet at the beginning of a block.
    meetings: Vec<(Node, Block, u32)>,
}

impl Flow {
    fn new() -> Self {
        let mut flow = Self {
            before: Vec::new(),
            current: 0,
            labels: Vec::new(),
            parents: Vec::new(),
            last: HashMap::new(),
            meetings: Vec::new(),
        };
        let (_entry, end) = (flow.block(), flow.block());
        flow.label(end, end, None);
        flow
    }

    fn block(&mut self) -> Block {
        self.before.push(Vec::new());
        number(self.before.len() - 1)
    }

    fn edge(&mut self, from: Block, to: Block) {
        self.before[to as usize].push(from);
    }

    fn label(&mut self, target: Block, end: Block, otherwise: Option<Block>) {
        self.labels.push(Label {
            target,
            end,
            otherwise,
        });
    }

    /// An edge to the label `depth` levels out.
    fn branch(&mut self, depth: u32) {
        let place = self.labels.len().checked_sub(1 + depth as usize);
        if let Some(target) = place.map(|place| self.labels[place].target) {
            self.edge(self.current, target);
        }
    }

    fn operator(&mut self, operator: &Operator<'_>) -> Result<(), BinaryReaderError> {
        match operator {
            Operator::Block { .. } => {
                let end = self.block();
                self.label(end, end, None);
            }
            Operator::Loop { .. } => {
                let (head, end) = (self.block(), self.block());
                self.edge(self.current, head);
                self.current = head;
                self.label(head, end, None);
            }
            Operator::If { .. } => {
                let (then, otherwise, end) = (self.block(), self.block(), self.block());
                self.edge(self.current, then);
                self.edge(self.current, otherwise);
                self.current = then;
                self.label(end, end, Some(otherwise));
            }
            Operator::Else => self.other_arm(),
            Operator::End => self.end(),
            Operator::BrIf { relative_depth } => {
                self.branch(*relative_depth);
                let next = self.block();
                self.edge(self.current, next);
                self.current = next;
            }
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.current = self.block();
            }
            Operator::BrTable { targets } => {
                for depth in targets.targets() {
                    self.branch(depth?);
                }
                self.branch(targets.default());
                self.current = self.block();
            }
            Operator::Return | Operator::Unreachable => self.current = self.block(),
            _ => {}
        }
        Ok(())
    }

    fn other_arm(&mut self) {
        let Some(label) = self.labels.last_mut() else {
            return;
        };
        let (end, otherwise) = (label.end, label.otherwise.take());
        self.edge(self.current, end);
        self.current = otherwise.unwrap_or(end);
    }

    fn end(&mut self) {
        let Some(label) = self.labels.pop() else {
            return;
        };
        self.edge(self.current, label.end);
        if let Some(otherwise) = label.otherwise {
            self.edge(otherwise, label.end);
        }
        self.current = label.end;
    }

    /// A node that is no other's yet.
    fn node(&mut self) -> Node {
        let node = number(self.parents.len());
        self.parents.push(node);
        node
    }

    fn access(&mut self, local: u32, is_read: bool) -> Node {
        if is_read {
            return self.at_end(self.current, local);
        }
        let node = self.node();
        self.last.insert((self.current, local), node);
        node
    }

    /// The node of a local at a block's end; if the block has none, one at its beginning.
    fn at_end(&mut self, block: Block, local: u32) -> Node {
        if let Some(node) = self.last.get(&(block, local)) {
            return *node;
        }
        let node = self.node();
        self.last.insert((block, local), node);
        self.meetings.push((node, block, local));
        node
    }

    /// Joins what meets. Whether that was done within `steps`.
    fn connect(&mut self, mut steps: usize) -> bool {
        let mut done = 0;
        while let Some((node, block, local)) = self.meetings.get(done).copied() {
            let before = std::mem::take(&mut self.before[block as usize]);
            let Some(left) = steps.checked_sub(before.len() + 1) else {
                return false;
            };
            steps = left;
            for block in &before {
                let other = self.at_end(*block, local);
                let (one, other) = (self.root(node), self.root(other));
                self.parents[one as usize] = other;
            }
            self.before[block as usize] = before;
            done += 1;
        }
        true
    }

    fn root(&mut self, mut node: Node) -> Node {
        while self.parents[node as usize] != node {
            let above = self.parents[node as usize];
            self.parents[node as usize] = self.parents[above as usize];
            node = above;
        }
        node
    }

    /// Numbers the webs.
    fn finish(mut self, of_access: &[Node], parameters: u32) -> Webs {
        let mut numbers = HashMap::new();
        let mut web = |flow: &mut Self, node| {
            let next = number(numbers.len());
            *numbers.entry(flow.root(node)).or_insert(next)
        };
        let of_access = of_access.iter().map(|node| web(&mut self, *node));
        let of_access = of_access.collect();
        let meetings = std::mem::take(&mut self.meetings);
        let parameters = meetings
            .iter()
            .filter(|(_, block, local)| *block == 0 && *local < parameters)
            .map(|(node, ..)| web(&mut self, *node))
            .collect();
        Webs {
            of_access,
            count: number(numbers.len()),
            parameters,
        }
    }
}

/// A count as a number: a function has fewer bytes than there are numbers.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

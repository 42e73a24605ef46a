//! What depends on what: a node for each value and each piece of control flow of one function.
//!
//! An edge says that its source can only differ between invocations if its target does, or if another of its
//! targets does. So what reaches [`DIFFERENT`] may differ, and what reaches an input of the function may differ
//! where the caller gives one that does.

/// A value, or the set of invocations that reach a point together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node(u32);

/// The same in all invocations.
pub(super) const SAME: Node = Node(0);
/// May differ between invocations.
pub(super) const DIFFERENT: Node = Node(1);

/// Something of a function's caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallerInput {
    /// Whether all invocations of a workgroup call the function together.
    Flow,
    /// The value of an argument; of a pointer: where it points.
    Value(usize),
    /// What the pointer at that argument points to, when the function is called.
    Contents(usize),
}

impl CallerInput {
    pub(super) fn node(self) -> Node {
        let index = match self {
            Self::Flow => 0,
            Self::Value(argument) => 2 * argument + 1,
            Self::Contents(argument) => 2 * argument + 2,
        };
        Node(u32::try_from(index + 2).unwrap_or(1))
    }

    fn of_node(node: Node) -> Option<Self> {
        let index = node.index().checked_sub(2)?;
        Some(match index.checked_sub(1) {
            None => Self::Flow,
            Some(index) if index % 2 == 0 => Self::Value(index / 2),
            Some(index) => Self::Contents(index / 2),
        })
    }
}

impl Node {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The nodes and edges of one function.
#[derive(Debug)]
pub(super) struct Graph {
    /// For each node, its latest edge.
    heads: Vec<Option<u32>>,
    /// Each edge's target, and the edge before it of the same source.
    edges: Vec<(Node, Option<u32>)>,
    /// Nodes below this one are [`SAME`], [`DIFFERENT`] and the inputs.
    inputs_end: usize,
}

impl Graph {
    /// The graph of a function with that many arguments.
    pub(super) fn new(arguments: usize) -> Self {
        let inputs_end = 2 * arguments + 3;
        Self {
            heads: vec![None; inputs_end],
            edges: Vec::new(),
            inputs_end,
        }
    }

    /// A node that depends on nothing yet.
    pub(super) fn node(&mut self) -> Node {
        let node = Node(u32::try_from(self.heads.len()).unwrap_or(DIFFERENT.0));
        self.heads.push(None);
        node
    }

    /// Makes a node depend on another.
    pub(super) fn depend(&mut self, node: Node, on: Node) {
        if on == SAME || on == node {
            return;
        }
        let edge = u32::try_from(self.edges.len()).ok();
        if let Some(head) = self.heads.get_mut(node.index()) {
            self.edges.push((on, *head));
            *head = edge;
        }
    }

    /// What depends on all of those.
    pub(super) fn join(&mut self, nodes: impl IntoIterator<Item = Node>) -> Node {
        let mut joined = SAME;
        let mut is_own = false;
        for node in nodes {
            if node == SAME || node == joined {
                continue;
            }
            if joined == SAME {
                joined = node;
                continue;
            }
            if !is_own {
                let own = self.node();
                self.depend(own, joined);
                joined = own;
                is_own = true;
            }
            self.depend(joined, node);
        }
        joined
    }

    fn targets(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let mut edge = self.heads.get(node.index()).copied().flatten();
        std::iter::from_fn(move || {
            let (target, before) = *self.edges.get(edge? as usize)?;
            edge = before;
            Some(target)
        })
    }

    /// A search that visits each node once, however many searches begin.
    pub(super) fn search(&self) -> Search<'_> {
        Search {
            graph: self,
            is_visited: vec![false; self.heads.len()],
        }
    }

    /// For each node, whether it may differ where those inputs do.
    pub(super) fn varying(&self, inputs: &[CallerInput]) -> Vec<bool> {
        let mut dependents = vec![Vec::new(); self.heads.len()];
        for source in 0..self.heads.len() {
            let source = Node(u32::try_from(source).unwrap_or(DIFFERENT.0));
            for target in self.targets(source) {
                dependents[target.index()].push(source);
            }
        }
        let mut is_varying = vec![false; self.heads.len()];
        let mut waiting: Vec<Node> = inputs.iter().map(|input| input.node()).collect();
        waiting.push(DIFFERENT);
        while let Some(node) = waiting.pop() {
            if !std::mem::replace(&mut is_varying[node.index()], true) {
                waiting.extend(&dependents[node.index()]);
            }
        }
        is_varying
    }
}

/// What of the inputs a node depends on.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    is_visited: Vec<bool>,
}

/// What a search came upon.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// It may differ whatever the caller does.
    pub(super) is_different: bool,
    /// Where one of those differs it may.
    pub(super) inputs: Vec<CallerInput>,
}

impl Search<'_> {
    /// What a node depends on, without what this search was asked before.
    pub(super) fn from(&mut self, node: Node) -> Found {
        let mut found = Found::default();
        let mut waiting = vec![node];
        while let Some(node) = waiting.pop() {
            let Some(is_visited) = self.is_visited.get_mut(node.index()) else {
                continue;
            };
            if std::mem::replace(is_visited, true) {
                continue;
            }
            if node == DIFFERENT {
                found.is_different = true;
            } else if node.index() < self.graph.inputs_end {
                found.inputs.extend(CallerInput::of_node(node));
            }
            waiting.extend(self.graph.targets(node));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_nodes_and_back() {
        let inputs = [
            CallerInput::Flow,
            CallerInput::Value(0),
            CallerInput::Contents(0),
            CallerInput::Value(7),
        ];
        for input in inputs {
            assert_eq!(CallerInput::of_node(input.node()), Some(input));
        }
        assert_eq!(CallerInput::of_node(SAME), None);
        assert_eq!(CallerInput::of_node(DIFFERENT), None);
    }

    #[test]
    fn cycles_end_and_joins_keep_every_dependency() {
        let mut graph = Graph::new(1);
        let head = graph.node();
        let value = graph.join([head, CallerInput::Value(0).node(), SAME]);
        graph.depend(head, value);
        let found = graph.search().from(head);
        assert!(!found.is_different);
        assert_eq!(found.inputs, [CallerInput::Value(0)]);
        assert!(graph.varying(&[CallerInput::Value(0)])[head.index()]);
        assert!(!graph.varying(&[CallerInput::Flow])[head.index()]);
        graph.depend(value, DIFFERENT);
        assert!(graph.search().from(head).is_different);
    }
}

//! The values of a function's variables while its statements are walked.
//!
//! A slot is a local variable, or what a pointer argument points to. Branches are undone and joined; a loop, a
//! switch and the function itself have a scope, in which each slot that is written has a node that joins
//! everything written: that is what is known of the slot wherever the scope is entered again or left early.

use super::graph::{Graph, Node, SAME};

/// Where branches began.
pub(super) struct Mark(usize);

struct BranchScope {
    /// For each slot written inside, in order, the join of all that is written.
    joined: Vec<(usize, Node)>,
}

/// The current value of each slot.
pub(super) struct Variables {
    current: Vec<Node>,
    /// Every change since the function began: the slot, and what it was.
    changes: Vec<(usize, Node)>,
    scopes: Vec<BranchScope>,
}

impl Variables {
    /// Slots with their first values.
    pub(super) fn new(first: Vec<Node>) -> Self {
        Self {
            current: first,
            changes: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// What a slot holds.
    pub(super) fn get(&self, slot: usize) -> Node {
        self.current.get(slot).copied().unwrap_or(SAME)
    }

    /// Writes a slot.
    pub(super) fn set(&mut self, graph: &mut Graph, slot: usize, value: Node) {
        if let Some(joined) = self.scopes.last().and_then(|scope| scope.find(slot)) {
            graph.depend(joined, value);
        }
        self.replace(slot, value);
    }

    fn replace(&mut self, slot: usize, value: Node) {
        if let Some(current) = self.current.get_mut(slot) {
            self.changes.push((slot, std::mem::replace(current, value)));
        }
    }

    /// Before a branch.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.changes.len())
    }

    /// Undoes a branch; what it wrote last, each slot once.
    pub(super) fn undo(&mut self, mark: &Mark) -> Vec<(usize, Node)> {
        let mut written = Vec::new();
        let before = self.changes.split_off(mark.0.min(self.changes.len()));
        for (slot, _) in &before {
            written.push((*slot, self.get(*slot)));
        }
        for (slot, value) in before.into_iter().rev() {
            if let Some(current) = self.current.get_mut(slot) {
                *current = value;
            }
        }
        written.sort_by_key(|(slot, _)| *slot);
        written.dedup_by_key(|(slot, _)| *slot);
        written
    }

    /// After branches that were undone: what those of them that reach this point wrote. A slot that a branch
    /// did not write has its value of before.
    pub(super) fn join(&mut self, graph: &mut Graph, branches: &[Vec<(usize, Node)>]) {
        let mut written: Vec<(usize, Node)> = branches.iter().flatten().copied().collect();
        written.sort_by_key(|(slot, _)| *slot);
        for of_slot in written.chunk_by(|left, right| left.0 == right.0) {
            let slot = of_slot[0].0;
            let before = if of_slot.len() < branches.len() {
                self.get(slot)
            } else {
                SAME
            };
            let value = graph.join(of_slot.iter().map(|(_, value)| *value).chain([before]));
            self.set(graph, slot, value);
        }
    }

    /// Enters a scope in which those slots are written.
    pub(super) fn enter(&mut self, graph: &mut Graph, mut slots: Vec<usize>) {
        slots.sort_unstable();
        slots.dedup();
        let joined = slots
            .into_iter()
            .map(|slot| {
                let node = graph.node();
                graph.depend(node, self.get(slot));
                (slot, node)
            })
            .collect();
        self.scopes.push(BranchScope { joined });
    }

    /// What was and will be written in the innermost scope is what its slots hold: a loop's next turn begins.
    pub(super) fn turn(&mut self) {
        let joined = self
            .scopes
            .last()
            .map(|scope| scope.joined.clone())
            .unwrap_or_default();
        for (slot, node) in joined {
            self.replace(slot, node);
        }
    }

    /// Leaves the innermost scope, by whichever of its exits.
    pub(super) fn leave(&mut self, graph: &mut Graph) {
        let scope = self.scopes.pop();
        for (slot, node) in scope.into_iter().flat_map(|scope| scope.joined) {
            self.set(graph, slot, node);
        }
    }

    /// All that the innermost scope wrote into a slot.
    pub(super) fn joined(&self, slot: usize) -> Option<Node> {
        self.scopes.last()?.find(slot)
    }
}

impl BranchScope {
    fn find(&self, slot: usize) -> Option<Node> {
        let position = self.joined.binary_search_by_key(&slot, |(slot, _)| *slot);
        Some(self.joined.get(position.ok()?)?.1)
    }
}

//! Which values flow where in a function, and what is known of each: the greatest solution of the rules.
//!
//! Every value begins as the top of the order, and each rule takes it down until nothing changes. A value goes down a
//! few times at most, so the work is linear in the graph, whatever loops it has.

use super::rules::Rule;
use super::value::Value;

/// A value: all that nothing is known of share the first one, webs of locals come next, then results of instructions.
pub(super) type Node = u32;

/// The value of which nothing is known but that its bits are the official ones.
pub(super) const SETTLED: Node = 0;

/// An instruction with a result that is more than [`SETTLED`].
struct Made {
    rule: Rule,
    operands: [Node; 3],
    len: usize,
}

/// What is known of each value, and from what it follows.
pub(super) struct Graph {
    states: Vec<Value>,
    webs: u32,
    made: Vec<Made>,
    /// Values, and the webs that they are written to.
    writes: Vec<(Node, Node)>,
}

impl Graph {
    /// A graph with so many webs.
    pub(super) fn new(webs: u32) -> Self {
        let mut states = vec![Value::TOP; 1 + webs as usize];
        states[SETTLED as usize] = Value::BOTTOM;
        Self {
            states,
            webs,
            made: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// A web's node.
    pub(super) fn web(web: u32) -> Node {
        web + 1
    }

    pub(super) fn state(&self, node: Node) -> Value {
        self.states[node as usize]
    }

    /// Writes a value to a web.
    pub(super) fn write(&mut self, value: Node, web: Node) {
        match value {
            SETTLED => self.states[web as usize] = Value::BOTTOM,
            _ => self.writes.push((value, web)),
        }
    }

    /// Adds the result of an instruction; its node is the next one.
    pub(super) fn add(&mut self, rule: Rule, operands: &[Node]) {
        let mut kept = [SETTLED; 3];
        let len = operands.len().min(kept.len());
        kept[..len].copy_from_slice(&operands[..len]);
        self.made.push(Made {
            rule,
            operands: kept,
            len,
        });
        self.states.push(Value::TOP);
    }

    /// Takes every value down to what is known of it.
    pub(super) fn solve(&mut self) {
        let users = Users::new(self);
        let first = 1 + self.webs as usize;
        let mut changed: Vec<usize> = (0..first)
            .filter(|node| self.states[*node] != Value::TOP)
            .collect();
        for node in first..self.states.len() {
            if self.lower(node, None) {
                changed.push(node);
            }
        }
        while let Some(node) = changed.pop() {
            for user in users.of(node) {
                if self.lower(*user as usize, Some(node)) {
                    changed.push(*user as usize);
                }
            }
        }
    }

    /// Computes a value again, of which `operand` has changed; whether it went down.
    fn lower(&mut self, node: usize, operand: Option<usize>) -> bool {
        let before = self.states[node];
        let now = match node.checked_sub(1 + self.webs as usize) {
            Some(made) => self.result(&self.made[made]),
            None => operand.map_or(Value::TOP, |operand| self.states[operand]),
        };
        self.states[node] = before.meet(now);
        self.states[node] != before
    }

    fn result(&self, made: &Made) -> Value {
        let mut operands = made.operands.map(|operand| self.state(operand));
        made.rule.apply(&mut operands[..made.len])
    }
}

/// Which values depend on a value.
struct Users {
    /// Where the users of each value begin in the list.
    begins: Vec<u32>,
    list: Vec<Node>,
}

impl Users {
    fn new(graph: &Graph) -> Self {
        let mut begins = vec![0u32; graph.states.len() + 1];
        for (value, _) in edges(graph) {
            begins[value as usize + 1] += 1;
        }
        for node in 1..begins.len() {
            begins[node] += begins[node - 1];
        }
        let mut next = begins.clone();
        let mut list = vec![SETTLED; begins[graph.states.len()] as usize];
        for (value, user) in edges(graph) {
            let place = &mut next[value as usize];
            list[*place as usize] = user;
            *place += 1;
        }
        Self { begins, list }
    }

    fn of(&self, node: usize) -> &[Node] {
        &self.list[self.begins[node] as usize..self.begins[node + 1] as usize]
    }
}

/// Every value that can change, with one that depends on it.
fn edges(graph: &Graph) -> impl Iterator<Item = (Node, Node)> {
    let first = 1 + graph.webs;
    let made = (first..).zip(&graph.made);
    let operands = made.flat_map(|(node, made)| {
        let operands = &made.operands[..made.len];
        operands.iter().map(move |operand| (*operand, node))
    });
    let operands = operands.filter(|(operand, _)| *operand != SETTLED);
    operands.chain(graph.writes.iter().copied())
}

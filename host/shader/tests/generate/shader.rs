//! Random compute shaders, the same for the same seed: loops of every kind inside each other, switches, early
//! exits, functions, pointers, workgroup memory with barriers where flow is uniform, atomics whose result does
//! not depend on order, and storage of which each invocation writes its own element.
//!
//! What is generated is free of races, so that every execution of it gives the same.

use super::random::Random;
use std::fmt::Write as _;

/// Invocations of a workgroup.
pub(crate) const LANES: u32 = 8;
/// Elements of `table`.
pub(crate) const TABLE: u32 = 16;
/// Words of `totals`.
pub(crate) const TOTALS: u32 = 4;

/// Whether loops end by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loops {
    /// All of them do.
    Finite,
    /// Some may not.
    MayBeEndless,
}

/// A shader's text. Its entry point is `main`; `parameters` should hold `[5, 3]` or other small numbers.
pub(crate) fn shader(seed: u64, loops: Loops) -> String {
    let mut writer = Writer {
        random: Random::new(seed),
        loops,
        text: String::new(),
        counters: Vec::new(),
        names: 0,
        depth: 0,
        breakable: 0,
        continuable: false,
    };
    writer.module();
    writer.text
}

/// Where a statement stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// All invocations of the workgroup pass together.
    Uniform,
    /// They may not.
    Divergent,
}

struct Writer {
    random: Random,
    loops: Loops,
    text: String,
    /// Loop counters in scope, as expressions, and whether they are the same in all invocations.
    counters: Vec<(String, Flow)>,
    names: u32,
    depth: u32,
    /// Loops and switches around, in this function, that `break` may leave from divergent flow.
    breakable: u32,
    continuable: bool,
}

const HEAD: &str = "
struct Parameters { n: u32, m: u32 }
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>, 4>;
@group(0) @binding(3) var<uniform> parameters: Parameters;
var<workgroup> shared_words: array<u32, 8>;
var<private> noted: u32;
fn bump(p: ptr<function, u32>, by: u32) { *p = *p + by; }
";

impl Writer {
    fn module(&mut self) {
        self.text.push_str(HEAD);
        let functions = self.random.below(3);
        for number in 0..functions {
            self.function(number);
        }
        self.text.push_str(
            "@compute @workgroup_size(8)\nfn main(@builtin(local_invocation_index) local: u32, \
             @builtin(workgroup_id) group: vec3<u32>) {\nlet own = group.x * 8u + local;\n\
             var x0 = table[local]; var x1 = own; var x2: u32; var x3 = 7u;\n\
             var u0 = parameters.n; var u1 = group.x & 3u;\n",
        );
        let count = 2 + self.random.below(3);
        for _ in 0..count {
            self.statement(Flow::Uniform, functions);
        }
        if self.random.one_in(3) {
            let condition = self.condition(Flow::Divergent);
            let value = self.word(Flow::Divergent);
            self.line(&format!(
                "if {condition} {{ data[own] = {value}; return; }}"
            ));
            self.statement(Flow::Divergent, functions);
        }
        self.text.push_str(
            "data[own] = x0 ^ (x1 * 3u) ^ (x2 << 1u) ^ x3 ^ (u0 << 8u) ^ u1 ^ noted;\n}\n",
        );
    }

    /// A function that calls those before it.
    fn function(&mut self, number: u32) {
        let _ = writeln!(
            self.text,
            "fn f{number}(local: u32, own: u32, given: u32) -> u32 {{\n\
             var x0 = given; var x1 = local; var x2 = 1u; var x3 = own; var u0 = 2u; var u1 = parameters.m;"
        );
        for _ in 0..1 + self.random.below(2) {
            self.statement(Flow::Divergent, number);
        }
        if self.random.one_in(3) {
            let condition = self.condition(Flow::Divergent);
            self.line(&format!("if {condition} {{ return x1; }}"));
            self.statement(Flow::Divergent, number);
        }
        self.text.push_str("return x0 ^ x1 ^ x2 ^ x3;\n}\n");
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn statement(&mut self, flow: Flow, functions: u32) {
        let choice = self.random.below(if self.depth < 2 { 15 } else { 7 });
        match choice {
            0 | 1 => self.assignment(flow),
            2 => self.memory(flow),
            3 if flow == Flow::Uniform => self.exchange(),
            3 => self.note(),
            4 if functions > 0 => self.call(functions),
            5 if self.breakable > 0 => self.exit("break"),
            6 if self.continuable => self.exit("continue"),
            7 | 8 => self.branch(flow, functions),
            9 => self.switch(flow, functions),
            10.. => self.repeat(flow, functions),
            _ => self.assignment(flow),
        }
    }

    fn statements(&mut self, flow: Flow, functions: u32) {
        self.depth += 1;
        for _ in 0..1 + self.random.below(2) {
            self.statement(flow, functions);
        }
        self.depth -= 1;
    }

    fn assignment(&mut self, flow: Flow) {
        if flow == Flow::Uniform && self.random.one_in(3) {
            let (name, value) = (self.random.below(2), self.word(Flow::Uniform));
            self.line(&format!("u{name} = {value};"));
        } else {
            let (name, value) = (self.random.below(4), self.word(Flow::Divergent));
            self.line(&format!("x{name} = {value};"));
        }
    }

    fn memory(&mut self, flow: Flow) {
        let value = self.word(Flow::Divergent);
        let line = match self.random.below(4) {
            0 => format!("data[own] = data[own] + {value};"),
            1 => format!("atomicAdd(&totals[0], {value});"),
            2 => format!("atomicMax(&totals[1], {value});"),
            _ => format!("atomicXor(&totals[2], {value});"),
        };
        self.line(&line);
        if flow == Flow::Divergent && self.random.one_in(2) {
            self.line("bump(&x2, 3u);");
        }
    }

    fn note(&mut self) {
        let value = self.word(Flow::Divergent);
        self.line(&format!("noted = noted * 3u + {value};"));
    }

    /// Neighbours exchange words through workgroup memory.
    fn exchange(&mut self) {
        let (value, shift) = (self.word(Flow::Divergent), 1 + self.random.below(7));
        self.line(&format!(
            "shared_words[local] = {value};\nworkgroupBarrier();\n\
             x1 = shared_words[(local + {shift}u) % 8u];\nworkgroupBarrier();"
        ));
    }

    fn call(&mut self, functions: u32) {
        let (function, name) = (self.random.below(functions), self.random.below(4));
        let value = self.word(Flow::Divergent);
        self.line(&format!("x{name} = f{function}(local, own, {value});"));
    }

    fn exit(&mut self, how: &str) {
        let condition = self.condition(Flow::Divergent);
        self.line(&format!("if {condition} {{ {how}; }}"));
    }

    fn branch(&mut self, flow: Flow, functions: u32) {
        let inside = self.narrow(flow);
        let condition = self.condition(inside);
        self.line(&format!("if {condition} {{"));
        self.statements(inside, functions);
        if self.random.one_in(2) {
            self.line("} else {");
            self.statements(inside, functions);
        }
        self.line("}");
    }

    fn switch(&mut self, flow: Flow, functions: u32) {
        let inside = self.narrow(flow);
        let selector = self.word(inside);
        self.line(&format!("switch ({selector}) % 4u {{"));
        self.breakable += u32::from(inside == Flow::Divergent);
        for label in ["case 0u:", "case 1u, 2u:", "default:"] {
            self.line(&format!("{label} {{"));
            self.statements(inside, functions);
            self.line("}");
        }
        self.breakable -= u32::from(inside == Flow::Divergent);
        self.line("}");
    }

    /// The flow inside a branch or loop: sometimes uniform where the flow around is.
    fn narrow(&mut self, flow: Flow) -> Flow {
        if flow == Flow::Uniform && self.random.one_in(2) {
            Flow::Uniform
        } else {
            Flow::Divergent
        }
    }

    fn repeat(&mut self, flow: Flow, functions: u32) {
        let shape = super::loops::choose(&mut self.random, self.loops);
        let inside = if shape.is_divergent() {
            Flow::Divergent
        } else {
            self.narrow(flow)
        };
        let name = format!("k{}", self.names);
        self.names += 1;
        let around = (self.breakable, self.continuable);
        // A divergent exit from a loop with barriers would make the flow in it diverge.
        self.breakable = u32::from(inside == Flow::Divergent);
        self.continuable = inside == Flow::Divergent && shape.allows_continue;
        let start = self.small(inside);
        let bound = self.small(inside);
        let text = shape.fill(&name, &start, &bound);
        self.line(&text.before);
        self.counters.push((text.counter.clone(), inside));
        self.statements(inside, functions);
        self.counters.pop();
        (self.breakable, self.continuable) = around;
        self.line(&text.after);
    }

    /// An expression whose value is small.
    fn small(&mut self, flow: Flow) -> String {
        if self.random.one_in(2) {
            return format!("{}u", self.random.below(6));
        }
        format!("({} & 3u)", self.word(flow))
    }

    fn condition(&mut self, flow: Flow) -> String {
        let op = *self.random.of(&["<", "<=", ">", ">=", "==", "!="]);
        let (left, right) = (self.word(flow), self.word(flow));
        format!("({left} & 7u) {op} ({right} & 7u)")
    }

    /// An expression of type `u32`.
    fn word(&mut self, flow: Flow) -> String {
        if self.random.one_in(3) {
            let op = *self.random.of(&["+", "-", "*", "^", "&", "|", "/", "%"]);
            let (left, mut right) = (self.leaf(flow), self.leaf(flow));
            if matches!(op, "/" | "%") {
                // By a constant zero is an error.
                right = format!("({right} | 1u)");
            }
            return format!("({left} {op} {right})");
        }
        self.leaf(flow)
    }

    fn leaf(&mut self, flow: Flow) -> String {
        let counters: Vec<String> = self
            .counters
            .iter()
            .filter(|(_, of)| flow == Flow::Divergent || *of == Flow::Uniform)
            .map(|(name, _)| name.clone())
            .collect();
        match self.random.below(9) {
            0 | 1 if !counters.is_empty() => self.random.of(&counters).clone(),
            2 => format!("{}u", self.random.below(9)),
            3 => "parameters.n".to_owned(),
            4 => "parameters.m".to_owned(),
            5 if flow == Flow::Uniform => format!("u{}", self.random.below(2)),
            6 if flow == Flow::Divergent => format!("table[x{} % 16u]", self.random.below(4)),
            7 if flow == Flow::Divergent => "local".to_owned(),
            _ if flow == Flow::Uniform => "3u".to_owned(),
            _ => format!("x{}", self.random.below(4)),
        }
    }
}

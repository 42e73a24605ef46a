//! Random programs, dense in loops and in ways out of them.

use std::fmt::Write as _;

/// A module with a function of two numbers, its text. What it does it adds to a trace, so that statements done once more,
/// once less or in another order show; and it ends after so many rounds of all of its loops.
pub(super) fn program(seed: u64) -> String {
    let mut writer = Writer {
        text: String::new(),
        random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        labels: vec![Label::Number],
    };
    writer.statements(3);
    format!(
        "(module
        (type $through (func (param i32) (result i32)))
        (type $two (func (result i32 i32)))
        (memory (export \"memory\") 1)
        (global $trace (export \"trace\") (mut i32) (i32.const 0))
        (func $own (export \"run\") (param $a i32) (param $b i32) (result i32) (local $left i32)
        i32.const 500 local.set $left
        {}
        global.get $trace))",
        writer.text
    )
}

/// What a branch to an open block has to bring.
#[derive(Clone, Copy, PartialEq)]
enum Label {
    Nothing,
    Number,
}

struct Writer {
    text: String,
    random: u64,
    /// Of the open blocks, the function's first.
    labels: Vec<Label>,
}

impl Writer {
    /// A number below `bound`: the upper half of Knuth's generator.
    fn below(&mut self, bound: u64) -> u64 {
        let product = self.random.wrapping_mul(6_364_136_223_846_793_005);
        self.random = product.wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn put(&mut self, code: &str) {
        self.text.push_str(code);
        self.text.push('\n');
    }

    /// Statements in which others are nested up to `depth` deep.
    fn statements(&mut self, depth: u32) {
        for _ in 0..1 + self.below(4) {
            match self.below(if depth == 0 { 6 } else { 12 }) {
                0 | 1 => self.trace(),
                2 => self.store(),
                3 => self.leave_if(),
                4 => self.table(),
                5 => self.trap_or_return(),
                6 => self.choice(depth - 1),
                7 => self.block(depth - 1),
                _ => self.any_loop(depth - 1),
            }
        }
    }

    /// A number that depends on the arguments and on what was done before.
    fn number(&mut self) {
        let operator = ["add", "sub", "xor", "mul"][self.choose(4)];
        let (local, constant) = (["$a", "$b", "$left"][self.choose(3)], self.below(9));
        let number = format!(
            "global.get $trace local.get {local} i32.{operator} i32.const {constant} i32.add"
        );
        self.put(&number);
    }

    fn choose(&mut self, count: u64) -> usize {
        usize::try_from(self.below(count)).unwrap_or(0)
    }

    /// A number that is zero now and then.
    fn condition(&mut self) {
        self.number();
        let bits = [1, 3, 7][self.choose(3)];
        let _ = writeln!(self.text, "i32.const 5 i32.shr_u i32.const {bits} i32.and");
    }

    fn trace(&mut self) {
        self.number();
        self.put("global.get $trace i32.const 31 i32.mul i32.add global.set $trace");
    }

    fn store(&mut self) {
        self.number();
        self.put("i32.const 252 i32.and");
        self.number();
        self.put("i32.store");
    }

    /// A branch out or round that is taken now and then.
    fn leave_if(&mut self) {
        let depth = self.choose(self.labels.len() as u64);
        match self.labels[self.labels.len() - 1 - depth] {
            Label::Nothing => {
                self.condition();
                let _ = writeln!(self.text, "br_if {depth}");
            }
            Label::Number => {
                self.number();
                self.condition();
                let _ = writeln!(self.text, "br_if {depth} drop");
            }
        }
    }

    /// One of several branches, taken now and then.
    fn table(&mut self) {
        self.condition();
        self.put("if");
        self.labels.push(Label::Nothing);
        let at = self.choose(self.labels.len() as u64);
        let wanted = self.labels[at];
        let labels = self.labels.iter().rev().enumerate();
        let same = labels.filter(|(_, label)| **label == wanted);
        let same: Vec<_> = same.map(|(depth, _)| depth.to_string()).collect();
        if wanted == Label::Number {
            self.number();
        }
        self.condition();
        let _ = writeln!(self.text, "br_table {} {}", same.join(" "), same[0]);
        self.labels.pop();
        self.put("end");
    }

    fn trap_or_return(&mut self) {
        self.number();
        self.put("i32.const 127 i32.and i32.eqz if");
        match self.below(2) {
            0 => self.put("unreachable"),
            _ => self.put("global.get $trace return"),
        }
        self.put("end");
    }

    fn choice(&mut self, depth: u32) {
        self.condition();
        self.put("if");
        self.nested(Label::Nothing, depth);
        if self.below(2) == 0 {
            self.put("else");
            self.nested(Label::Nothing, depth);
        }
        self.put("end");
    }

    /// A block, below which a value may wait on the stack.
    fn block(&mut self, depth: u32) {
        match self.below(2) {
            0 => {
                self.put("block");
                self.nested(Label::Nothing, depth);
                self.put("end");
            }
            _ => {
                self.number();
                self.put("block (result i32)");
                self.nested(Label::Number, depth);
                self.number();
                self.put("end i32.sub global.set $trace");
            }
        }
    }

    fn nested(&mut self, label: Label, depth: u32) {
        self.labels.push(label);
        self.statements(depth);
        self.labels.pop();
    }

    /// A loop: without results, with one or two, or with a parameter, which a branch to it brings as well.
    fn any_loop(&mut self, depth: u32) {
        let kind = self.choose(5);
        let (ty, results) = [
            ("", 0),
            ("", 0),
            ("(result i32)", 1),
            ("(type $two)", 2),
            ("(type $through)", 1),
        ][kind];
        let takes_number = kind == 4;
        if takes_number {
            self.number();
        }
        let _ = writeln!(self.text, "loop {ty}");
        if takes_number {
            self.put("local.set $b");
        }
        self.put("local.get $left i32.eqz if global.get $trace return end");
        self.put("local.get $left i32.const 1 i32.sub local.set $left");
        let label = if takes_number {
            Label::Number
        } else {
            Label::Nothing
        };
        self.nested(label, depth);
        self.way_back(takes_number);
        for _ in usize::from(takes_number)..results {
            self.number();
        }
        self.put("end");
        for _ in 0..results {
            self.put("global.get $trace i32.xor global.set $trace");
        }
    }

    /// The last branch to a loop, mostly with a condition, which leaves the number that it brings.
    fn way_back(&mut self, brings_number: bool) {
        if brings_number {
            self.number();
        }
        match self.below(8) {
            0 => self.put("br 0"),
            1 => {}
            _ => {
                self.condition();
                self.put("br_if 0");
            }
        }
    }
}

//! Cost expressions: how many arithmetic operations a launch takes.
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = atom { ("*" | "/") atom }
//! atom    = integer | name | "(" sum ")" | ("min" | "max") "(" sum "," sum ")" | "log2ceil" "(" sum ")"
//! ```
//!
//! Values are unsigned integers that saturate: a cost is an estimate, and a wrapped one would be a
//! lie in the cheap direction. Division rounds down, and by zero gives zero.

use crate::is_identifier;
use std::fmt;

/// A parsed cost expression over dimensions and integer scalars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Integer(u64),
    Name(String),
    Binary(Op, Box<(Node, Node)>),
    Log2Ceil(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

/// Why a cost expression cannot be read or evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostError {
    /// The text is not an expression; `column` counts bytes from 1.
    Syntax {
        /// Where in the text, in bytes from 1.
        column: usize,
        /// What was expected there.
        problem: String,
    },
    /// The expression names something that has no value.
    UnknownName(String),
}

crate::words! { CostError:
    Self::Syntax { column, problem } => ("cost, column {column}: {problem}"),
    Self::UnknownName(a) => ("cost names `{a}`, which is neither a dimension nor an integer scalar"),
}

impl std::error::Error for CostError {}

impl Cost {
    /// The longest text accepted, in bytes.
    pub const MAX_BYTES: usize = 1024;
    /// The deepest nesting of parentheses and calls accepted.
    pub const MAX_DEPTH: usize = 32;

    /// Reads an expression such as `2*m*k*n`.
    ///
    /// # Errors
    /// [`CostError::Syntax`] with the column.
    pub fn parse(text: &str) -> Result<Self, CostError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        if text.len() > Self::MAX_BYTES {
            return Err(parser.error("longer than 1024 bytes"));
        }
        let root = parser.sum()?;
        if parser.peek().is_some() {
            return Err(parser.error("expected an operator or the end"));
        }
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    /// The names it uses, in order of first use.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.collect_names(&mut names);
        names
    }

    /// Its value, saturating at `u64::MAX`; `value_of` gives each name's.
    ///
    /// # Errors
    /// [`CostError::UnknownName`] where `value_of` returns `None`.
    pub fn evaluate(&self, value_of: impl Fn(&str) -> Option<u64>) -> Result<u64, CostError> {
        self.root.evaluate(&value_of)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn collect_names<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Integer(_) => {}
            Self::Name(name) if names.contains(&name.as_str()) => {}
            Self::Name(name) => names.push(name),
            Self::Binary(_, pair) => {
                pair.0.collect_names(names);
                pair.1.collect_names(names);
            }
            Self::Log2Ceil(inner) => inner.collect_names(names),
        }
    }

    fn evaluate(&self, value_of: &impl Fn(&str) -> Option<u64>) -> Result<u64, CostError> {
        Ok(match self {
            Self::Integer(value) => *value,
            Self::Name(name) => {
                value_of(name).ok_or_else(|| CostError::UnknownName(name.clone()))?
            }
            Self::Binary(op, pair) => {
                let (a, b) = (pair.0.evaluate(value_of)?, pair.1.evaluate(value_of)?);
                op.apply(a, b)
            }
            Self::Log2Ceil(inner) => log2_ceil(inner.evaluate(value_of)?),
        })
    }
}

impl Op {
    fn apply(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Add => a.saturating_add(b),
            Self::Sub => a.saturating_sub(b),
            Self::Mul => a.saturating_mul(b),
            Self::Div => a.checked_div(b).unwrap_or(0),
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

/// The smallest `e` with 2^e ≥ `value`; 0 for 0 and 1.
fn log2_ceil(value: u64) -> u64 {
    match value {
        0 | 1 => 0,
        _ => u64::from(u64::BITS - (value - 1).leading_zeros()),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Node, CostError> {
        self.depth += 1;
        if self.depth > Cost::MAX_DEPTH {
            return Err(self.error("nested deeper than 32"));
        }
        let mut left = self.product()?;
        while let Some(op) = self.operator(&[(b'+', Op::Add), (b'-', Op::Sub)]) {
            left = Node::Binary(op, Box::new((left, self.product()?)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Node, CostError> {
        let mut left = self.atom()?;
        while let Some(op) = self.operator(&[(b'*', Op::Mul), (b'/', Op::Div)]) {
            left = Node::Binary(op, Box::new((left, self.atom()?)));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Node, CostError> {
        if self.peek() == Some(b'(') {
            self.at += 1;
            let inner = self.sum()?;
            self.expect(b')')?;
            return Ok(inner);
        }
        let start = self.at;
        let word = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
        let len = self.text.as_bytes()[start..]
            .iter()
            .take_while(word)
            .count();
        let token = self.text[start..start + len].to_owned();
        if token.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
            let value = token
                .parse()
                .map_err(|_| self.error("expected an integer below 2^64"))?;
            self.at += len;
            return Ok(Node::Integer(value));
        }
        if !is_identifier(&token) {
            return Err(self.error("expected an integer, a name or `(`"));
        }
        self.at += len;
        if self.peek() == Some(b'(') {
            return self.call(&token, start);
        }
        Ok(Node::Name(token))
    }

    fn call(&mut self, function: &str, start: usize) -> Result<Node, CostError> {
        self.expect(b'(')?;
        let first = self.sum()?;
        let node = match function {
            "log2ceil" => Node::Log2Ceil(Box::new(first)),
            "min" | "max" => {
                self.expect(b',')?;
                let op = if function == "min" { Op::Min } else { Op::Max };
                Node::Binary(op, Box::new((first, self.sum()?)))
            }
            _ => {
                self.at = start;
                return Err(self.error("unknown function (known: min, max, log2ceil)"));
            }
        };
        self.expect(b')')?;
        Ok(node)
    }

    fn operator(&mut self, known: &[(u8, Op)]) -> Option<Op> {
        let next = self.peek()?;
        let (_, op) = known.iter().find(|(byte, _)| *byte == next)?;
        self.at += 1;
        Some(*op)
    }

    fn expect(&mut self, byte: u8) -> Result<(), CostError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(&format!("expected `{}`", char::from(byte))))
    }

    /// The next byte that is not a space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.as_bytes().get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, problem: &str) -> CostError {
        CostError::Syntax {
            column: self.at + 1,
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> u64 {
        let names = |name: &str| match name {
            "m" => Some(3),
            "n" => Some(10),
            _ => None,
        };
        Cost::parse(text).unwrap().evaluate(names).unwrap()
    }

    #[test]
    fn expressions_follow_the_usual_precedence() {
        assert_eq!(value("2*m*n + 1"), 61);
        assert_eq!(value("2*(m + n) - 1 - 1"), 24);
        assert_eq!(value("n*log2ceil(n)"), 40);
        assert_eq!(value("max(m, min(n, 7))/2"), 3);
        assert_eq!(
            [
                value("log2ceil(1)"),
                value("log2ceil(2)"),
                value("log2ceil(0)")
            ],
            [0, 1, 0]
        );
    }

    #[test]
    fn arithmetic_saturates_and_never_fails() {
        assert_eq!(value("m-n"), 0);
        assert_eq!(value("m/(m-m)"), 0);
        assert_eq!(value("18446744073709551615*n+n"), u64::MAX);
    }

    #[test]
    fn mistakes_name_their_column() {
        for (text, column) in [
            ("", 1),
            ("2*", 3),
            ("(n", 3),
            ("n n", 3),
            ("sin(n)", 1),
            ("min(n)", 6),
            ("-n", 1),
        ] {
            let error = Cost::parse(text).unwrap_err();
            assert!(
                matches!(error, CostError::Syntax { column: c, .. } if c == column),
                "{text}: {error}"
            );
        }
        assert!(Cost::parse(&"(".repeat(1000)).is_err());
        assert!(Cost::parse("18446744073709551616").is_err());
    }

    #[test]
    fn unknown_names_are_reported() {
        let cost = Cost::parse("k*n*k").unwrap();
        assert_eq!(cost.names(), ["k", "n"]);
        let error = cost
            .evaluate(|name| (name == "n").then_some(1))
            .unwrap_err();
        assert_eq!(error, CostError::UnknownName("k".into()));
    }
}

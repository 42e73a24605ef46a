//! What is wrong with a policy file: where, which key, and what would be right.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key, with the tables that it is in; empty where the file is no TOML.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Problem {
    pub(crate) fn at(text: &str, place: Range<usize>, key: &str, what: String) -> Self {
        let before = text.get(..place.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.to_owned(),
            what,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => write!(f, "{}:{}: {}", self.line, self.column, self.what),
            false => write!(
                f,
                "{}:{}: `{}`: {}",
                self.line, self.column, self.key, self.what
            ),
        }
    }
}

/// A policy file that is not taken: all that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(file, problems))]
pub struct PolicyError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong with it, in the order of its lines; at least one thing.
    pub problems: Vec<Problem>,
}

fn listed(file: &str, problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| format!("{file}:{problem}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A key with the tables that it is in.
pub(crate) fn joined(prefix: &str, name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = match !name.is_empty() && name.chars().all(|c| is_plain(c) || c == '.') {
        true => name.to_owned(),
        false => format!("{name:?}"),
    };
    match prefix.is_empty() {
        true => name,
        false => format!("{prefix}.{name}"),
    }
}

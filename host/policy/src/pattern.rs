//! Patterns of names.

use std::fmt;

/// A name in which `*` stands for any characters, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether it fits every name.
    pub(crate) fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_all_else_is_itself() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).fits(name);
        for (pattern, name) in [
            ("gemm", "gemm"),
            ("*", ""),
            ("*", "gemm"),
            ("gemm*", "gemm"),
            ("gemm*", "gemm_tn"),
            ("*_tn", "gemm_tn"),
            ("g*m*n", "gemm_tn"),
            ("a*a", "aa"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("gemm", "gemm2"),
            ("", "gemm"),
            ("gemm*", "gem"),
            ("*_tn", "gemm_nt"),
            ("a*a", "a"),
            ("g*x*n", "gemm_tn"),
            ("G*", "gemm"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}

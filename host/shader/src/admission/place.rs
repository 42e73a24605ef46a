//! Places in the author's text.

use super::refusal::{RefusalReason, ShaderRefusal};
use naga::Span;

/// The text of a shader, in which places are found.
#[derive(Clone, Copy)]
pub(super) struct ShaderText<'a>(pub(super) &'a str);

impl ShaderText<'_> {
    /// A refusal at the place where a span begins.
    pub(super) fn refuse(self, span: Span, reason: RefusalReason) -> ShaderRefusal {
        match span.to_range() {
            Some(range) => self.refuse_at(range.start, reason),
            None => ShaderRefusal::of_shader(reason),
        }
    }

    /// A refusal at a byte of the text.
    pub(super) fn refuse_at(self, offset: usize, reason: RefusalReason) -> ShaderRefusal {
        let (line, column) = self.line_and_column(offset);
        ShaderRefusal {
            line,
            column,
            reason,
        }
    }

    /// Line and column where a span begins; 0 where it has no place.
    pub(super) fn place(self, span: Span) -> (u32, u32) {
        let range = span.to_range();
        range.map_or((0, 0), |range| self.line_and_column(range.start))
    }

    /// Line and column of a byte: both from 1, the column in characters.
    fn line_and_column(self, offset: usize) -> (u32, u32) {
        let before = self.0.get(..offset).unwrap_or(self.0);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[start..].chars().count() + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (number(line), number(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_both_count_from_one() {
        let source = ShaderText("ab\nα β c");
        let at = |text: &str| source.line_and_column(source.0.find(text).unwrap_or(0));
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("b"), (1, 2));
        assert_eq!(at("α"), (2, 1));
        assert_eq!(at("β"), (2, 3));
        assert_eq!(at("c"), (2, 5));
        assert_eq!(source.line_and_column(99), (2, 6));
    }
}

//! Words, numbers, brackets and operators of a text: as coarse as counting allows.
//!
//! Where it differs from the front end's lexer it sees more tokens, never fewer: a line comment ends at every
//! character that ends a line in WGSL.

/// A token and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) offset: usize,
}

impl Token<'_> {
    /// Whether it is a word: a name or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.chars().next().is_some_and(is_word_start)
    }

    /// Whether it joins operands or stands before one.
    pub(super) fn is_operator(&self) -> bool {
        self.text.starts_with(|char| "+-*/%<>=!&|^~".contains(char))
    }
}

/// Operators of two characters, but those that may be the ends of templates.
const PAIRS: [&str; 17] = [
    "==", "!=", "<=", "&&", "||", "<<", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "->", "++",
    "--",
];

/// The tokens of a text, comments and space left out.
pub(super) struct Tokens<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn skip_comment(&mut self) -> bool {
        let rest = self.rest();
        if rest.starts_with("//") {
            self.offset += rest.find(is_line_end).unwrap_or(rest.len());
            return true;
        }
        if !rest.starts_with("/*") {
            return false;
        }
        let bytes = rest.as_bytes();
        let (mut at, mut depth) = (2, 1_usize);
        while depth > 0 && at < bytes.len() {
            match bytes.get(at..at + 2) {
                Some(b"*/") => (at, depth) = (at + 2, depth - 1),
                Some(b"/*") => (at, depth) = (at + 2, depth + 1),
                _ => at += 1,
            }
        }
        self.offset += at;
        true
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            self.offset += rest.len() - rest.trim_start_matches(is_space).len();
            if !self.skip_comment() {
                break;
            }
        }
        let rest = self.rest();
        let first = rest.chars().next()?;
        let len = if first.is_ascii_digit() {
            number_len(rest)
        } else if is_word_start(first) {
            rest.find(|char| !is_word_part(char)).unwrap_or(rest.len())
        } else if PAIRS.iter().any(|pair| rest.starts_with(pair)) {
            2
        } else {
            first.len_utf8()
        };
        let token = Token {
            text: &rest[..len],
            offset: self.offset,
        };
        self.offset += len;
        Some(token)
    }
}

/// A number with its suffix; a sign after an exponent belongs to it.
fn number_len(rest: &str) -> usize {
    let is_hex = rest.starts_with("0x") || rest.starts_with("0X");
    let mut before = ' ';
    rest.find(|char: char| {
        let is_exponent = if is_hex { "pP" } else { "eE" }.contains(before);
        let is_part = is_word_part(char) || char == '.' || ("+-".contains(char) && is_exponent);
        before = char;
        !is_part
    })
    .unwrap_or(rest.len())
}

fn is_space(char: char) -> bool {
    char.is_whitespace() || "\u{200e}\u{200f}".contains(char)
}

fn is_line_end(char: char) -> bool {
    "\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}".contains(char)
}

/// Everything beyond ASCII that is not space: no name is cut short.
fn is_word_start(char: char) -> bool {
    is_word_part(char) && !char.is_ascii_digit()
}

fn is_word_part(char: char) -> bool {
    char == '_' || char.is_ascii_alphanumeric() || !(char.is_ascii() || is_space(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_space_are_no_tokens() {
        let texts = |text| Tokens::of(text).map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(texts("a /* x /* y */ z */ b // c\r d"), ["a", "b", "d"]);
        assert_eq!(texts("/*/ a */ b"), ["b"]);
        assert_eq!(
            texts("a+=1.5e-3f-.5"),
            ["a", "+=", "1.5e-3f", "-", ".", "5"]
        );
        assert_eq!(texts("0x1p+4+0xe-1"), ["0x1p+4", "+", "0xe", "-", "1"]);
        assert_eq!(texts("!!~-x>>y"), ["!", "!", "~", "-", "x", ">", ">", "y"]);
        assert_eq!(texts("größe λ"), ["größe", "λ"]);
        assert_eq!(texts("/* open"), [""; 0]);
    }
}

//! A cursor over the Python literal of a `.npy` header.
//!
//! It knows what `numpy.save` writes and no more: quoted strings without escapes, decimal integers, words and
//! punctuation, all ASCII. Nothing in it recurses, and it allocates nothing.

use super::header::HeaderError;

/// A position in the header's text.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The error for a text that goes on otherwise than the grammar.
    pub(super) fn expected(&self, expected: &'static str) -> HeaderError {
        HeaderError::Syntax {
            offset: self.at,
            expected,
        }
    }

    /// The next byte after white space, left in place.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(blank).count();
        self.text.get(self.at).copied()
    }

    /// Takes the byte if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes the byte or fails.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), HeaderError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// Takes everything up to the first byte that does not satisfy `part`.
    fn take_while(&mut self, part: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let taken = rest.iter().take_while(|byte| part(**byte)).count();
        self.at += taken;
        &rest[..taken]
    }

    /// `True` or `False`.
    pub(super) fn boolean(&mut self) -> Result<bool, HeaderError> {
        self.peek();
        let start = self.at;
        match self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => {
                self.at = start;
                Err(self.expected("True or False"))
            }
        }
    }

    /// A string in single or double quotes, of printable ASCII without escapes.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<&'a str, HeaderError> {
        let quote = match self.peek() {
            Some(quote @ (b'\'' | b'"')) => quote,
            _ => return Err(self.expected(expected)),
        };
        self.at += 1;
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != quote && byte != b'\\';
        let content = self.take_while(plain);
        if self.text.get(self.at) != Some(&quote) {
            return Err(self.expected("plain ASCII and a closing quote"));
        }
        self.at += 1;
        str::from_utf8(content).map_err(|_| self.expected("plain ASCII"))
    }

    /// A decimal integer that fits 64 bits; Python 2's `L` may follow.
    pub(super) fn integer(&mut self) -> Result<u64, HeaderError> {
        if self.peek() == Some(b'-') {
            return Err(HeaderError::NegativeDimension);
        }
        let start = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
            self.at = start;
            return Err(self.expected("a decimal integer"));
        }
        let value = digits.iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        self.at += usize::from(self.text.get(self.at) == Some(&b'L'));
        value.ok_or(HeaderError::DimensionTooLarge)
    }
}

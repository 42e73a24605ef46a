//! How records are written: JSON in one line, in which no string forges a line, hides text or is long.
//!
//! It holds for every string of a record at once, whatever type it comes from, since it is done where strings become bytes.
//! What `hotcell_model::text` escapes is escaped here in the same words, and so is still escaped once JSON's own escapes are
//! undone.

use hotcell_model::text;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::io::{self, Write};

/// The longest string; what is longer is cut and ends in `…`.
pub(crate) const STRING_BYTES: usize = 1024;

/// `\\u{10ffff}`, as long as an escape can be.
const LONGEST_ESCAPE: usize = 11;

/// Appends a value in JSON.
///
/// # Errors
/// It has keys that are no strings.
pub(crate) fn append(line: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(line, OneLine::default()))
}

/// Compact JSON in which strings are escaped and bounded.
#[derive(Default)]
struct OneLine {
    /// How much of the string at hand may still be written.
    left: usize,
    /// Whether it was cut, and the rest of it is dropped.
    is_cut: bool,
}

impl OneLine {
    /// Writes what of the string is to be written yet; the rest of the string is dropped once it is too long.
    fn write<W: ?Sized + Write>(&mut self, writer: &mut W, bytes: &str) -> io::Result<()> {
        if self.is_cut {
            return Ok(());
        }
        if bytes.len() <= self.left {
            self.left -= bytes.len();
            return writer.write_all(bytes.as_bytes());
        }
        let end = bytes.floor_char_boundary(self.left);
        self.is_cut = true;
        // No escape is cut in two.
        let kept = match bytes[..end].rfind('\\') {
            Some(at) if end - at < LONGEST_ESCAPE => bytes[..at].trim_end_matches('\\'),
            _ => &bytes[..end],
        };
        writer.write_all(kept.as_bytes())?;
        writer.write_all("…".as_bytes())
    }
}

impl Formatter for OneLine {
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        (self.left, self.is_cut) = (STRING_BYTES, false);
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return self.write(writer, fragment);
        }
        // What is beyond the bound is not looked at.
        let end = fragment.floor_char_boundary(STRING_BYTES + 4);
        let escaped = text::clean(&fragment[..end], usize::MAX).replace('\\', "\\\\");
        self.write(writer, &escaped)
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let written = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Solidus => "/",
            CharEscape::LineFeed => "\\\\n",
            CharEscape::CarriageReturn => "\\\\r",
            CharEscape::Tab => "\\\\t",
            CharEscape::Backspace => "\\\\u{8}",
            CharEscape::FormFeed => "\\\\u{c}",
            CharEscape::AsciiControl(byte) => {
                return self.write(writer, &format!("\\\\u{{{byte:x}}}"));
            }
        };
        self.write(writer, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut line = Vec::new();
        append(&mut line, &text).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_string_is_escaped_as_text_is_and_stays_so_when_it_is_read() {
        for (text, read) in [
            ("plain \"quoted\" grüße", "plain \"quoted\" grüße"),
            (
                "a\nb\r\t\x08\x0c\x1b[2Jc",
                "a\\nb\\r\\t\\u{8}\\u{c}\\u{1b}[2Jc",
            ),
            ("\u{202e}x\u{7f}\u{85}", "\\u{202e}x\\u{7f}\\u{85}"),
            ("back\\slash", "back\\slash"),
            ("ä\\ö", "ä\\ö"),
        ] {
            let line = written(text);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), read);
            assert_eq!(read, text::clean(text, 99));
        }
    }

    #[test]
    fn a_long_string_is_cut_where_it_can_be_and_is_still_json() {
        for unit in ["x", "ü", "\"", "\\", "\n", "\u{202e}", "a\u{7f}"] {
            let line = written(&unit.repeat(5000));
            let read: String = serde_json::from_str(&line).unwrap();
            assert!(
                read.ends_with('…') && line.len() < STRING_BYTES + 9,
                "{unit:?}"
            );
            assert!(!read.chars().any(char::is_control));
        }
        let exact = "x".repeat(STRING_BYTES);
        assert_eq!(written(&exact).len(), STRING_BYTES + 2);
    }
}

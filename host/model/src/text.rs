//! Text that hostile code chose, made fit for terminals, logs and reports.

/// Escapes what could forge a line or move a cursor, and cuts the result at `max_bytes`.
///
/// Control characters, line separators, and the invisible characters that reorder or hide text become
/// `\n`, `\u{202e}` and the like; a backslash becomes `\\`, so that an escape cannot be forged. A cut
/// text ends in `…`.
pub fn escape(text: &str, max_bytes: usize) -> String {
    rewrite(text, max_bytes, "\\\\")
}

/// As [`escape`], for text that claims to be escaped already: backslashes stay as they are.
pub fn clean(text: &str, max_bytes: usize) -> String {
    rewrite(text, max_bytes, "\\")
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn rewrite(text: &str, max_bytes: usize, backslash: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        let before = escaped.len();
        match character {
            '\\' => escaped.push_str(backslash),
            hidden if is_deceptive(hidden) => escaped.extend(hidden.escape_default()),
            plain => escaped.push(plain),
        }
        if escaped.len() > max_bytes {
            escaped.truncate(before);
            escaped.push('…');
            break;
        }
    }
    escaped
}

/// Controls, and the format characters that reorder, join or hide text.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_be_forged() {
        assert_eq!(escape("a\nb\r\t\x1b[2Jc", 99), "a\\nb\\r\\t\\u{1b}[2Jc");
        assert_eq!(escape("\\n \u{202e}x", 99), "\\\\n \\u{202e}x");
        assert_eq!(escape("grüße", 99), "grüße");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(escape("äöü", 4), "äö…");
        assert_eq!(escape("a\n", 2), "a…");
        assert_eq!(escape("abc", 3), "abc");
    }
}

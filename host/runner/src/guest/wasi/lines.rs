//! What a guest prints, cut into lines.

/// The longest line: what is longer goes on in another.
const LINE_BYTES: usize = 4 << 10;

/// The line that has begun.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Takes what was printed, and gives each line that ends with it.
    pub(super) fn take(&mut self, mut printed: &[u8], mut line: impl FnMut(&str)) {
        while !printed.is_empty() {
            let room = LINE_BYTES - self.0.len();
            let near = &printed[..printed.len().min(room)];
            let end = near.iter().position(|byte| *byte == b'\n');
            let (piece, behind) = match end {
                Some(end) => (&near[..end], end + 1),
                None => (near, near.len()),
            };
            self.0.extend_from_slice(piece);
            printed = &printed[behind..];
            if end.is_some() || self.0.len() == LINE_BYTES {
                self.end_line(&mut line);
            }
        }
    }

    /// The line that has begun, if one has.
    pub(super) fn end(&mut self, mut line: impl FnMut(&str)) {
        if !self.0.is_empty() {
            self.end_line(&mut line);
        }
    }

    fn end_line(&mut self, line: &mut impl FnMut(&str)) {
        line(&String::from_utf8_lossy(&self.0));
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, |line| found.push(line.to_owned()));
        }
        lines.end(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_end_where_they_end_however_they_are_printed() {
        assert_eq!(lines(&[b"a", b"b\nc\n", b"\nd"]), ["ab", "c", "", "d"]);
        assert_eq!(lines(&[b"", b"\n"]), [""]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn a_line_without_end_takes_no_more_room_than_one() {
        let long = vec![b'x'; 2 * LINE_BYTES + 1];
        let lens: Vec<_> = lines(&[&long]).iter().map(String::len).collect();
        assert_eq!(lens, [LINE_BYTES, LINE_BYTES, 1]);
    }
}

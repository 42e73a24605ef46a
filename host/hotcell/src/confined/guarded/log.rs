//! What a guarded process writes, as lines within a call's limits.

use hotcell_model::limit::{Limit, Limits};
use hotcell_model::report::{LogLevel, LogLine};
use hotcell_model::text;
use hotcell_sandbox::log_pipe::{Drained, LogPipe};

/// The longest line that is kept whole.
const LINE_BYTES: usize = 16 << 10;

/// Lines that were written, as far as limits let them be kept.
#[derive(Debug, Default)]
pub(super) struct Log {
    bytes_left: u64,
    lines_left: u64,
    /// The line that is under way.
    partial: Vec<u8>,
    is_dropping: bool,
    /// How many of the lines were told of.
    told: usize,
    pub(super) lines: Vec<LogLine>,
    /// All that was written.
    pub(super) bytes: u64,
    pub(super) dropped: u64,
}

impl Log {
    /// For a call with those limits. A default one keeps nothing.
    pub(super) fn within(limits: &Limits) -> Self {
        Self {
            bytes_left: limits.get(Limit::LogBytes),
            lines_left: limits.get(Limit::LogLines),
            ..Self::default()
        }
    }

    /// Takes what has been written; whether nothing more will be.
    pub(super) fn drain(&mut self, pipe: &LogPipe) -> bool {
        let drained = pipe.drain(|piece| self.write(piece));
        !matches!(drained, Ok(Drained::ForNow))
    }

    /// The lines since the last time.
    pub(super) fn fresh(&mut self) -> &[LogLine] {
        let from = std::mem::replace(&mut self.told, self.lines.len());
        &self.lines[from..]
    }

    /// The call is over: what is under way is a line.
    pub(super) fn close(&mut self) {
        if !self.partial.is_empty() || self.is_dropping {
            self.end_line();
        }
    }

    /// The last lines, in one.
    pub(super) fn last_words(&mut self, pipe: Option<&LogPipe>) -> String {
        const LINES: usize = 4;
        if let Some(pipe) = pipe {
            self.drain(pipe);
        }
        self.close();
        let from = self.lines.len().saturating_sub(LINES);
        let lines = self.lines[from..].iter();
        lines
            .map(|line| line.message.trim())
            .collect::<Vec<_>>()
            .join(" / ")
    }

    fn write(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.extend(rest);
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.partial.len());
        let room = room.min(usize::try_from(self.bytes_left).unwrap_or(usize::MAX));
        let kept = &piece[..piece.len().min(room)];
        self.partial.extend_from_slice(kept);
        self.bytes_left -= kept.len() as u64;
        self.is_dropping |= kept.len() < piece.len();
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let is_cut = std::mem::take(&mut self.is_dropping);
        if self.lines_left == 0 || (is_cut && line.is_empty()) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines_left -= 1;
        let mut message = text::escape(&String::from_utf8_lossy(&line), 4 * LINE_BYTES);
        if is_cut {
            message.push('…');
        }
        self.lines.push(LogLine {
            level: LogLevel::Info,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::LimitSource;
    use hotcell_model::manifest::Weight;

    fn log(bytes: u64, lines: u64) -> Log {
        let mut limits = Limits::defaults(Weight::Normal);
        for (limit, value) in [(Limit::LogBytes, bytes), (Limit::LogLines, lines)] {
            limits.try_set(limit, value, LimitSource::Request).unwrap();
        }
        Log::within(&limits)
    }

    fn texts(log: &mut Log) -> Vec<String> {
        let fresh = log.fresh().iter();
        fresh.map(|line| line.message.clone()).collect()
    }

    #[test]
    fn pieces_become_lines_and_what_is_escaped_cannot_forge_one() {
        let mut log = log(1000, 10);
        log.write(b"one\ntw");
        assert_eq!(texts(&mut log), ["one"]);
        log.write(b"o\x1b[2J\r\n\xff");
        assert_eq!(texts(&mut log), ["two\\u{1b}[2J\\r"]);
        log.close();
        assert_eq!(texts(&mut log), ["\u{fffd}"]);
        assert_eq!(log.lines.len(), 3);
        assert_eq!(log.dropped, 0);
    }

    #[test]
    fn what_is_beyond_a_limit_is_dropped_and_counted() {
        let mut few = log(1000, 2);
        few.write(b"1\n2\n3\n4\n");
        assert_eq!(texts(&mut few), ["1", "2"]);
        assert_eq!((few.dropped, few.bytes), (2, 8));
        let mut short = log(5, 10);
        short.write(b"123456789\nabc\n");
        short.close();
        assert_eq!(texts(&mut short), ["12345…"]);
        assert_eq!((short.dropped, short.bytes), (1, 14));
        let mut long = log(1 << 20, 10);
        long.write(&vec![b'x'; 100_000]);
        long.write(b"\n");
        assert_eq!(texts(&mut long)[0].chars().count(), LINE_BYTES + 1);
    }
}

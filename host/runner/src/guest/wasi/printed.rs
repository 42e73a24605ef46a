//! What a guest prints: lines of the launch's log, if that is granted. Without, nobody hears it.

use super::lines::Lines;
use crate::guest::Guest;
use hotcell_model::grant::Capability;
use hotcell_model::report::LogLevel;

/// Where something is printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// The standard output.
    Output,
    /// The standard error.
    Error,
}

impl Printed {
    fn level(self) -> LogLevel {
        match self {
            Self::Output => LogLevel::Info,
            Self::Error => LogLevel::Warn,
        }
    }
}

impl Guest {
    /// Takes what the guest printed.
    pub(super) fn print(&mut self, to: Printed, bytes: &[u8]) {
        if self.grants.has(Capability::Log) {
            let mut lines = std::mem::take(self.lines(to));
            lines.take(bytes, |line| self.log_line(to, line));
            *self.lines(to) = lines;
        }
    }

    /// Ends what it printed: a line without an end is one, too.
    pub(crate) fn end_output(&mut self) {
        for to in [Printed::Output, Printed::Error] {
            let mut lines = std::mem::take(self.lines(to));
            lines.end(|line| self.log_line(to, line));
        }
    }

    fn log_line(&mut self, to: Printed, line: &str) {
        if self.note_line() {
            self.meter.log(to.level(), line);
        }
    }

    fn lines(&mut self, to: Printed) -> &mut Lines {
        match to {
            Printed::Output => &mut self.capabilities.wasi.output,
            Printed::Error => &mut self.capabilities.wasi.error,
        }
    }
}

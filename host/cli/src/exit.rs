//! Exit codes: an error with the code that the command ends with.

use hotcell_model::outcome::OutcomeKind;
use std::fmt;

/// An error that decides the command's exit code.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// The exit code.
    pub(crate) code: u8,
    /// What went wrong, and what to do.
    pub(crate) source: anyhow::Error,
}

impl CommandError {
    /// An error whose exit code is that of an outcome.
    pub(crate) fn of(kind: OutcomeKind, source: impl Into<anyhow::Error>) -> anyhow::Error {
        Self {
            code: kind.exit_code(),
            source: source.into(),
        }
        .into()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

/// The exit code of an error: its own, or that of a host fault.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<CommandError>() {
        Some(exit) => exit.code,
        None => OutcomeKind::HostFault.exit_code(),
    }
}

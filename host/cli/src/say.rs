//! What the command prints, when nobody reads it.
//!
//! The reader of a pipe may leave, as `head` does. That is no error of anybody's: what only prints ends with
//! [`CLOSED`], what has done something ends as it would have, and nothing is said.

use crate::exit::CommandError;
use anyhow::{Error, Result};
use hotcell::outcome::OutcomeKind;
use std::fmt::Display;
use std::io::{self, Write};

/// The exit code of a command whose reader left: that of a process which SIGPIPE ended, as a shell shows it.
pub(crate) const CLOSED: u8 = 141;

/// Prints what was asked for.
///
/// # Errors
/// With the exit code: [`CLOSED`] where nobody reads, 3 where it cannot be written.
pub(crate) fn print(text: impl Display) -> Result<()> {
    write(io::stdout().lock(), text).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CommandError {
            code: CLOSED,
            source: error.into(),
        }
        .into(),
        _ => unwritable(error),
    })
}

/// Prints a line about what was done; it stays done where nobody reads.
///
/// # Errors
/// With the exit code: it cannot be written.
pub(crate) fn note(text: impl Display) -> Result<()> {
    match write(io::stdout().lock(), format_args!("{text}\n")) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(error)),
        _ => Ok(()),
    }
}

/// Prints a line on the error stream. Where that cannot be, there is nobody to tell.
pub(crate) fn tell(text: impl Display) {
    let _ = write(io::stderr().lock(), format_args!("{text}\n"));
}

fn unwritable(error: io::Error) -> Error {
    let error = Error::new(error).context("the standard output cannot be written");
    CommandError::of(OutcomeKind::Io, error)
}

/// One write for a line, so that lines of several processes do not mix.
fn write(mut stream: impl Write, text: impl Display) -> io::Result<()> {
    stream.write_all(text.to_string().as_bytes())?;
    stream.flush()
}

//! What can be wrong with an audit log, apart from what it says.

use std::io;
use std::path::{Path, PathBuf};

/// Why an audit log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A directory or file belongs to somebody else, or others can use it.
    #[error("{} {why}", path.display())]
    NotOwn {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// The operating system says no.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is none.
    #[error("{} is no key of 32 bytes; put the key back, or move it away to begin with a new one", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The log contradicts what was signed of it: it was changed by something else than its writer.
    #[error("{} contradicts what was signed of it: {why}; look at it with `hotcell audit verify`", log.display())]
    Contradiction {
        /// The log's directory.
        log: PathBuf,
        /// How.
        why: String,
    },
    /// Every log has a writer already.
    #[error("all {most} logs that there may be in {} have writers; end some of them", directory.display())]
    TooManyWriters {
        /// How many logs there may be.
        most: u32,
        /// The directory of the logs.
        directory: PathBuf,
    },
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
}

impl AuditError {
    /// What the operating system said of a path.
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<AuditError> for io::Error {
    fn from(error: AuditError) -> Self {
        let kind = match &error {
            AuditError::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, hotcell_model::text::chain(&error))
    }
}

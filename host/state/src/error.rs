//! What can be wrong with a file of state, and what to do then.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What a file holds, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// What is kept there: `budgets`.
    pub what: &'static str,
    /// What happens without what was there: `budgets begin full`.
    pub afresh: &'static str,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file or its directory is not the caller's own.
    #[error("{} must be your own and of nobody else's use; it {why}", path.display())]
    NotOwn {
        /// The file or directory.
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
    /// The file is another program's, or its beginning is damaged.
    #[error(
        "{} is no file of {}, or its beginning is damaged: move it away, and {}; or name another place",
        path.display(),
        contents.what,
        contents.afresh
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        contents: Contents,
    },
    /// The file does not hold what was written.
    #[error(
        "{0} is damaged: end every process that uses it, then restore it from a copy, or move it and `{0}-wal` away, and \
         {1}",
        path.display(),
        contents.afresh
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        contents: Contents,
        /// How that was seen.
        source: rusqlite::Error,
    },
    /// The file is missing, and what SQLite kept beside it is there.
    #[error(
        "{0} is missing and {1} is there: restore the file, or remove the other too, and {2}",
        path.display(),
        beside.display(),
        contents.afresh
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is there.
        beside: PathBuf,
        /// What the file should hold.
        contents: Contents,
    },
    /// A newer build made the file.
    #[error(
        "{} has schema {found}, and this build knows {known}: use the newer build, or name another place",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// Another process holds the file for too long.
    #[error(
        "another process has kept {0} locked for {waited:?}: see who with `fuser {0}`, and continue or kill it",
        path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The file is not the one that was opened.
    #[error(
        "{} was removed or replaced while it was in use: end every process that uses it, then start again",
        path.display()
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// SQLite says no: a full disk, for one.
    #[error("cannot read or write {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

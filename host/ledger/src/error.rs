//! What can be wrong with the file of budgets, and what to do then.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the budgets cannot be used. Nothing is launched then: a budget that cannot be read is no grant.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
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
        "{0} is no file of budgets, or its beginning is damaged: move it away, and budgets begin full; or name another \
         place",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold what was written.
    #[error(
        "{0} is damaged: end every process that uses it, then restore it from a copy, or move it and `{0}-wal` away, and \
         budgets begin full",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        source: rusqlite::Error,
    },
    /// The file is missing, and what SQLite kept beside it is there.
    #[error(
        "{0} is missing and {1} is there: restore the file, or remove the other too, and budgets begin full",
        path.display(),
        beside.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is there.
        beside: PathBuf,
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
    /// A fork of the process that opened the budgets.
    #[error(
        "process {used_by} is a fork of process {opened_by}, which had the budgets open: fork first and open them then, or \
         start a program in its place"
    )]
    Forked {
        /// The process that opened them.
        opened_by: u32,
        /// The process that would use them.
        used_by: u32,
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

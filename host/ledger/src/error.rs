//! What can be wrong with budgets, and what to do then.

use hotcell_state::StateError;
use std::io;
use std::path::PathBuf;

/// Why the budgets cannot be used. Nothing is launched then: a budget that cannot be read is no grant.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operating system does not say which process this is.
    #[error("cannot use {}", path.display())]
    Io {
        /// What was asked.
        path: PathBuf,
        /// Why.
        source: io::Error,
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
}

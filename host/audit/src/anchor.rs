//! Who else is told of a log's checkpoints: what they have of a log speaks against whoever changes it here.
//!
//! They are told by a thread of its own, of the newest checkpoint only, and so no launch waits for them.

mod command;
mod file;
mod thread;
mod witness;

pub use command::CommandAnchor;
pub use file::FileAnchor;
pub use witness::{WitnessAnchor, WitnessError};

pub(crate) use thread::Anchoring;

use crate::checkpoint::Checkpoint;
use crate::history::History;
use hotcell_model::time::Timestamp;
use std::time::Duration;

/// What an anchor is told.
#[derive(Debug)]
pub struct Told<'a> {
    /// The checkpoint as it was signed.
    pub note: &'a str,
    /// What it says.
    pub checkpoint: &'a Checkpoint,
    /// The log, for proofs.
    pub history: &'a History,
}

/// Why an anchor was not told.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file or the command cannot be used.
    #[error("cannot use {what}")]
    Io {
        /// What.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The command did not end well.
    #[error("`{command}` {how}")]
    Command {
        /// The command.
        command: String,
        /// How it ended.
        how: String,
    },
    /// The witness did not sign.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

/// Somebody or something elsewhere that keeps checkpoints.
pub trait Anchor: Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// How long it is left alone after it was told.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Tells it of a checkpoint. May take seconds, and no more than about ten.
    ///
    /// # Errors
    /// It does not have the checkpoint now.
    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError>;
}

/// What is known of an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorState {
    /// What it is called.
    pub name: String,
    /// The size of the last checkpoint that it has; `None` if it has none by this writer.
    pub size: Option<u64>,
    /// When it was told of that.
    pub told: Option<Timestamp>,
    /// Why it was not told the last time.
    pub problem: Option<String>,
}

//! What the supervisor and a runner say to each other.

use crate::bounded;
use crate::gpu::Payload;
use crate::grant::{Capability, Grants};
use crate::job::{Job, RunEnd};
use crate::layer::{Layer, LayerReport};
use crate::probe::{Attempt, Attempted};
use crate::report::LogLevel;
use crate::samples::Samples;
use serde::{Deserialize, Serialize};

/// To a runner, on its first socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToRunner {
    /// Load an artifact and lock. Once, and first. Beside it: the artifact, sealed.
    Load(LoadRequest),
    /// Run a launch. Beside it: the inputs and outputs that are not inside, in their order.
    Launch(Box<LaunchRequest>),
    /// Try something after lockdown.
    Attempt(Attempt),
}

/// What a runner needs besides the artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRequest {
    /// The artifact's size.
    pub artifact_bytes: u64,
    /// The capabilities to link.
    pub grants: Grants,
}

/// A launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// The launch's number, counted by the supervisor; answers carry it.
    pub id: u64,
    /// What is to be run. Its grants are those that the runner was loaded with, whatever is said here.
    pub job: Job,
    /// The capabilities whose work another worker does: their channels are the first descriptors, in this order, and
    /// arrays in memory are shared with those workers.
    #[serde(deserialize_with = "bounded::list::<_, _, { Capability::ALL.len() }>")]
    pub sessions: Vec<Capability>,
    /// Where each array that is read lies, in the job's order.
    pub inputs: Vec<InputPlace>,
    /// Where each array that is written goes, in the job's order.
    pub outputs: Vec<OutputPlace>,
}

/// Where an input lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputPlace {
    /// In the frame.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// In the next descriptor: sealed memory of the array's size.
    Memory,
    /// In the next descriptor: a file, open for reading, from that offset on.
    File {
        /// Where the array begins.
        offset_bytes: u64,
    },
}

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputPlace {
    /// Into the answer.
    Inline,
    /// Into the next descriptor: memory of the array's size.
    Memory,
}

/// On a runner's second socket: stop that launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The launch's number.
    pub id: u64,
}

/// From a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromRunner {
    /// The artifact is loaded and every thread is locked: these layers were added.
    Ready(
        #[serde(deserialize_with = "bounded::list::<_, _, { Layer::ALL.len() }>")] Vec<LayerReport>,
    ),
    /// The artifact is another engine's.
    Stale(String),
    /// The component does not fit this host's interfaces.
    Misfit(String),
    /// The runner itself failed.
    Failed(String),
    /// A piece of a log line.
    Log(LogPiece),
    /// How far the launch is.
    Progress {
        /// The launch.
        id: u64,
        /// So much is done,
        done: u64,
        /// of so much.
        total: u64,
    },
    /// Where the guest's time went, if that was asked for: once, before the end.
    Samples {
        /// The launch.
        id: u64,
        /// What was found.
        samples: Box<Samples>,
    },
    /// The launch ended.
    Ended {
        /// The launch.
        id: u64,
        /// How it ended. Log lines have come before; the outputs are those that are inside the frame.
        end: Box<RunEnd<Payload>>,
    },
    /// An attempt was survived.
    Attempted(Attempted),
}

/// A piece of a log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// The launch.
    pub id: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// The piece, at most [`super::LINE_BYTES`].
    pub text: String,
    /// Whether the line ends here.
    pub is_end: bool,
}

//! What the supervisor and a GPU worker say to each other. The launch's own commands go from its runner to
//! the worker, over a channel of their own.

use crate::bounded;
use crate::gpu::{GpuEnd, GpuProperties, GpuUsage};
use crate::layer::{Layer, LayerReport};
use crate::limit::Limits;
use crate::probe::{Attempt, Attempted};
use hotcell_manifest::Shaders;
use serde::{Deserialize, Serialize};

/// To a GPU worker, on its first socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGpu {
    /// Serve a launch until its channel ends. Beside it: the channel, memory of [`LEDGER_BYTES`] for what is used
    /// meanwhile, sealed memory with the texts of the shaders where there are any, one after the other, then the arrays that
    /// are shared, inputs before outputs, in their order.
    ///
    /// [`LEDGER_BYTES`]: crate::gpu::LEDGER_BYTES
    Begin(Box<GpuRequest>),
    /// Try something after lockdown.
    Attempt(Attempt),
}

/// A launch's GPU work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuRequest {
    /// The launch's number, counted by the supervisor; the answer carries it.
    pub id: u64,
    /// The limits in force.
    pub limits: Limits,
    /// How long until the launch's deadline, in nanoseconds.
    pub time_ns: u64,
    /// Whether to count the fuel of every dispatch.
    pub has_profile: bool,
    /// Whether shaders may be made of text that the runner says.
    pub has_text: bool,
    /// The shaders of the component: name, and size in bytes.
    #[serde(deserialize_with = "bounded::list::<_, _, { Shaders::MAX_SHADERS }>")]
    pub shaders: Vec<(String, u64)>,
    /// For each array that is read, in the job's order: its size in bytes if it is shared.
    pub inputs: Vec<Option<u64>>,
    /// For each array that is written, in the job's order: its size in bytes if it is shared.
    pub outputs: Vec<Option<u64>>,
}

/// From a GPU worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGpu {
    /// The device is open, warm, and every thread is locked: these layers were added.
    Ready {
        /// The device and driver in words, for the operator.
        driver: String,
        /// What it offers.
        properties: GpuProperties,
        /// The turns after which it was seen to end a loop by itself; `None` where it was not.
        turns_limit: Option<u32>,
        /// The layers of the final lock.
        #[serde(deserialize_with = "bounded::list::<_, _, { Layer::ALL.len() }>")]
        layers: Vec<LayerReport>,
    },
    /// There is no device to be had.
    Unavailable(String),
    /// The launch's channel ended and the device is done with it: no array is mapped any more.
    Ended {
        /// The launch.
        id: u64,
        /// What it used.
        usage: Box<GpuUsage>,
        /// Why its session ended early, if it did.
        end: Option<GpuEnd>,
    },
    /// An attempt was survived.
    Attempted(Attempted),
}

//! Sessions of a launch with other workers and with the supervisor: the channels that this hands to a confined runner.

use crate::guest::files::FileChannel;
use crate::guest::gpu::GpuChannel;
use hotcell_model::frame::{InputPlace, OutputPlace};
use hotcell_model::grant::Capability;
use hotcell_model::job::JobData;
use hotcell_sandbox::channel::Channel;
use std::sync::Arc;

/// Which arrays of a launch other workers map too: those in memory.
#[derive(Clone, Debug)]
pub struct SharedArrays {
    /// For each array that is read, in the job's order.
    pub(crate) inputs: Vec<bool>,
    /// For each array that is written, in the job's order.
    pub(crate) outputs: Vec<bool>,
}

impl SharedArrays {
    /// Of arrays that lie there.
    pub fn of(inputs: &[InputPlace], outputs: &[OutputPlace]) -> Self {
        let is_memory = |place: &InputPlace| matches!(place, InputPlace::Memory);
        Self {
            inputs: inputs.iter().map(is_memory).collect(),
            outputs: outputs
                .iter()
                .map(|place| *place == OutputPlace::Memory)
                .collect(),
        }
    }
}

/// Gives a launch the session of a capability; `false` where there is no such thing.
pub fn attach(
    data: &mut JobData,
    capability: Capability,
    channel: Channel,
    shared: &SharedArrays,
) -> bool {
    match capability {
        Capability::Gpu => {
            let (inputs, outputs) = (shared.inputs.clone(), shared.outputs.clone());
            data.gpu = Some(Arc::new(GpuChannel::new(channel, inputs, outputs)));
            true
        }
        Capability::Files => {
            data.files = Some(Arc::new(FileChannel::new(channel)));
            true
        }
        _ => false,
    }
}

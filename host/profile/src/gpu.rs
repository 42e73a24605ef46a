//! What a kernel does on a GPU: how busy the device is with its dearest launch, and what each of its GPU kernels takes there.

use crate::fit::Sizes;
use crate::number;
use hotcell_model::gpu::GpuKernelUsage;
use serde::{Deserialize, Serialize};

/// What the dearest launch of a profile did on a GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRecord {
    /// The device and its driver, in words.
    pub device: String,
    /// Of what sizes the launch was.
    pub sizes: Sizes,
    /// How long it ran.
    pub wall_ns: u64,
    /// For how long of that the device had work of it.
    pub busy_ns: u64,
    /// GPU fuel.
    pub fuel: u64,
    /// Dispatches.
    pub dispatches: u64,
    /// What each GPU kernel took, when its dispatches were waited for one by one: of the time what a submission takes is a part.
    pub kernels: Vec<GpuKernelUsage>,
}

impl GpuRecord {
    /// The part of the launch's time, from 0 to 1, in which the device had work of it.
    pub fn busy(&self) -> f64 {
        (number::of(self.busy_ns) / number::of(self.wall_ns.max(1))).min(1.0)
    }
}

//! What the dispatches of a profiled launch took: the first ones each by itself, and all of them by the kernel that they ran.
//!
//! A launch may have millions of dispatches, and makes as many kernels as it may: what is kept of them is bounded.

use crate::device::Pipeline;
use hotcell_model::gpu::{
    GpuDispatchFuel, GpuKernelUsage, GpuShader, OTHER_KERNELS, PROFILED_DISPATCHES,
    PROFILED_KERNELS,
};
use std::sync::Arc;

/// What was noted so far.
#[derive(Debug, Default)]
pub(super) struct DispatchProfile {
    dispatches: Vec<GpuDispatchFuel>,
    kernels: Vec<(Arc<Pipeline>, GpuKernelUsage)>,
    others: GpuKernelUsage,
}

impl DispatchProfile {
    /// Remembers what a kernel is called. One that is made again has the name that it had first.
    pub(super) fn name(&mut self, pipeline: &Arc<Pipeline>, shader: &GpuShader, entry: &str) {
        let is_known = self
            .kernels
            .iter()
            .any(|(known, _)| Arc::ptr_eq(known, pipeline));
        // One place is for all others.
        if is_known || self.kernels.len() + 1 >= PROFILED_KERNELS {
            return;
        }
        let shader = match shader {
            GpuShader::Named(name) => name,
            GpuShader::Said => "",
        };
        let usage = GpuKernelUsage::named(shader, entry);
        self.kernels.push((Arc::clone(pipeline), usage));
    }

    /// Adds a dispatch. What is not told apart is added to the last one that is.
    pub(super) fn note(&mut self, pipeline: &Arc<Pipeline>, dispatch: GpuDispatchFuel) {
        let mut kernels = self.kernels.iter_mut();
        let known = kernels.find(|(known, _)| Arc::ptr_eq(known, pipeline));
        known
            .map_or(&mut self.others, |(_, usage)| usage)
            .add(&dispatch);
        let is_full = self.dispatches.len() >= PROFILED_DISPATCHES;
        match self.dispatches.last_mut() {
            Some(last) if is_full => last.add(&dispatch),
            _ => self.dispatches.push(dispatch),
        }
    }

    /// What was noted: dispatches, and kernels that ran.
    pub(super) fn take(&mut self) -> (Vec<GpuDispatchFuel>, Vec<GpuKernelUsage>) {
        let Self {
            dispatches,
            kernels,
            mut others,
        } = std::mem::take(self);
        others.entry = OTHER_KERNELS.to_owned();
        let kernels = kernels.into_iter().map(|(_, usage)| usage);
        let ran = kernels.chain([others]).filter(|usage| usage.dispatches > 0);
        (dispatches, ran.collect())
    }
}

//! What a guest holds: buffers, kernels, bind sets and submissions, by ids that are never used twice.

use crate::device::Pipeline;
use hotcell_model::gpu::{GpuError, GpuId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Submissions that nobody has waited for or dropped.
const MOST_SUBMISSIONS: usize = 1024;

/// Memory on the device.
#[derive(Debug)]
pub(super) struct DeviceBuffer {
    pub(super) id: GpuId,
    pub(super) raw: wgpu::Buffer,
    /// What its owner asked for.
    pub(super) size_bytes: u64,
    /// What it takes on the device: zeros follow what was asked for.
    pub(super) held_bytes: u64,
    /// The number of the last work that uses it.
    last_use: AtomicU64,
}

impl DeviceBuffer {
    pub(super) fn new(id: GpuId, raw: wgpu::Buffer, size_bytes: u64) -> Self {
        let held_bytes = raw.size();
        Self {
            id,
            raw,
            size_bytes,
            held_bytes,
            last_use: AtomicU64::new(0),
        }
    }

    pub(super) fn use_in(&self, number: u64) {
        self.last_use.store(number, Ordering::Relaxed);
    }

    pub(super) fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }
}

/// Ranges of buffers, bound to a kernel.
#[derive(Debug)]
pub(super) struct BoundSet {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) groups: Vec<(u32, wgpu::BindGroup)>,
    pub(super) buffers: Vec<Arc<DeviceBuffer>>,
}

/// A batch that was queued.
#[derive(Debug, Default)]
pub(super) struct QueuedWork {
    /// The number of its last work.
    pub(super) last: u64,
    /// What its reads give.
    pub(super) answers: Vec<u64>,
    /// How much that is.
    pub(super) answer_bytes: u64,
}

/// One thing.
#[derive(Debug)]
pub(super) enum Thing {
    Buffer(Arc<DeviceBuffer>),
    Kernel(Arc<Pipeline>),
    BindSet(Arc<BoundSet>),
    Submission(QueuedWork),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Things {
    by_id: HashMap<GpuId, Thing>,
    last: u32,
    submissions: usize,
}

impl Things {
    /// An id that was never used.
    pub(super) fn fresh(&mut self) -> Result<GpuId, GpuError> {
        self.last = self
            .last
            .checked_add(1)
            .ok_or_else(|| GpuError::Misuse("no more ids in this launch".into()))?;
        Ok(GpuId(self.last))
    }

    /// Whether one more submission may be held.
    pub(super) fn check_submissions(&self) -> Result<(), GpuError> {
        if self.submissions >= MOST_SUBMISSIONS {
            return Err(GpuError::Misuse(format!(
                "{MOST_SUBMISSIONS} submissions are held: wait for some and drop them"
            )));
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, id: GpuId, thing: Thing) {
        if matches!(thing, Thing::Submission(_)) {
            self.submissions += 1;
        }
        self.by_id.insert(id, thing);
    }

    pub(super) fn remove(&mut self, id: GpuId) -> Result<Thing, GpuError> {
        let thing = self.by_id.remove(&id).ok_or_else(|| unknown("thing", id))?;
        if matches!(thing, Thing::Submission(_)) {
            self.submissions -= 1;
        }
        Ok(thing)
    }

    pub(super) fn buffer(&self, id: GpuId) -> Result<&Arc<DeviceBuffer>, GpuError> {
        match self.by_id.get(&id) {
            Some(Thing::Buffer(buffer)) => Ok(buffer),
            _ => Err(unknown("buffer", id)),
        }
    }

    pub(super) fn kernel(&self, id: GpuId) -> Result<&Arc<Pipeline>, GpuError> {
        match self.by_id.get(&id) {
            Some(Thing::Kernel(kernel)) => Ok(kernel),
            _ => Err(unknown("kernel", id)),
        }
    }

    pub(super) fn bind_set(&self, id: GpuId) -> Result<&Arc<BoundSet>, GpuError> {
        match self.by_id.get(&id) {
            Some(Thing::BindSet(bind_set)) => Ok(bind_set),
            _ => Err(unknown("bind set", id)),
        }
    }

    pub(super) fn submission(&mut self, id: GpuId) -> Result<&mut QueuedWork, GpuError> {
        match self.by_id.get_mut(&id) {
            Some(Thing::Submission(submission)) => Ok(submission),
            _ => Err(unknown("submission", id)),
        }
    }
}

fn unknown(kind: &str, id: GpuId) -> GpuError {
    GpuError::Misuse(format!("there is no {kind} {}", id.0))
}

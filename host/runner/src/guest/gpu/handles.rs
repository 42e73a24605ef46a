//! What stands behind a guest's handles.

use super::fault::GpuCallFailure;
use super::landing::Landings;
use super::line::Line;
use super::pieces::WORD_BYTES;
use crate::guest::Guest;
use hotcell_model::gpu::{GpuError, GpuId};
use hotcell_model::limit::Limit;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A thing of the session's, forgotten there once it is dropped here.
pub(super) struct HeldHandle {
    id: GpuId,
    line: Arc<Line>,
}

impl HeldHandle {
    pub(super) fn new(id: GpuId, line: &Arc<Line>) -> Self {
        let line = Arc::clone(line);
        Self { id, line }
    }

    pub(super) fn id(&self) -> GpuId {
        self.id
    }
}

impl Drop for HeldHandle {
    fn drop(&mut self) {
        self.line.forget(self.id);
    }
}

/// `resource device`: the launch's only one, so there is nothing to know.
pub(super) struct DeviceHandle;

/// `resource buffer`
pub(super) struct Buffer {
    pub(super) held: HeldHandle,
    pub(super) size_bytes: u64,
}

impl Buffer {
    /// Checks that a range of the buffer that begins on a word lies within it.
    pub(super) fn check_range(&self, offset_bytes: u64, len_bytes: u64) -> Result<(), GpuError> {
        if !offset_bytes.is_multiple_of(WORD_BYTES) {
            let message = format!("offset {offset_bytes} is not a multiple of {WORD_BYTES}");
            return Err(GpuError::Misuse(message));
        }
        check_within(offset_bytes, len_bytes, self.size_bytes)
    }

    /// As [`Self::check_range`], of whole words.
    pub(super) fn check_words(&self, offset_bytes: u64, len_bytes: u64) -> Result<(), GpuError> {
        let ends_it = offset_bytes.checked_add(len_bytes) == Some(self.size_bytes);
        if !len_bytes.is_multiple_of(WORD_BYTES) && !ends_it {
            let message = format!("length {len_bytes} is not a multiple of {WORD_BYTES}");
            return Err(GpuError::Misuse(message));
        }
        self.check_range(offset_bytes, len_bytes)
    }
}

/// Checks that a range lies within `size_bytes`.
pub(super) fn check_within(
    offset_bytes: u64,
    len_bytes: u64,
    size_bytes: u64,
) -> Result<(), GpuError> {
    match offset_bytes.checked_add(len_bytes) {
        Some(end) if end <= size_bytes => Ok(()),
        _ => Err(GpuError::OutOfRange {
            offset_bytes,
            len_bytes,
            size_bytes,
        }),
    }
}

/// `resource kernel`
pub(super) struct Kernel {
    pub(super) held: HeldHandle,
    pub(super) workgroup_size: [u32; 3],
}

/// `resource bind-set`
pub(super) struct BindSet(pub(super) HeldHandle);

/// `resource submission`
pub(super) struct Submission {
    pub(super) held: HeldHandle,
    /// Where its results go; none once it was waited for.
    pub(super) landings: Option<Landings>,
}

/// Refuses what would give the guest one handle more than it may hold. Asked before the session is, since what it
/// does cannot always be taken back.
pub(super) fn check_room(guest: &mut Guest) -> Result<(), GpuCallFailure> {
    let place = push(guest, ())?;
    Ok(guest.handles.delete(place)?)
}

/// Gives the guest a handle.
pub(super) fn push<T: Send + 'static>(
    guest: &mut Guest,
    thing: T,
) -> Result<Resource<T>, GpuCallFailure> {
    let maximum = guest.meter.limits.get(Limit::Handles);
    guest.handles.push(thing).map_err(|_| {
        GpuCallFailure::Refused(GpuError::Limit {
            limit: Limit::Handles,
            requested: maximum.saturating_add(1),
            maximum,
        })
    })
}

//! An array that a launch holds whole: in memory that the host gives where it is large, else in the launch's own.

use crate::bytes::copy;
use crate::heap::{PAGE, PAGED_FROM};
use crate::host::{Input, Output};
use crate::kept::zeroed;

/// An array that is held whole: where it comes from, where it goes, and its bytes once there are any.
pub(crate) struct Whole<'a> {
    pub(crate) name: &'static str,
    pub(crate) source: Option<Input>,
    pub(crate) destination: Option<Output>,
    pub(crate) len_bytes: u32,
    pub(crate) bytes: &'a mut [u8],
}

impl Whole<'_> {
    /// Memory for an output. A small one that is read too uses its input's.
    pub(crate) fn allocate(&mut self) {
        let Some(output) = self.destination else {
            return;
        };
        if self.len_bytes as usize >= PAGED_FROM {
            self.bytes = output.buffer(self.len_bytes).leak();
        } else if self.source.is_none() {
            self.bytes = zeroed(self.name, self.len_bytes as usize);
        }
    }

    /// The input's bytes.
    pub(crate) fn read(&mut self) {
        let Some(source) = self.source else {
            return;
        };
        if self.bytes.is_empty() {
            self.bytes = source.read(0, self.len_bytes).leak();
        } else {
            copy_in(source, self.bytes);
        }
        source.release();
    }

    /// Gives the output back, filled.
    pub(crate) fn write(&self) {
        if let Some(output) = self.destination {
            output.write(0, self.bytes);
        }
    }
}

/// Copies an array in reads that are too short to be mapped: memory for all of it is there already.
fn copy_in(source: Input, target: &mut [u8]) {
    let mut offset_bytes = 0;
    for part in target.chunks_mut(PAGED_FROM - PAGE) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is less than `PAGED_FROM`"
        )]
        let given = source.read(offset_bytes, part.len() as u32);
        copy(part, &given);
        offset_bytes += part.len() as u64;
    }
}

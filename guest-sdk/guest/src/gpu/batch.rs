//! Batches: steps that are queued in one call.

use super::streams::{Given, Wanted};
use super::{BindSet, Buffer, Destination, Error, Source, host};
use std::ops::Range;

/// Steps in the order in which they run; [`Device::batch`](super::Device::batch) makes an empty one.
///
/// All of a batch is queued or, with an error, none of it.
#[must_use = "a batch does nothing until it is run or submitted"]
pub struct Batch<'a> {
    device: &'a host::Device,
    steps: Vec<Step<'a>>,
}

/// One step, ranges in bytes.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "natively there is no device to run it")
)]
pub(super) enum Step<'a> {
    /// Run a kernel.
    Dispatch {
        bind_set: &'a host::BindSet,
        workgroups: [u32; 3],
    },
    /// Copy between buffers.
    Copy {
        source: Place<'a>,
        destination: Place<'a>,
        len_bytes: u64,
    },
    /// Copy from an array.
    Fill {
        source: Given<'a>,
        source_offset_bytes: u64,
        destination: Place<'a>,
        len_bytes: u64,
    },
    /// Copy into an array.
    Read {
        source: Place<'a>,
        destination: Wanted<'a>,
        destination_offset_bytes: u64,
        len_bytes: u64,
    },
    /// Set to zero.
    Clear { place: Place<'a>, len_bytes: u64 },
}

/// A byte of a buffer.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "natively there is no device to run it")
)]
pub(super) struct Place<'a> {
    pub(super) buffer: &'a host::Buffer,
    pub(super) offset_bytes: u64,
}

impl<'a> Place<'a> {
    fn new(buffer: &'a Buffer, offset_bytes: u64) -> Self {
        Self {
            buffer: &buffer.0,
            offset_bytes,
        }
    }
}

impl<'a> Batch<'a> {
    pub(super) fn new(device: &'a host::Device) -> Self {
        Self {
            device,
            steps: Vec::new(),
        }
    }

    /// Runs workgroups of a kernel over what is bound.
    pub fn dispatch(self, bind_set: &'a BindSet, workgroups: [u32; 3]) -> Self {
        self.then(Step::Dispatch {
            bind_set: &bind_set.0,
            workgroups,
        })
    }

    /// Copies all of an array to the start of a buffer, without the guest's memory in between. What is
    /// missing to a multiple of 4 bytes is written as zeros.
    pub fn fill<'h: 'a>(self, source: &impl Source<'h>, destination: &'a Buffer) -> Self {
        let all = 0..source.elements();
        self.fill_bytes(source, all, destination, 0)
    }

    /// Copies a range of an array's elements to a buffer, from a byte on that is a multiple of 4.
    pub fn fill_range<'h: 'a>(
        self,
        source: &impl Source<'h>,
        elements: Range<usize>,
        destination: &'a Buffer,
        offset_bytes: u64,
    ) -> Self {
        self.fill_bytes(source, widen(elements), destination, offset_bytes)
    }

    /// Copies the start of a buffer into all of an array, without the guest's memory in between.
    pub fn read<'h: 'a>(self, source: &'a Buffer, destination: &mut impl Destination<'h>) -> Self {
        let all = 0..destination.elements();
        self.read_bytes(source, 0, destination, all)
    }

    /// Copies what lies in a buffer from a byte on, a multiple of 4, into a range of an array's elements.
    pub fn read_range<'h: 'a>(
        self,
        source: &'a Buffer,
        offset_bytes: u64,
        destination: &mut impl Destination<'h>,
        elements: Range<usize>,
    ) -> Self {
        self.read_bytes(source, offset_bytes, destination, widen(elements))
    }

    /// Copies so many bytes between two buffers. The offsets are multiples of 4; so is the length, or both ranges
    /// end where their buffers do.
    pub fn copy(
        self,
        (source, source_offset_bytes): (&'a Buffer, u64),
        (destination, destination_offset_bytes): (&'a Buffer, u64),
        len_bytes: u64,
    ) -> Self {
        self.then(Step::Copy {
            source: Place::new(source, source_offset_bytes),
            destination: Place::new(destination, destination_offset_bytes),
            len_bytes,
        })
    }

    /// Sets all of a buffer to zero.
    pub fn clear(self, buffer: &'a Buffer) -> Self {
        let len_bytes = buffer.size_bytes();
        self.clear_range(buffer, 0, len_bytes)
    }

    /// Sets a range of a buffer to zero. The offset is a multiple of 4; so is the length, or the range ends where
    /// the buffer does.
    pub fn clear_range(self, buffer: &'a Buffer, offset_bytes: u64, len_bytes: u64) -> Self {
        self.then(Step::Clear {
            place: Place::new(buffer, offset_bytes),
            len_bytes,
        })
    }

    /// Queues the batch and waits for its end, in one call: the cheap way for small batches.
    ///
    /// # Errors
    /// The first step that cannot be done, or a limit that would be passed.
    pub fn run(self) -> Result<(), Error> {
        host::run(self.device, &self.steps)
    }

    /// Queues the batch.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn submit(self) -> Result<Submission, Error> {
        host::submit(self.device, &self.steps).map(Submission)
    }

    fn fill_bytes<'h: 'a>(
        self,
        source: &impl Source<'h>,
        elements: Range<u64>,
        destination: &'a Buffer,
        offset_bytes: u64,
    ) -> Self {
        let (source_offset_bytes, len_bytes) = byte_range(source, &elements);
        self.then(Step::Fill {
            source: source.given(),
            source_offset_bytes,
            destination: Place::new(destination, offset_bytes),
            len_bytes,
        })
    }

    fn read_bytes<'h: 'a>(
        self,
        source: &'a Buffer,
        offset_bytes: u64,
        destination: &mut impl Destination<'h>,
        elements: Range<u64>,
    ) -> Self {
        let (destination_offset_bytes, len_bytes) = byte_range(destination, &elements);
        self.then(Step::Read {
            source: Place::new(source, offset_bytes),
            destination: destination.wanted(),
            destination_offset_bytes,
            len_bytes,
        })
    }

    fn then(mut self, step: Step<'a>) -> Self {
        self.steps.push(step);
        self
    }
}

/// Work in the queue. Dropping it does not stop it.
pub struct Submission(host::Submission);

impl Submission {
    /// Waits for the end. What the batch reads into arrays is there from then on.
    ///
    /// # Errors
    /// If the work could not be done.
    pub fn wait(self) -> Result<(), Error> {
        host::wait(self.0)
    }
}

fn widen(range: Range<usize>) -> Range<u64> {
    range.start as u64..range.end as u64
}

/// Where a range of elements begins and how long it is, in bytes. One that ends before it begins, or
/// beyond what 64 bits count, becomes one that the host refuses.
fn byte_range<A: super::streams::Array>(_: &A, elements: &Range<u64>) -> (u64, u64) {
    let bytes = |elements: u64| elements.saturating_mul(A::ELEMENT_BYTES);
    let len = elements.end.checked_sub(elements.start);
    (bytes(elements.start), len.map_or(u64::MAX, bytes))
}

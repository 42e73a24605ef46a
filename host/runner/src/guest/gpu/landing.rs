//! How what a batch reads comes into the guest's arrays, where the session does not share them.
//!
//! The bytes come with the answer to the wait. More than an answer carries is copied within the batch to a buffer of
//! the runner's own, and fetched from there in pieces: so a result is what it was at its place in the batch,
//! whatever is submitted before the wait.

use super::fault::GpuCallFailure;
use super::handles::HeldHandle;
use super::line::{Line, out_of_turn};
use super::pieces::{WORD_BYTES, pieces};
use crate::arrays::as_index;
use crate::guest::Guest;
use hotcell_model::gpu::{GpuCommand, GpuId, GpuStep, Payload};
use std::sync::Arc;

/// A range of a buffer that goes into an output.
pub(super) struct Landing {
    pub(super) buffer: GpuId,
    pub(super) offset_bytes: u64,
    pub(super) len_bytes: u64,
    /// The output's position in the guest's list.
    pub(super) position: usize,
    /// Where it goes, in the guest's part of the output.
    pub(super) start_bytes: u64,
}

impl Landing {
    /// What it takes of a buffer.
    fn buffer_bytes(&self) -> u64 {
        // Lengths are below the size of a buffer, which is a multiple of words.
        self.len_bytes.next_multiple_of(WORD_BYTES)
    }

    fn land(&self, guest: &mut Guest, from: u64, bytes: &[u8]) -> Result<(), GpuCallFailure> {
        let start = as_index(self.start_bytes + from);
        let output = guest.outputs.get_mut(self.position);
        let place = output.and_then(|output| {
            let rest = output.as_mut_slice().get_mut(start..)?;
            rest.get_mut(..bytes.len())
        });
        place.ok_or_else(out_of_turn)?.copy_from_slice(bytes);
        Ok(())
    }
}

/// What a batch reads, in order.
#[derive(Default)]
pub(super) struct Landings {
    places: Vec<Landing>,
    /// Where the bytes wait to be fetched, if they are too many for an answer.
    staging: Option<HeldHandle>,
    /// Whether anything goes into an array, shared ones included.
    reads_arrays: bool,
}

impl Landings {
    pub(super) fn note_array(&mut self) {
        self.reads_arrays = true;
    }

    pub(super) fn push(&mut self, landing: Landing) {
        self.places.push(landing);
    }

    /// Makes the buffer that the batch needs for what it reads, if it does.
    pub(super) fn prepare(&mut self, line: &Arc<Line>) -> Result<(), GpuCallFailure> {
        let sum = |bytes: u64, place: &Landing| bytes.saturating_add(place.buffer_bytes());
        let size_bytes = self.places.iter().fold(0, sum);
        let most = u64::try_from(line.link().piece_bytes()).unwrap_or(u64::MAX);
        if size_bytes > most {
            self.staging = Some(line.created(GpuCommand::CreateBuffer { size_bytes })?);
        }
        Ok(())
    }

    /// The steps of the reads, in their order.
    pub(super) fn steps(&self) -> impl Iterator<Item = GpuStep> {
        let mut staged = 0;
        self.places.iter().map(move |place| {
            let Some(staging) = &self.staging else {
                return GpuStep::Read {
                    buffer: place.buffer,
                    offset_bytes: place.offset_bytes,
                    len_bytes: place.len_bytes,
                };
            };
            let start = staged;
            staged += place.buffer_bytes();
            GpuStep::Copy {
                source: place.buffer,
                source_offset_bytes: place.offset_bytes,
                destination: staging.id(),
                destination_offset_bytes: start,
                len_bytes: place.buffer_bytes(),
            }
        })
    }

    /// Puts what was read into the guest's arrays, once the batch was waited for.
    pub(super) fn land(
        self,
        guest: &mut Guest,
        line: &Line,
        payloads: Vec<Payload>,
    ) -> Result<(), GpuCallFailure> {
        if self.reads_arrays {
            guest.body.output_written();
        }
        if let Some(staging) = &self.staging {
            return self.fetch(guest, line, staging.id());
        }
        if payloads.len() != self.places.len() {
            return Err(out_of_turn());
        }
        for (place, Payload(bytes)) in self.places.iter().zip(payloads) {
            if bytes.len() as u64 != place.len_bytes {
                return Err(out_of_turn());
            }
            place.land(guest, 0, &bytes)?;
        }
        Ok(())
    }

    fn fetch(&self, guest: &mut Guest, line: &Line, staging: GpuId) -> Result<(), GpuCallFailure> {
        let mut staged = 0;
        for place in &self.places {
            for piece in pieces(place.buffer_bytes(), line.link().piece_bytes()) {
                let len = piece.end - piece.start;
                let bytes = line.read(staging, staged + piece.start, len)?;
                // The last word may be more than was asked for.
                let wanted = as_index(place.len_bytes - piece.start).min(bytes.len());
                place.land(guest, piece.start, &bytes[..wanted])?;
            }
            staged += place.buffer_bytes();
        }
        Ok(())
    }
}

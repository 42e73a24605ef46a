//! Ranges cut into pieces that fit a frame, and steps collected until a frame is full.

use super::fault::GpuCallFailure;
use super::line::Line;
use bytes::Bytes;
use hotcell_model::gpu::{GpuCommand, GpuId, GpuStep, Payload};
use std::ops::Range;

/// What offsets and lengths in buffers are multiples of.
pub(super) const WORD_BYTES: u64 = WORD as u64;
const WORD: usize = size_of::<u32>();
/// The largest piece where nothing asks for smaller ones.
const LARGEST_BYTES: u64 = 1 << 30;
/// What a step counts in a frame beside its data: more than any takes.
const STEP_BYTES: usize = 64;

/// Cuts `0..len_bytes` into pieces of at most `piece_bytes`; all but the last are whole words.
pub(super) fn pieces(len_bytes: u64, piece_bytes: usize) -> impl Iterator<Item = Range<u64>> {
    let most = u64::try_from(piece_bytes).unwrap_or(u64::MAX);
    let most = most.clamp(WORD_BYTES, LARGEST_BYTES) / WORD_BYTES * WORD_BYTES;
    let mut next = 0_u64;
    std::iter::from_fn(move || {
        let start = next;
        next = len_bytes.min(start.saturating_add(most));
        (start < next).then_some(start..next)
    })
}

/// The length of a piece: it never leaves what a `u32` holds.
pub(super) fn len_of(piece: &Range<u64>) -> u32 {
    u32::try_from(piece.end - piece.start).unwrap_or(u32::MAX)
}

/// Collects the steps of a batch and sends them by the frame.
pub(super) struct Recorder<'a> {
    line: &'a Line,
    steps: Vec<GpuStep>,
    frame_bytes: usize,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(line: &'a Line) -> Self {
        Self {
            line,
            steps: Vec::new(),
            frame_bytes: 0,
        }
    }

    /// Adds a step.
    pub(super) fn push(&mut self, step: GpuStep) -> Result<(), GpuCallFailure> {
        let data = match &step {
            GpuStep::Write { data, .. } => data.0.len(),
            _ => 0,
        };
        let step_bytes = data.saturating_add(STEP_BYTES);
        let room = self.line.link().piece_bytes();
        if !self.steps.is_empty() && self.frame_bytes.saturating_add(step_bytes) > room {
            self.frame_bytes = 0;
            let steps = std::mem::take(&mut self.steps);
            self.line.done(GpuCommand::Record(steps))?;
        }
        self.frame_bytes = self.frame_bytes.saturating_add(step_bytes);
        self.steps.push(step);
        Ok(())
    }

    /// Adds the writing of `data`, with zeros for what is missing to whole words.
    pub(super) fn write(
        &mut self,
        buffer: GpuId,
        offset_bytes: u64,
        mut data: Bytes,
    ) -> Result<(), GpuCallFailure> {
        let whole = data.len() / WORD * WORD;
        let rest = data.split_off(whole);
        if !data.is_empty() {
            let data = Payload(data);
            self.push(GpuStep::Write {
                buffer,
                offset_bytes,
                data,
            })?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let mut word = [0; WORD];
        word[..rest.len()].copy_from_slice(&rest);
        self.push(GpuStep::Write {
            buffer,
            offset_bytes: offset_bytes + whole as u64,
            data: Payload(Bytes::copy_from_slice(&word)),
        })
    }

    /// The steps that were not sent yet.
    pub(super) fn finish(self) -> Vec<GpuStep> {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_words_and_cover_the_range() {
        let cut = |len, most| pieces(len, most).collect::<Vec<_>>();
        assert!(cut(0, 8).is_empty());
        assert_eq!(cut(16, 8), [0..8, 8..16]);
        assert_eq!(cut(9, 8), [0..8, 8..9]);
        assert_eq!(cut(11, 7), [0..4, 4..8, 8..11]);
        // A link that says nonsense still gets words.
        assert_eq!(cut(6, 0), [0..4, 4..6]);
        let large = cut(5 << 30, usize::MAX);
        assert_eq!((large.len(), large[4].end), (5, 5 << 30));
        assert_eq!(len_of(&large[0]), 1 << 30);
    }
}

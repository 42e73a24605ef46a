//! What a command may ask for so that its answer is one frame.
//!
//! A session bounds what a launch uses; how much crosses at once is between the processes alone.

use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuError, GpuStep, PIECE_BYTES, PIECES};

/// What a submission gives back to the runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reads {
    pieces: usize,
    bytes: u64,
}

/// The reads of the batch that is being recorded.
#[derive(Debug, Default)]
pub(crate) struct CommandBounds(Reads);

/// What is true once a command was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithinBounds(Reads);

impl CommandBounds {
    /// Looks whether a command's answer, now or when it is waited for, fits in a frame.
    ///
    /// # Errors
    /// It does not: what to answer in its place.
    pub(crate) fn admit(&self, command: &GpuCommand) -> Result<WithinBounds, GpuError> {
        let mut reads = self.0;
        match command {
            GpuCommand::ReadBuffer { len_bytes, .. } => Reads {
                pieces: 1,
                bytes: *len_bytes,
            }
            .check()?,
            GpuCommand::Record(steps) => {
                reads.add(steps);
                reads.check()?;
            }
            GpuCommand::Submit { steps, .. } => {
                reads.add(steps);
                reads.check()?;
                reads = Reads::default();
            }
            _ => {}
        }
        Ok(WithinBounds(reads))
    }

    /// Notes that an admitted command was done, or refused by the session.
    pub(crate) fn settle(&mut self, admitted: WithinBounds, answer: &GpuAnswer) {
        self.0 = match answer {
            // A session that refuses a part of a batch forgets the rest of it.
            GpuAnswer::Refused(_) => Reads::default(),
            _ => admitted.0,
        };
    }
}

impl Reads {
    fn add(&mut self, steps: &[GpuStep]) {
        for step in steps {
            if let GpuStep::Read { len_bytes, .. } = step {
                self.pieces = self.pieces.saturating_add(1);
                self.bytes = self.bytes.saturating_add(*len_bytes);
            }
        }
    }

    fn check(self) -> Result<(), GpuError> {
        if self.bytes <= PIECE_BYTES as u64 && self.pieces <= PIECES {
            return Ok(());
        }
        Err(GpuError::Misuse(format!(
            "{} bytes in {} pieces to be read at once; at most {PIECE_BYTES} in {PIECES}",
            self.bytes, self.pieces
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::frame::{MAX_BYTES, encode};
    use hotcell_model::gpu::{GpuId, Payload};

    fn read(len_bytes: u64) -> GpuStep {
        GpuStep::Read {
            buffer: GpuId(1),
            offset_bytes: 0,
            len_bytes,
        }
    }

    fn record(steps: Vec<GpuStep>) -> GpuCommand {
        GpuCommand::Record(steps)
    }

    fn submit(steps: Vec<GpuStep>) -> GpuCommand {
        GpuCommand::Submit { steps, wait: true }
    }

    #[test]
    fn what_is_admitted_at_most_fits_in_a_frame() {
        let pieces = vec![read(PIECE_BYTES as u64 / PIECES as u64); PIECES];
        assert!(CommandBounds::default().admit(&submit(pieces)).is_ok());
        let piece = Payload(vec![1; PIECE_BYTES / PIECES].into());
        let mut frame = Vec::new();
        encode(&GpuAnswer::Waited(vec![piece; PIECES]), &mut frame).unwrap();
        let whole = Payload(vec![1; PIECE_BYTES].into());
        encode(&GpuAnswer::Bytes(whole), &mut frame).unwrap();
        assert!(frame.len() <= MAX_BYTES);
    }

    #[test]
    fn reads_of_a_batch_add_up_until_it_is_submitted() {
        let half = PIECE_BYTES as u64 / 2;
        let mut bounds = CommandBounds::default();
        let admitted = bounds.admit(&record(vec![read(half)])).unwrap();
        // Not recorded after all.
        let refused = GpuAnswer::Refused(GpuError::Misuse(String::new()));
        bounds.settle(admitted, &refused);
        for _ in 0..2 {
            let admitted = bounds.admit(&record(vec![read(half)])).unwrap();
            bounds.settle(admitted, &GpuAnswer::Done);
        }
        assert!(bounds.admit(&submit(vec![read(1)])).is_err());
        let admitted = bounds.admit(&submit(Vec::new())).unwrap();
        bounds.settle(admitted, &GpuAnswer::Waited(Vec::new()));
        assert!(bounds.admit(&submit(vec![read(half)])).is_ok());
    }

    #[test]
    fn too_much_at_once_is_refused_whatever_it_adds_up_to() {
        let bounds = CommandBounds::default();
        for command in [
            submit(vec![read(0); PIECES + 1]),
            record(vec![read(u64::MAX); 3]),
            GpuCommand::ReadBuffer {
                buffer: GpuId(1),
                offset_bytes: 0,
                len_bytes: PIECE_BYTES as u64 + 4,
            },
        ] {
            let refused = bounds.admit(&command).unwrap_err();
            assert!(matches!(refused, GpuError::Misuse(_)), "{refused}");
        }
    }
}

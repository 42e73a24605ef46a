//! Where bytes that come from the device land once the device is done with them.

use std::collections::HashMap;

/// An array that a session writes into.
pub(super) type Output = Box<dyn AsMut<[u8]> + Send>;

/// Where a piece of a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Into an output, from that byte on.
    Output { output: usize, offset: usize },
    /// To the end of an answer that is being put together.
    Answer(u64),
    /// To the end of the meters of the batch that is being settled.
    Meters,
}

/// What is known of a piece before it has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Where it is in its block.
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) destination: Destination,
}

/// Everything that bytes can land in.
#[derive(Default)]
pub(super) struct SessionLanding {
    outputs: Vec<Option<Output>>,
    answers: HashMap<u64, Vec<u8>>,
    next_answer: u64,
    meters: Vec<u8>,
}

impl SessionLanding {
    pub(super) fn new(outputs: Vec<Option<Output>>) -> Self {
        Self {
            outputs,
            ..Self::default()
        }
    }

    /// Begins an answer.
    pub(super) fn open_answer(&mut self) -> u64 {
        self.next_answer += 1;
        self.answers.insert(self.next_answer, Vec::new());
        self.next_answer
    }

    /// What came of an answer.
    pub(super) fn take_answer(&mut self, answer: u64) -> Vec<u8> {
        self.answers.remove(&answer).unwrap_or_default()
    }

    /// Forgets an answer. What still comes for it goes nowhere.
    pub(super) fn close_answer(&mut self, answer: u64) {
        self.answers.remove(&answer);
    }

    /// What came of the meters.
    pub(super) fn take_meters(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.meters)
    }

    /// The size of an output; `None` where the session has no such output.
    pub(super) fn output_len(&mut self, output: usize) -> Option<usize> {
        Some(
            self.outputs
                .get_mut(output)?
                .as_mut()?
                .as_mut()
                .as_mut()
                .len(),
        )
    }

    /// Puts a piece where it belongs. Ranges were checked when it was asked for.
    pub(super) fn put(&mut self, arrival: &Arrival, block: &[u8]) {
        let Some(piece) = block
            .get(arrival.offset..)
            .and_then(|rest| rest.get(..arrival.len))
        else {
            return;
        };
        match arrival.destination {
            Destination::Meters => self.meters.extend_from_slice(piece),
            Destination::Answer(answer) => {
                if let Some(answer) = self.answers.get_mut(&answer) {
                    answer.extend_from_slice(piece);
                }
            }
            Destination::Output { output, offset } => {
                let output = self.outputs.get_mut(output).and_then(Option::as_mut);
                let bytes = output.map(|output| output.as_mut().as_mut());
                if let Some(place) =
                    bytes.and_then(|bytes| bytes.get_mut(offset..)?.get_mut(..piece.len()))
                {
                    place.copy_from_slice(piece);
                }
            }
        }
    }
}

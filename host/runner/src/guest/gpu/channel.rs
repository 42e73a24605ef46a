//! A confined launch's way to the GPU: a channel to the worker that the supervisor made for it.
//!
//! One command, one answer, in turn. What the worker answers is a claim of another process: it is read as such, and
//! whoever asked still has to look whether it fits. Once the channel has failed, the session is over for good:
//! a late answer can never be taken for that to another command.

use hotcell_model::frame::{self, FrameError};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuEnd, GpuError, GpuLink, PIECE_BYTES};
use hotcell_model::text;
use hotcell_sandbox::channel::{Channel, Received};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// The longest words of the worker that are passed on.
const WORDS_BYTES: usize = 512;

/// A [`GpuLink`] over a channel.
#[derive(Debug)]
pub(crate) struct GpuChannel {
    line: Mutex<ChannelState>,
    inputs: Vec<bool>,
    outputs: Vec<bool>,
}

#[derive(Debug)]
struct ChannelState {
    /// None once it has failed.
    channel: Option<Channel>,
    buffer: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// Why there was no answer.
enum ChannelFailure {
    /// The command was not sent; the session goes on.
    Unsendable(FrameError),
    /// The session is over.
    Lost(String),
}

impl GpuChannel {
    /// A link over that channel, to a session that has mapped those of the job's arrays: for each that is read and
    /// for each that is written, in the job's order, whether it has.
    pub(crate) fn new(channel: Channel, inputs: Vec<bool>, outputs: Vec<bool>) -> Self {
        let line = ChannelState {
            channel: Some(channel),
            buffer: Vec::new(),
            descriptors: Vec::new(),
        };
        Self {
            line: Mutex::new(line),
            inputs,
            outputs,
        }
    }
}

impl GpuLink for GpuChannel {
    fn call(&self, command: GpuCommand) -> GpuAnswer {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match line.exchange(&command) {
            Ok(answer) => answer,
            Err(ChannelFailure::Unsendable(error)) => {
                GpuAnswer::Refused(GpuError::Misuse(error.to_string()))
            }
            Err(ChannelFailure::Lost(why)) => {
                line.channel = None;
                GpuAnswer::Ended(GpuEnd::Lost(text::escape(&why, WORDS_BYTES)))
            }
        }
    }

    fn shares_input(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|is_shared| *is_shared)
    }

    fn shares_output(&self, output: usize) -> bool {
        self.outputs.get(output).is_some_and(|is_shared| *is_shared)
    }

    fn piece_bytes(&self) -> usize {
        PIECE_BYTES
    }
}

impl ChannelState {
    fn exchange(&mut self, command: &GpuCommand) -> Result<GpuAnswer, ChannelFailure> {
        let gone = || ChannelFailure::Lost("the GPU worker is gone".to_owned());
        let channel = self.channel.as_ref().ok_or_else(gone)?;
        frame::encode(command, &mut self.buffer).map_err(ChannelFailure::Unsendable)?;
        channel.send(&self.buffer, &[]).map_err(|_| gone())?;
        match channel.receive(&mut self.buffer, &mut self.descriptors) {
            Ok(Received::Frame) => {}
            Ok(_) => return Err(gone()),
            Err(error) => return Err(ChannelFailure::Lost(error.to_string())),
        }
        if !self.descriptors.is_empty() {
            self.descriptors.clear();
            let why = "the GPU worker sent a descriptor";
            return Err(ChannelFailure::Lost(why.to_owned()));
        }
        frame::decode(&self.buffer).map_err(|error| ChannelFailure::Lost(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::gpu::{GpuId, Payload};
    use std::os::fd::AsFd;
    use std::thread::{JoinHandle, spawn};

    /// A worker that answers each command with what `answer` makes of it, until there is nothing more to answer.
    fn worker(
        mut answer: impl FnMut(GpuCommand) -> Option<Vec<u8>> + Send + 'static,
    ) -> (GpuChannel, JoinHandle<()>) {
        let (own, other) = Channel::pair().unwrap();
        let thread = spawn(move || {
            let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
            while other.receive(&mut buffer, &mut descriptors).unwrap() == Received::Frame {
                match answer(frame::decode(&buffer).unwrap()) {
                    Some(frame) => other.send(&frame, &[]).unwrap(),
                    None => return,
                }
            }
        });
        let link = GpuChannel::new(own, vec![true, false], vec![false, true]);
        (link, thread)
    }

    fn encoded(answer: &GpuAnswer) -> Vec<u8> {
        let mut buffer = Vec::new();
        frame::encode(answer, &mut buffer).unwrap();
        buffer
    }

    fn create(size_bytes: u64) -> GpuCommand {
        GpuCommand::CreateBuffer { size_bytes }
    }

    fn is_lost(answer: &GpuAnswer) -> bool {
        matches!(answer, GpuAnswer::Ended(GpuEnd::Lost(_)))
    }

    #[test]
    fn commands_are_answered_in_turn_up_to_the_largest_piece() {
        let (link, thread) = worker(|command| {
            Some(encoded(&match command {
                GpuCommand::CreateBuffer { size_bytes } => {
                    GpuAnswer::Created(GpuId(u32::try_from(size_bytes).unwrap()))
                }
                GpuCommand::WriteBuffer { data, .. } => GpuAnswer::Bytes(data),
                other => panic!("{other:?}"),
            }))
        });
        for size_bytes in [4, 8] {
            let id = GpuId(u32::try_from(size_bytes).unwrap());
            assert_eq!(link.call(create(size_bytes)), GpuAnswer::Created(id));
        }
        let data = Payload(vec![7; link.piece_bytes()].into());
        let write = GpuCommand::WriteBuffer {
            buffer: GpuId(4),
            offset_bytes: 0,
            data: data.clone(),
        };
        assert_eq!(link.call(write), GpuAnswer::Bytes(data));
        drop(link);
        thread.join().unwrap();
    }

    #[test]
    fn a_command_that_is_no_frame_is_refused_and_the_session_goes_on() {
        let (link, thread) = worker(|_| Some(encoded(&GpuAnswer::Done)));
        let too_long = GpuCommand::Shader("x".repeat(frame::MAX_BYTES));
        let refused = link.call(too_long);
        assert!(matches!(refused, GpuAnswer::Refused(GpuError::Misuse(_))));
        assert_eq!(link.call(create(4)), GpuAnswer::Done);
        drop(link);
        thread.join().unwrap();
    }

    #[test]
    fn a_worker_that_is_gone_or_talks_nonsense_ends_the_session_for_good() {
        let nonsense: [Option<Vec<u8>>; 3] = [
            None,
            Some(vec![0xff; 9]),
            Some([encoded(&GpuAnswer::Done), vec![0]].concat()),
        ];
        for answer in nonsense {
            let (link, thread) = worker(move |_| answer.clone());
            assert!(is_lost(&link.call(create(4))));
            thread.join().unwrap();
            assert!(is_lost(&link.call(create(4))));
        }
    }

    #[test]
    fn a_descriptor_beside_an_answer_ends_the_session() {
        let (own, other) = Channel::pair().unwrap();
        let link = GpuChannel::new(own, Vec::new(), Vec::new());
        other
            .send(&encoded(&GpuAnswer::Done), &[other.as_fd()])
            .unwrap();
        assert!(is_lost(&link.call(create(4))));
    }

    #[test]
    fn a_call_ends_when_the_supervisor_hangs_up() {
        let (own, other) = Channel::pair().unwrap();
        let of_supervisor = own.try_clone().unwrap();
        let link = GpuChannel::new(own, Vec::new(), Vec::new());
        let caller = spawn(move || link.call(create(4)));
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        other.receive(&mut buffer, &mut descriptors).unwrap();
        of_supervisor.shutdown().unwrap();
        assert!(is_lost(&caller.join().unwrap()));
    }

    #[test]
    fn it_says_which_arrays_are_shared() {
        let (link, _thread) = worker(|_| None);
        assert!(link.shares_input(0) && !link.shares_input(1) && !link.shares_input(2));
        assert!(!link.shares_output(0) && link.shares_output(1) && !link.shares_output(2));
    }
}

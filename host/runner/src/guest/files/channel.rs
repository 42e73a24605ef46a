//! A confined launch's way to its files: a channel to the supervisor's broker, made for this launch.
//!
//! Once it has failed it is over for good: a late answer can never be taken for that to another command.

use hotcell_model::files::{FileAnswer, FileCommand, FileLink};
use hotcell_model::frame;
use hotcell_sandbox::channel::{Channel, Received};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// A [`FileLink`] over a channel.
#[derive(Debug)]
pub(crate) struct FileChannel(Mutex<ChannelState>);

#[derive(Debug)]
struct ChannelState {
    /// None once it has failed.
    channel: Option<Channel>,
    buffer: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl FileChannel {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(Mutex::new(ChannelState {
            channel: Some(channel),
            buffer: Vec::new(),
            descriptors: Vec::new(),
        }))
    }
}

impl FileLink for FileChannel {
    fn call(&self, command: FileCommand) -> Option<FileAnswer> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = state.exchange(&command);
        if answer.is_none() {
            state.channel = None;
        }
        answer
    }
}

impl ChannelState {
    fn exchange(&mut self, command: &FileCommand) -> Option<FileAnswer> {
        let channel = self.channel.as_ref()?;
        frame::encode(command, &mut self.buffer).ok()?;
        channel.send(&self.buffer, &[]).ok()?;
        match channel.receive(&mut self.buffer, &mut self.descriptors) {
            Ok(Received::Frame) if self.descriptors.is_empty() => frame::decode(&self.buffer).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::files::FileId;
    use std::thread::spawn;

    fn encoded(answer: &FileAnswer) -> Vec<u8> {
        let mut buffer = Vec::new();
        frame::encode(answer, &mut buffer).unwrap();
        buffer
    }

    #[test]
    fn commands_are_answered_in_turn_and_a_broken_channel_stays_broken() {
        let (own, other) = Channel::pair().unwrap();
        let thread = spawn(move || {
            let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
            for answer in [
                encoded(&FileAnswer::Done),
                vec![0xff; 9],
                encoded(&FileAnswer::Done),
            ] {
                if other.receive(&mut buffer, &mut descriptors).unwrap() != Received::Frame {
                    return;
                }
                other.send(&answer, &[]).unwrap();
            }
        });
        let link = FileChannel::new(own);
        let close = || link.call(FileCommand::Close(FileId(1)));
        assert_eq!(close(), Some(FileAnswer::Done));
        assert_eq!(close(), None);
        assert_eq!(close(), None);
        thread.join().unwrap();
    }
}

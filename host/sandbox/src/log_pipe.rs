//! Where a guarded process writes what it has to say to people.

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The supervisor's end of a pipe that a guarded process has as its standard output and error.
#[derive(Debug)]
pub struct LogPipe(OwnedFd);

impl LogPipe {
    /// Both ends: the process waits where its own is full, and the supervisor never waits.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        Ok((Self(read), write))
    }

    /// Hands on what has been written, in pieces.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn drain(&self, mut take: impl FnMut(&[u8])) -> io::Result<Drained> {
        let mut piece = [0; 16 << 10];
        loop {
            match rustix::io::read(&self.0, &mut piece) {
                Ok(0) => return Ok(Drained::Closed),
                Ok(len) if len < piece.len() => {
                    take(&piece[..len]);
                    return Ok(Drained::ForNow);
                }
                Ok(len) => take(&piece[..len]),
                Err(Errno::AGAIN) => return Ok(Drained::ForNow),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is left to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing, until more is written.
    ForNow,
    /// Nothing: the process has closed its end.
    Closed,
}

impl AsFd for LogPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_handed_on_and_nobody_waits() {
        let (pipe, write) = LogPipe::new().unwrap();
        let drained = |pipe: &LogPipe| {
            let mut bytes = Vec::new();
            let end = pipe.drain(|piece| bytes.extend_from_slice(piece)).unwrap();
            (bytes, end)
        };
        assert_eq!(drained(&pipe), (Vec::new(), Drained::ForNow));
        rustix::io::write(&write, b"two\nlines").unwrap();
        assert_eq!(drained(&pipe), (b"two\nlines".to_vec(), Drained::ForNow));
        drop(write);
        assert_eq!(drained(&pipe), (Vec::new(), Drained::Closed));
    }
}

//! Lines over a stream socket, and the descriptors that travel with them.
//!
//! Linux gives a receiver the descriptors of a message with that message's first byte or earlier bytes, and nothing that was
//! sent after it in the same call. So descriptors are queued as they come, and each line takes those that it names.

use crate::protocol::MAX_DESCRIPTORS;
use hotcell_sandbox::channel::Wake;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::fcntl_get_seals;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));
/// How much is read at once.
const READ_BYTES: usize = 16 << 10;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Something.
    Some,
    /// There is nothing yet.
    Nothing,
    /// There will be nothing any more.
    End,
}

/// Why what comes is not taken any further.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket fails.
    #[error("the connection fails")]
    Io(#[from] io::Error),
    /// A line goes on beyond what one may have.
    #[error("a line is longer than {0} bytes: arrays and components travel in memory beside it")]
    TooLong(usize),
    /// There are more descriptors than lines that could name them.
    #[error("more than {MAX_DESCRIPTORS} descriptors came that no line has named")]
    TooMany,
    /// Descriptors did not arrive.
    #[error(
        "descriptors were lost on the way: this process has as many open as it may (`ulimit -n`)"
    )]
    Lost,
}

impl From<Errno> for WireError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// What has come and was not taken yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// Where the first line that was not taken begins.
    begin: usize,
    /// Up to where there is no end of it.
    searched: usize,
    /// Those of memory; of others, that there was one.
    descriptors: VecDeque<Option<OwnedFd>>,
    max_line_bytes: usize,
}

impl Incoming {
    pub(crate) fn new(max_line_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            begin: 0,
            searched: 0,
            descriptors: VecDeque::new(),
            max_line_bytes,
        }
    }

    /// The next whole line, without its end.
    pub(crate) fn line(&mut self) -> Result<Option<&[u8]>, WireError> {
        let end = self.bytes[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        let end = end.map(|at| self.searched + at);
        let length = end.map_or(self.bytes.len(), |end| end + 1) - self.begin;
        if length > self.max_line_bytes {
            return Err(WireError::TooLong(self.max_line_bytes));
        }
        let Some(end) = end else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let line = self.begin..end;
        self.begin = end + 1;
        self.searched = self.begin;
        Ok(Some(&self.bytes[line]))
    }

    /// The first `count` descriptors that came and that no line has taken; fewer if there are not so many, and nothing in the
    /// place of one that is no memory.
    pub(crate) fn take_descriptors(&mut self, count: usize) -> Vec<Option<OwnedFd>> {
        let count = count.min(self.descriptors.len());
        self.descriptors.drain(..count).collect()
    }

    /// Whether a part of a line, or descriptors for one, have come.
    pub(crate) fn is_partial(&self) -> bool {
        self.begin < self.bytes.len() || !self.descriptors.is_empty()
    }

    /// Whether a whole line is there.
    pub(crate) fn has_line(&self) -> bool {
        self.bytes[self.searched..].contains(&b'\n')
    }

    /// Closes descriptors that no line named, once every line was taken that could have.
    pub(crate) fn forget_unnamed(&mut self) {
        if self.begin == self.bytes.len() {
            self.descriptors.clear();
        }
    }

    /// Reads what there is.
    pub(crate) fn fill(
        &mut self,
        socket: BorrowedFd<'_>,
        flags: RecvFlags,
    ) -> Result<Filled, WireError> {
        self.bytes.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        let held = self.bytes.len();
        self.bytes.resize(held + READ_BYTES, 0);
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            let mut pieces = [IoSliceMut::new(&mut self.bytes[held..])];
            recvmsg(
                socket,
                &mut pieces,
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC | flags,
            )
        });
        let read = received.as_ref().map_or(0, |message| message.bytes);
        self.bytes.truncate(held + read);
        let message = match received {
            Ok(message) => message,
            Err(Errno::AGAIN) => return Ok(Filled::Nothing),
            Err(Errno::CONNRESET) => return Ok(Filled::End),
            Err(error) => return Err(error.into()),
        };
        for received in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = received {
                self.descriptors.extend(rights.map(memory_alone));
            }
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(WireError::Lost);
        }
        if self.descriptors.len() > MAX_DESCRIPTORS {
            return Err(WireError::TooMany);
        }
        Ok(match read {
            0 => Filled::End,
            _ => Filled::Some,
        })
    }

    /// As [`Self::fill`], and waits for something, so long at most.
    ///
    /// It sleeps until then. Whether looking first pays, as it does between supervisor and runner, is not settled
    /// (`docs/decisions/0035-daemon.md`).
    pub(crate) fn wait_and_fill(
        &mut self,
        socket: BorrowedFd<'_>,
        longest: Option<Duration>,
    ) -> Result<Filled, WireError> {
        match wait_for(socket, PollFlags::IN, longest)? {
            true => self.fill(socket, RecvFlags::DONTWAIT),
            false => Ok(Filled::Nothing),
        }
    }

    /// As [`Self::fill`], and waits for something or until it is woken: then there is nothing.
    pub(crate) fn fill_or_wake(
        &mut self,
        socket: BorrowedFd<'_>,
        wake: &Wake,
    ) -> Result<Filled, WireError> {
        let mut sources = [
            PollFd::from_borrowed_fd(socket, PollFlags::IN),
            PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut sources, None))?;
        match sources[0].revents().is_empty() {
            true => Ok(Filled::Nothing),
            false => self.fill(socket, RecvFlags::DONTWAIT),
        }
    }
}

/// Keeps a descriptor that can be sealed. All others are closed here, on the thread of whoever sent them: of some file systems
/// even that waits, for as long as whoever serves them likes.
fn memory_alone(descriptor: OwnedFd) -> Option<OwnedFd> {
    fcntl_get_seals(&descriptor).is_ok().then_some(descriptor)
}

/// Waits until a socket can be read or written, or its peer is gone; whether that came about.
pub(crate) fn wait_for(
    socket: BorrowedFd<'_>,
    what: PollFlags,
    longest: Option<Duration>,
) -> io::Result<bool> {
    let longest = longest.map(|longest| Timespec {
        tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: longest.subsec_nanos().into(),
    });
    let ready = rustix::io::retry_on_intr(|| {
        poll(
            &mut [PollFd::from_borrowed_fd(socket, what)],
            longest.as_ref(),
        )
    })?;
    Ok(ready > 0)
}

/// Sends a line, its end included, with descriptors; gives up where the peer takes none of it for `patience`, or less than all
/// for six times that.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    line: &[u8],
    descriptors: &[BorrowedFd<'_>],
    patience: Duration,
) -> io::Result<()> {
    let (mut left, mut descriptors) = (line, descriptors);
    let last = Instant::now() + 6 * patience;
    let mut until = Instant::now() + patience;
    while !left.is_empty() {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(io::Error::other("more arrays than one message can have"));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(socket, &[IoSlice::new(left)], &mut ancillary, flags) {
            Ok(sent) => {
                left = &left[sent..];
                // They have gone with the first byte.
                descriptors = &[];
                until = last.min(Instant::now() + patience);
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let longest = until.saturating_duration_since(Instant::now());
                if !wait_for(socket, PollFlags::OUT, Some(longest))? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_sandbox::memory::SealedMemory;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    fn drain(incoming: &mut Incoming, socket: &UnixStream) -> Filled {
        loop {
            match incoming.fill(socket.as_fd(), RecvFlags::DONTWAIT).unwrap() {
                Filled::Some => {}
                other => return other,
            }
        }
    }

    fn lines(incoming: &mut Incoming) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = incoming.line().unwrap() {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        lines
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut incoming = Incoming::new(64);
        for (sent, expected) in [
            ("a", &[][..]),
            ("b\nc", &["ab"]),
            ("\n\nd\n", &["c", "", "d"]),
        ] {
            send(one.as_fd(), sent.as_bytes(), &[], Duration::ZERO).unwrap();
            assert_eq!(drain(&mut incoming, &other), Filled::Nothing);
            assert_eq!(lines(&mut incoming), expected);
        }
        assert!(!incoming.is_partial());
        drop(one);
        assert_eq!(drain(&mut incoming, &other), Filled::End);
    }

    #[test]
    fn a_line_without_end_is_refused_at_its_longest() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut incoming = Incoming::new(8);
        send(one.as_fd(), b"1234567\n12345678", &[], Duration::ZERO).unwrap();
        drain(&mut incoming, &other);
        assert_eq!(incoming.line().unwrap(), Some(&b"1234567"[..]));
        assert!(incoming.line().unwrap().is_none());
        send(one.as_fd(), b"9", &[], Duration::ZERO).unwrap();
        drain(&mut incoming, &other);
        assert!(matches!(incoming.line(), Err(WireError::TooLong(8))));
    }

    #[test]
    fn each_line_takes_its_own_descriptors_also_where_several_come_at_once() {
        use std::io::Read;
        let (one, other) = UnixStream::pair().unwrap();
        let mut incoming = Incoming::new(64);
        let memory = |text: &str| SealedMemory::copy_of(text.as_bytes()).unwrap().into_fd();
        let (first, second) = (memory("first"), memory("second"));
        let file = tempfile::tempfile().unwrap();
        send(one.as_fd(), b"none\n", &[], Duration::ZERO).unwrap();
        send(one.as_fd(), b"one\n", &[first.as_fd()], Duration::ZERO).unwrap();
        send(one.as_fd(), b"two\n", &[second.as_fd()], Duration::ZERO).unwrap();
        send(one.as_fd(), b"file\n", &[file.as_fd()], Duration::ZERO).unwrap();
        drain(&mut incoming, &other);
        assert_eq!(lines(&mut incoming), ["none", "one", "two", "file"]);
        for expected in ["first", "second"] {
            let mut descriptors = incoming.take_descriptors(1);
            let mut text = vec![0; expected.len()];
            std::fs::File::from(descriptors.remove(0).unwrap())
                .read_exact(&mut text)
                .unwrap();
            assert_eq!(text, expected.as_bytes());
        }
        // What is no memory was closed, and has its place all the same.
        assert!(matches!(incoming.take_descriptors(1)[..], [None]));
        assert!(incoming.take_descriptors(1).is_empty());
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up() {
        let (one, _other) = UnixStream::pair().unwrap();
        let line = vec![b'x'; 8 << 20];
        let sent = send(one.as_fd(), &line, &[], Duration::from_millis(20));
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

//! Frames with descriptors, over a sequenced-packet socket, and what interrupts waiting for one.
//!
//! A message arrives whole or not at all, so that a peer cannot feed one byte at a time, and one that is
//! longer than a frame may be is an error and never a part of the next. Descriptors are close-on-exec from the
//! moment they arrive; those of a refused message are closed.

mod looking;

use hotcell_model::frame::{MAX_BYTES, MAX_DESCRIPTORS};
use looking::Looking;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, sendmsg, shutdown, socketpair, sockopt,
};
use rustix::time::Timespec;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// One end of a connection between the supervisor and a worker.
#[derive(Debug)]
pub struct Channel {
    end: OwnedFd,
    looking: Looking,
}

/// What came of waiting for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A frame is in the buffer.
    Frame,
    /// The peer is gone.
    Closed,
    /// The deadline passed.
    TimedOut,
    /// Somebody woke the receiver.
    Woken,
    /// There is something to read elsewhere.
    Elsewhere,
}

thread_local! {
    /// Where messages arrive: room for the longest, made once, since most are short.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_BYTES].into());
}

impl Channel {
    /// Two connected ends.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self::from(one), Self::from(other)))
    }

    /// The end that a worker was given as its standard input. To be called once.
    ///
    /// # Errors
    /// It is no sequenced-packet socket.
    pub fn from_standard_input() -> io::Result<Self> {
        // Between two requests a worker has nothing else to do.
        Self::from_inherited(libc::STDIN_FILENO).map(Self::patient)
    }

    /// The end that a worker was given as its standard output. To be called once.
    ///
    /// # Errors
    /// It is no sequenced-packet socket.
    pub fn from_standard_output() -> io::Result<Self> {
        Self::from_inherited(libc::STDOUT_FILENO)
    }

    /// The same end, of somebody who has nothing else to do than to wait for what comes.
    #[must_use]
    pub fn patient(self) -> Self {
        let looking = Looking::patient();
        Self { looking, ..self }
    }

    fn from_inherited(number: RawFd) -> io::Result<Self> {
        // SAFETY: the standard descriptors are open from the start of a Rust program on, and nothing else
        // in a worker uses them, let alone closes them.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        if sockopt::socket_type(borrowed)? != SocketType::SEQPACKET {
            return Err(invalid("a standard descriptor that is no channel"));
        }
        // SAFETY: as above, and each is taken over once.
        Ok(Self::from(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Hangs up, for both ends and whoever else holds one: what was sent can be received, and then both are told that
    /// the peer is gone.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn shutdown(&self) -> io::Result<()> {
        match shutdown(&self.end, Shutdown::Both) {
            // The peer was gone already.
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Another handle on the same end.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.end.try_clone().map(Self::from)
    }

    /// Waits until one of the channels is hung up or its peer is gone, whatever is still unread: its position.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn wait_for_hang_up<const N: usize>(channels: [&Self; N]) -> io::Result<usize> {
        // Hanging up is told without being asked for.
        let mut sources = channels.map(|channel| PollFd::new(channel, PollFlags::empty()));
        loop {
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let is_over = |source: &PollFd<'_>| !source.revents().is_empty();
            if let Some(position) = sources.iter().position(is_over) {
                return Ok(position);
            }
        }
    }

    /// Sends a frame, and waits while the peer's queue is full.
    ///
    /// # Errors
    /// The peer is gone (`BrokenPipe`), or the frame is empty, too long or has too many descriptors.
    pub fn send(&self, frame: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(frame, descriptors, SendFlags::NOSIGNAL)
    }

    /// Sends a frame if the peer's queue has room, and fails with `WouldBlock` if it has none.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn try_send(&self, frame: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(
            frame,
            descriptors,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        )
    }

    fn send_with(
        &self,
        frame: &[u8],
        descriptors: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> io::Result<()> {
        // An empty message cannot be told from the end of the connection.
        if frame.is_empty() || frame.len() > MAX_BYTES || descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a frame beyond what frames may be",
            ));
        }
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        rustix::io::retry_on_intr(|| {
            sendmsg(&self.end, &[IoSlice::new(frame)], &mut ancillary, flags)
        })?;
        Ok(())
    }

    /// Waits for a frame, and puts it in place of what is in `buffer` and `descriptors`.
    ///
    /// # Errors
    /// The message is longer than a frame may be, or had more descriptors than fit (`InvalidData`).
    pub fn receive(
        &self,
        buffer: &mut Vec<u8>,
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<Received> {
        let arrived = RefCell::new((buffer, descriptors));
        let receive = |flags| {
            let (buffer, descriptors) = &mut *arrived.borrow_mut();
            self.receive_now(buffer, descriptors, flags)
        };
        let look = || is_there(receive(RecvFlags::DONTWAIT));
        self.looking.wait(look, || receive(RecvFlags::empty()))
    }

    fn receive_now(
        &self,
        buffer: &mut Vec<u8>,
        descriptors: &mut Vec<OwnedFd>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        SCRATCH.with_borrow_mut(|scratch| self.receive_into(scratch, buffer, descriptors, flags))
    }

    fn receive_into(
        &self,
        scratch: &mut [u8],
        buffer: &mut Vec<u8>,
        descriptors: &mut Vec<OwnedFd>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        buffer.clear();
        descriptors.clear();
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            let mut pieces = [IoSliceMut::new(scratch)];
            recvmsg(
                &self.end,
                &mut pieces,
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC | flags,
            )
        });
        let message = match received {
            Ok(message) => message,
            // The peer died with something of ours unread.
            Err(Errno::CONNRESET) => return Ok(Received::Closed),
            Err(error) => return Err(error.into()),
        };
        buffer.extend_from_slice(&scratch[..message.bytes]);
        for received in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = received {
                descriptors.extend(rights);
            }
        }
        if message
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            descriptors.clear();
            return Err(invalid("a message longer than a frame may be"));
        }
        Ok(if message.bytes == 0 {
            Received::Closed
        } else {
            Received::Frame
        })
    }

    /// As [`Self::receive`], until a deadline, or until somebody wakes the receiver. A frame that is there
    /// comes before both.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_until(
        &self,
        buffer: &mut Vec<u8>,
        descriptors: &mut Vec<OwnedFd>,
        deadline: Option<Instant>,
        wake: Option<&Wake>,
    ) -> io::Result<Received> {
        self.receive_beside(buffer, descriptors, deadline, wake, None)
    }

    /// As [`Self::receive_until`], and until there is something to read from another descriptor, if one is given.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_beside(
        &self,
        buffer: &mut Vec<u8>,
        descriptors: &mut Vec<OwnedFd>,
        deadline: Option<Instant>,
        wake: Option<&Wake>,
        elsewhere: Option<BorrowedFd<'_>>,
    ) -> io::Result<Received> {
        let arrived = RefCell::new((buffer, descriptors));
        let receive = |flags| {
            let (buffer, descriptors) = &mut *arrived.borrow_mut();
            self.receive_now(buffer, descriptors, flags)
        };
        let sleep = || match self.sleep_until(deadline, wake, elsewhere)? {
            Received::Frame => receive(RecvFlags::empty()),
            woken => Ok(woken),
        };
        if deadline.is_some_and(|deadline| !self.looking.has_time(deadline)) {
            return sleep();
        }
        let look = || is_there(receive(RecvFlags::DONTWAIT));
        self.looking.wait(look, sleep)
    }

    /// Waits until there is a frame to receive, or the end of the peer.
    fn sleep_until(
        &self,
        deadline: Option<Instant>,
        wake: Option<&Wake>,
        elsewhere: Option<BorrowedFd<'_>>,
    ) -> io::Result<Received> {
        // Where nobody can wake, or there is nothing else, the channel stands in the place. What arrives while the
        // operating system looks from one place to the next may be seen in a later one alone, and is a frame there too.
        let mut sources = [(Received::Frame, self.end.as_fd()); 3];
        if let Some(wake) = wake {
            sources[1] = (Received::Woken, wake.0.as_fd());
        }
        if let Some(elsewhere) = elsewhere {
            sources[2] = (Received::Elsewhere, elsewhere);
        }
        loop {
            let mut polled =
                sources.map(|(_, source)| PollFd::from_borrowed_fd(source, PollFlags::IN));
            let timeout = deadline
                .map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
            match poll(&mut polled, timeout.as_ref()) {
                Ok(0) => return Ok(Received::TimedOut),
                Ok(_) => {
                    let mut ready = sources.iter().zip(&polled);
                    let ready = ready.find(|(_, polled)| !polled.revents().is_empty());
                    if let Some(((received, _), _)) = ready {
                        return Ok(*received);
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.end.as_raw_fd()
    }
}

/// Ends a [`Channel::receive_until`] early, from any thread.
#[derive(Debug)]
pub struct Wake(OwnedFd);

impl Wake {
    /// One that nobody has woken yet.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?))
    }

    /// Wakes the receiver, now or when it next waits.
    pub fn wake(&self) {
        // It fails where the count is full: the receiver has been woken then.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Forgets every wake so far.
    pub fn clear(&self) {
        // It fails where the count is zero: there is nothing to forget.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a look found, unless it is that nothing is there yet.
fn is_there(looked: io::Result<Received>) -> Option<io::Result<Received>> {
    match looked {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        found => Some(found),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl From<OwnedFd> for Channel {
    /// A channel that came beside a frame of somebody who is believed that it is one.
    fn from(end: OwnedFd) -> Self {
        Self {
            end,
            looking: Looking::brief(),
        }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.end
    }
}

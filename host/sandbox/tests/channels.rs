//! Frames and descriptors across a channel, whole or refused, and what ends a wait.

#![cfg(target_os = "linux")]

use hotcell_model::frame::{MAX_BYTES, MAX_DESCRIPTORS};
use hotcell_sandbox::channel::{Channel, Received, Wake};
use hotcell_sandbox::memory::SealedMemory;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg, sockopt};
use rustix::pipe::PipeFlags;
use std::io::{ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn receive(channel: &Channel) -> (std::io::Result<Received>, Vec<u8>, Vec<OwnedFd>) {
    let (mut buffer, mut descriptors) = (vec![1; 3], Vec::new());
    let received = channel.receive(&mut buffer, &mut descriptors);
    (received, buffer, descriptors)
}

#[test]
fn a_frame_arrives_whole_with_its_descriptors_in_order() {
    let (one, other) = Channel::pair().unwrap();
    let memories: Vec<_> = (0..MAX_DESCRIPTORS)
        .map(|at| SealedMemory::copy_of(&vec![0; at]).unwrap())
        .collect();
    let descriptors: Vec<_> = memories.iter().map(AsFd::as_fd).collect();
    let frame: Vec<u8> = (0..MAX_BYTES).map(|at| at.to_le_bytes()[0]).collect();
    one.send(&frame, &descriptors).unwrap();
    one.send(&[5], &[]).unwrap();
    let (received, buffer, arrived) = receive(&other);
    assert_eq!((received.unwrap(), buffer), (Received::Frame, frame));
    assert_eq!(arrived.len(), MAX_DESCRIPTORS);
    for (at, descriptor) in arrived.into_iter().enumerate() {
        let flags = rustix::io::fcntl_getfd(&descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        SealedMemory::adopt(descriptor, at as u64).unwrap();
    }
    let (received, buffer, arrived) = receive(&other);
    assert_eq!(
        (received.unwrap(), buffer, arrived.len()),
        (Received::Frame, vec![5], 0)
    );
}

#[test]
fn frames_beyond_what_frames_may_be_are_not_sent() {
    let (one, _other) = Channel::pair().unwrap();
    let too_many = vec![one.as_fd(); MAX_DESCRIPTORS + 1];
    for (frame, descriptors) in [
        (&[][..], &[][..]),
        (&[0; MAX_BYTES + 1], &[]),
        (&[0], &too_many),
    ] {
        assert_eq!(
            one.send(frame, descriptors).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}

#[test]
fn a_message_that_is_too_long_is_an_error_and_the_next_is_whole() {
    let (one, other) = Channel::pair().unwrap();
    sockopt::set_socket_send_buffer_size(&one, 1 << 20).unwrap();
    send(&one, &vec![1; MAX_BYTES + 1], SendFlags::empty()).unwrap();
    one.send(&[2], &[]).unwrap();
    assert_eq!(
        receive(&other).0.unwrap_err().kind(),
        ErrorKind::InvalidData
    );
    assert_eq!(receive(&other).1, [2]);
}

#[test]
fn descriptors_of_a_refused_message_are_closed() {
    let (one, other) = Channel::pair().unwrap();
    sockopt::set_socket_send_buffer_size(&one, 1 << 20).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    // As many as the kernel passes, and more than a frame may have.
    for (bytes, count) in [(MAX_BYTES + 1, 2), (1, 253)] {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK).unwrap();
        let descriptors = vec![writer.as_fd(); count];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(
            &one,
            &[IoSlice::new(&vec![0; bytes])],
            &mut ancillary,
            SendFlags::empty(),
        )
        .unwrap();
        drop(writer);
        let end = || rustix::io::read(&reader, &mut [0]);
        assert_eq!(end(), Err(Errno::AGAIN), "{count} are on their way");
        assert_eq!(
            receive(&other).0.unwrap_err().kind(),
            ErrorKind::InvalidData,
            "{count}"
        );
        assert_eq!(end(), Ok(0), "no copy of {count} is left open");
    }
}

#[test]
fn a_peer_that_is_gone_is_seen_by_both_directions() {
    let (one, other) = Channel::pair().unwrap();
    one.send(&[1], &[]).unwrap();
    drop(one);
    assert_eq!(
        receive(&other).0.unwrap(),
        Received::Frame,
        "what was sent before arrives"
    );
    assert_eq!(receive(&other).0.unwrap(), Received::Closed);
    assert_eq!(
        other.send(&[1], &[]).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let (one, other) = Channel::pair().unwrap();
    one.send(&[1], &[]).unwrap();
    drop(other);
    assert_eq!(
        receive(&one).0.unwrap(),
        Received::Closed,
        "it died with something unread"
    );
}

#[test]
fn a_peer_that_does_not_read_fills_its_queue() {
    let (one, _other) = Channel::pair().unwrap();
    let full = (0..10_000).find_map(|_| one.try_send(&[0; 4096], &[]).err());
    assert_eq!(full.unwrap().kind(), ErrorKind::WouldBlock);
}

#[test]
fn waiting_ends_with_a_frame_a_deadline_or_a_wake() {
    let (one, other) = Channel::pair().unwrap();
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    let wake = Wake::new().unwrap();
    let mut wait = |until: Duration| {
        let deadline = Some(Instant::now() + until);
        other
            .receive_until(&mut buffer, &mut descriptors, deadline, Some(&wake))
            .unwrap()
    };
    let start = Instant::now();
    assert_eq!(wait(Duration::from_millis(20)), Received::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(wait(Duration::ZERO), Received::TimedOut);
    wake.wake();
    wake.wake();
    assert_eq!(wait(Duration::from_secs(60)), Received::Woken);
    assert_eq!(
        wait(Duration::from_secs(60)),
        Received::Woken,
        "until it is cleared"
    );
    one.send(&[1], &[]).unwrap();
    assert_eq!(
        wait(Duration::from_secs(60)),
        Received::Frame,
        "a frame comes first"
    );
    wake.clear();
    assert_eq!(wait(Duration::ZERO), Received::TimedOut);
    drop(one);
    assert_eq!(wait(Duration::from_secs(60)), Received::Closed);
}

#[test]
fn a_wake_from_another_thread_ends_a_wait_without_a_deadline() {
    let (_one, other) = Channel::pair().unwrap();
    let wake = Wake::new().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            wake.wake();
        });
        let received = other.receive_until(&mut Vec::new(), &mut Vec::new(), None, Some(&wake));
        assert_eq!(received.unwrap(), Received::Woken);
    });
}

#[test]
fn a_channel_is_hung_up_by_any_handle_and_what_was_sent_arrives_first() {
    let (one, other) = Channel::pair().unwrap();
    let handle = one.try_clone().unwrap();
    one.send(&[1], &[]).unwrap();
    handle.shutdown().unwrap();
    let (received, buffer, _) = receive(&other);
    assert_eq!((received.unwrap(), buffer), (Received::Frame, vec![1]));
    assert_eq!(receive(&other).0.unwrap(), Received::Closed);
    assert_eq!(receive(&one).0.unwrap(), Received::Closed);
    assert_eq!(
        other.send(&[2], &[]).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    drop((one, handle));
    other.shutdown().unwrap();
}

#[test]
fn hanging_up_is_noticed_while_frames_are_unread() {
    let (quiet, _peer) = Channel::pair().unwrap();
    for by_shutdown in [false, true] {
        let (one, other) = Channel::pair().unwrap();
        one.send(&[1], &[]).unwrap();
        let handle = other.try_clone().unwrap();
        let quiet = &quiet;
        std::thread::scope(|scope| {
            let waiter = scope.spawn(move || Channel::wait_for_hang_up([quiet, &handle]));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!waiter.is_finished(), "an unread frame is no end");
            match by_shutdown {
                false => drop(one),
                true => one.shutdown().unwrap(),
            }
            assert_eq!(waiter.join().unwrap().unwrap(), 1);
        });
        assert_eq!(receive(&other).1, [1]);
    }
}

/// The operating system looks at one descriptor after the other: a frame that comes in between was once taken for
/// something that a receiver had not asked for.
#[test]
fn a_frame_that_comes_while_the_descriptors_are_looked_at_is_a_frame() {
    const FRAMES: u32 = 100_000;
    let (one, other) = Channel::pair().unwrap();
    let waits = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in 1..=FRAMES {
                while waits.load(Ordering::Acquire) < at {
                    std::hint::spin_loop();
                }
                // About when the receiver goes to sleep.
                (0..at % 500).for_each(|_| std::hint::spin_loop());
                if one.send(b"frame", &[]).is_err() {
                    return;
                }
            }
        });
        let wrong = (1..=FRAMES).find_map(|at| {
            waits.store(at, Ordering::Release);
            // Too short to look for frames before it sleeps.
            let wait = || {
                let soon = Some(Instant::now() + Duration::from_micros(50));
                other.receive_until(&mut Vec::new(), &mut Vec::new(), soon, None)
            };
            let mut ends = std::iter::repeat_with(|| wait().unwrap());
            let end = ends.find(|end| *end != Received::TimedOut)?;
            (end != Received::Frame).then_some((at, end))
        });
        // The other thread ends, whatever was found.
        waits.store(FRAMES, Ordering::Release);
        other.shutdown().unwrap();
        assert_eq!(wrong, None);
    });
}

//! What systemd and a daemon say to each other: sockets that were opened beforehand, and when it is ready. Nothing happens
//! where there is no systemd.

use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};
use sd_notify::NotifyState;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// The sockets that systemd has opened for this process. To be called once.
///
/// # Errors
/// One of them is no Unix stream socket that listens.
pub fn listeners() -> io::Result<Vec<UnixListener>> {
    let numbers = sd_notify::listen_fds()?;
    numbers
        .map(|number| {
            // SAFETY: whoever started this process gave it the descriptor under that number, and nothing else here takes it.
            let socket = unsafe { OwnedFd::from_raw_fd(number) };
            let listens = socket_domain(&socket)? == AddressFamily::UNIX
                && socket_type(&socket)? == SocketType::STREAM
                && socket_acceptconn(&socket)?;
            match listens {
                true => Ok(UnixListener::from(socket)),
                false => Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("descriptor {number} from systemd is no listening Unix stream socket: the unit wants ListenStream=/…"),
                )),
            }
        })
        .collect()
}

/// What a daemon is about.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// It serves.
    Ready,
    /// It reads its policy again.
    Reloading,
    /// It comes to its end.
    Stopping,
}

/// Says so to systemd, if that started this process and wants to know. Whether it hears is its own affair.
pub fn tell(state: State) {
    let states = match state {
        State::Ready => vec![NotifyState::Ready],
        State::Reloading => {
            let now = NotifyState::monotonic_usec_now().ok();
            std::iter::once(NotifyState::Reloading).chain(now).collect()
        }
        State::Stopping => vec![NotifyState::Stopping],
    };
    let _ = sd_notify::notify(&states);
}

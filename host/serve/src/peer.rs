//! Whom the operating system says that a client is.

use hotcell_policy::{Group, User};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgrouplist};
use rustix::net::sockopt::socket_peercred;
use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;

/// The user at the other end of a socket, as it was when that connected, with the groups that this machine's databases say.
///
/// # Errors
/// This cannot be found out now.
pub(crate) fn user(socket: BorrowedFd<'_>) -> io::Result<User> {
    let credentials = socket_peercred(socket)?;
    let uid = credentials.uid.as_raw();
    let known = found(nix::unistd::User::from_uid(Uid::from_raw(uid)))?;
    let name = known.map(|user| user.name);
    let own = Gid::from_raw(credentials.gid.as_raw());
    let groups = match name.as_deref().map(CString::new) {
        Some(Ok(name)) => getgrouplist(&name, own)?,
        _ => vec![own],
    };
    let named = |gid: Gid| {
        let group = found(nix::unistd::Group::from_gid(gid))?;
        Ok(Group {
            gid: gid.as_raw(),
            name: group.map(|group| group.name),
        })
    };
    Ok(User {
        uid,
        name,
        groups: groups.into_iter().map(named).collect::<io::Result<_>>()?,
    })
}

/// What a database says. That it cannot be asked now is another answer than that it has nobody: whoever is not known could be
/// taken for somebody else.
fn found<T>(looked_up: nix::Result<Option<T>>) -> io::Result<Option<T>> {
    use Errno::{EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM, ERANGE, ETIMEDOUT};
    match looked_up {
        Ok(found) => Ok(found),
        Err(error @ (EAGAIN | EINTR | EIO | EMFILE | ENFILE | ENOMEM | ERANGE | ETIMEDOUT)) => {
            Err(error.into())
        }
        // The others are ways to say that there is no such entry.
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_peer_is_who_connected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let user = user(one.as_fd()).unwrap();
        assert_eq!(user.uid, rustix::process::getuid().as_raw());
        let own = rustix::process::getgid().as_raw();
        assert!(user.groups.iter().any(|group| group.gid == own), "{user:?}");
    }
}

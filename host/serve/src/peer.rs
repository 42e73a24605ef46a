//! Whom the operating system says that a client is.

use hotcell_policy::{Group, User};
use nix::unistd::{Gid, Uid, getgrouplist};
use rustix::net::sockopt::socket_peercred;
use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;

/// The user at the other end of a socket, as it was when that connected, with the groups that this machine's databases say.
pub(crate) fn user(socket: BorrowedFd<'_>) -> io::Result<User> {
    let credentials = socket_peercred(socket)?;
    let uid = credentials.uid.as_raw();
    let known = nix::unistd::User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten();
    let name = known.map(|user| user.name);
    let own = Gid::from_raw(credentials.gid.as_raw());
    let listed = name.as_deref().and_then(|name| {
        let name = CString::new(name).ok()?;
        getgrouplist(&name, own).ok()
    });
    let groups = listed.unwrap_or_else(|| vec![own]);
    let named = |gid: Gid| {
        let group = nix::unistd::Group::from_gid(gid).ok().flatten();
        Group {
            gid: gid.as_raw(),
            name: group.map(|group| group.name),
        }
    };
    Ok(User {
        uid,
        name,
        groups: groups.into_iter().map(named).collect(),
    })
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

//! The directory and the files that only their owner can read and write.
//!
//! Whoever can write to such a file can change what this host believes, and whoever can read it learns what tenants do.

use crate::error::StateError;
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// What SQLite keeps beside the file while it is in use.
pub const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// A file's number, by which one that was put in its place is told from it: device and inode.
pub type FileNumber = (u64, u64);

/// Makes the directory, mode 0700, or checks that it is the caller's own.
///
/// # Errors
/// It is another's, or the operating system says no.
pub fn directory(path: &Path) -> Result<(), StateError> {
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Missing parents are nobody else's either. Source: XDG Base Directory Specification.
            DirBuilder::new().recursive(true).mode(0o700).create(path)
        }
        made => made,
    };
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => check(path, Kind::Directory).map(|_| ()),
    }
}

/// Checks that the file is the caller's own; `None` if there is none.
///
/// # Errors
/// It is another's, or the operating system says no.
pub fn file(path: &Path) -> Result<Option<FileNumber>, StateError> {
    match check(path, Kind::File) {
        Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
}

fn check(path: &Path, kind: Kind) -> Result<FileNumber, StateError> {
    let found = std::fs::symlink_metadata(path).map_err(|source| failed(path, source))?;
    let me = rustix::process::geteuid().as_raw();
    match why_not_own(kind, &found, me) {
        None => Ok((found.dev(), found.ino())),
        Some(why) => Err(StateError::NotOwn {
            path: path.to_owned(),
            why,
        }),
    }
}

fn why_not_own(kind: Kind, found: &Metadata, me: u32) -> Option<&'static str> {
    match kind {
        Kind::Directory if !found.is_dir() => {
            return Some("is no directory, or a symbolic link: name another place");
        }
        Kind::File if !found.is_file() => {
            return Some("is no file, or a symbolic link: move it away, or name another place");
        }
        _ => {}
    }
    if found.uid() != me {
        return Some("belongs to another user: name a place of your own");
    }
    match kind {
        _ if found.mode() & 0o077 == 0 => None,
        Kind::Directory => Some("is open to others: chmod 700"),
        Kind::File => Some("is open to others: chmod 600"),
    }
}

fn failed(path: &Path, source: io::Error) -> StateError {
    StateError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_directory_or_file_that_is_not_ones_own_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let (place, link) = (base.path().join("a/b"), base.path().join("link"));
        directory(&place).unwrap();
        directory(&place).unwrap();
        let path = place.join("file");
        assert_eq!(file(&path).unwrap(), None);
        std::fs::write(&path, "").unwrap();
        let says = |result: Result<(), StateError>| result.unwrap_err().to_string();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(says(file(&path).map(|_| ())).ends_with("is open to others: chmod 600"));
        std::fs::set_permissions(&place, Permissions::from_mode(0o750)).unwrap();
        assert!(says(directory(&place)).ends_with("is open to others: chmod 700"));
        symlink(&place, &link).unwrap();
        assert!(says(directory(&link)).contains("symbolic link"));
        assert!(says(file(&link).map(|_| ())).contains("symbolic link"));
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        std::fs::write(&path, "").unwrap();
        let found = std::fs::symlink_metadata(&path).unwrap();
        let why = why_not_own(Kind::File, &found, found.uid() + 1).unwrap();
        assert!(why.starts_with("belongs to another user"));
    }
}

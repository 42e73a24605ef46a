//! Directories and files that only their owner can read and write.
//!
//! Whoever can write to the log can add to it, and whoever can read it learns what tenants do.

use crate::error::AuditError;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Makes the directory, mode 0700, or checks that it is the caller's own.
pub(crate) fn directory(path: &Path) -> Result<(), AuditError> {
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Missing parents are nobody else's either. Source: XDG Base Directory Specification.
            DirBuilder::new().recursive(true).mode(0o700).create(path)
        }
        made => made,
    };
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(AuditError::io(path)(error))
        }
        _ => check_directory(path),
    }
}

/// Checks that the directory is the caller's own.
pub(crate) fn check_directory(path: &Path) -> Result<(), AuditError> {
    let found = std::fs::symlink_metadata(path).map_err(AuditError::io(path))?;
    match found.is_dir() {
        true => check(path, &found, "is open to others: chmod 700"),
        false => Err(not_own(
            path,
            "is no directory, or a symbolic link: name another place",
        )),
    }
}

/// Opens a file of the caller's own, mode 0600 where it is made, and follows no link.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, AuditError> {
    let io = AuditError::io(path);
    let file = options
        .mode(0o600)
        .custom_flags(no_follow(path)?)
        .open(path);
    let file = file.map_err(&io)?;
    let found = file.metadata().map_err(&io)?;
    match found.is_file() {
        true => check(path, &found, "is open to others: chmod 600").map(|()| file),
        false => Err(not_own(path, "is no file: move it away")),
    }
}

/// Opens a file to read what signatures speak for: it may be somebody's copy. Follows no link.
pub(crate) fn open_signed(path: &Path) -> Result<File, AuditError> {
    let io = AuditError::io(path);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow(path)?)
        .open(path);
    let file = file.map_err(&io)?;
    match file.metadata().map_err(&io)?.is_file() {
        true => Ok(file),
        false => Err(not_own(path, "is no file: move it away")),
    }
}

/// Reads a file of the caller's own, as far as `max_bytes`; `None` if there is none.
pub(crate) fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, AuditError> {
    read_from(path, open(path, OpenOptions::new().read(true)), max_bytes)
}

/// As [`read`], of what signatures speak for.
pub(crate) fn read_signed(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, AuditError> {
    read_from(path, open_signed(path), max_bytes)
}

fn read_from(
    path: &Path,
    file: Result<File, AuditError>,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, AuditError> {
    let file = match file {
        Err(AuditError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    let read = file.take(max_bytes).read_to_end(&mut bytes);
    read.map_err(AuditError::io(path))?;
    Ok(Some(bytes))
}

fn no_follow(path: &Path) -> Result<i32, AuditError> {
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits());
    flags.map_err(|_| AuditError::io(path)(io::ErrorKind::InvalidInput.into()))
}

/// Puts a file in the place of another, so that nobody reads half of one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    put(path, bytes, |_| Ok(()))
}

/// As [`replace`], and the file is on the disk under its name when this returns.
pub(crate) fn replace_synced(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    put(path, bytes, File::sync_all)?;
    let directory = path.parent().unwrap_or(path);
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(AuditError::io(directory))
}

fn put(
    path: &Path,
    bytes: &[u8],
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), AuditError> {
    let io = AuditError::io(path);
    let directory = path.parent().unwrap_or(path);
    // Made with mode 0600, and removed again where this fails.
    let file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(directory);
    let mut file = file.map_err(&io)?;
    file.write_all(bytes).map_err(&io)?;
    settle(file.as_file()).map_err(&io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn check(path: &Path, found: &Metadata, is_open: &'static str) -> Result<(), AuditError> {
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_own(
            path,
            "belongs to another user: name a place of your own",
        ));
    }
    match found.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(not_own(path, is_open)),
    }
}

fn not_own(path: &Path, why: &'static str) -> AuditError {
    AuditError::NotOwn {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_others_can_use_or_what_is_a_link_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let (place, link) = (base.path().join("a/b"), base.path().join("link"));
        directory(&place).unwrap();
        directory(&place).unwrap();
        let path = place.join("file");
        assert!(read(&path, 9).unwrap().is_none());
        replace(&path, b"text").unwrap();
        assert_eq!(read(&path, 2).unwrap().unwrap(), b"te");
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let says = |error: AuditError| error.to_string();
        assert!(says(read(&path, 9).unwrap_err()).ends_with("is open to others: chmod 600"));
        std::fs::set_permissions(&place, Permissions::from_mode(0o750)).unwrap();
        assert!(says(directory(&place).unwrap_err()).ends_with("is open to others: chmod 700"));
        symlink(&path, &link).unwrap();
        assert!(read(&link, 9).is_err());
        assert!(says(directory(&link).unwrap_err()).contains("symbolic link"));
    }
}

//! Where the host keeps what outlives a process: keys and state, and the cache.
//!
//! Every directory is the caller's own, mode 0700, and no symbolic link; anything else is refused, since
//! whoever can write there could put machine code into this process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directories of one user's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Keys and state: `$XDG_STATE_HOME/hotcell`.
    pub state: PathBuf,
    /// What can be made again: `$XDG_CACHE_HOME/hotcell`.
    pub cache: PathBuf,
}

/// Why a directory or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Neither the XDG variable nor `HOME` is an absolute path.
    #[error("no directory for {0}: set HOME or the XDG variable to an absolute path")]
    Nowhere(&'static str),
    /// The directory belongs to somebody else, or others can write to it.
    #[error("{} must be a directory of your own with mode 0700; it {why}", path.display())]
    NotOwn {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The operating system says no.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Places {
    /// The places that the environment names: the XDG variables, or below `HOME`.
    ///
    /// # Errors
    /// There is neither.
    pub fn from_environment() -> Result<Self, PlaceError> {
        let below = |variable: &str, fallback: &str, what: &'static str| {
            let absolute = |path: PathBuf| path.is_absolute().then_some(path);
            let named = std::env::var_os(variable)
                .map(PathBuf::from)
                .and_then(absolute);
            let home = || {
                std::env::var_os("HOME")
                    .map(PathBuf::from)
                    .and_then(absolute)
            };
            named
                .or_else(|| home().map(|home| home.join(fallback)))
                .map(|base| base.join("hotcell"))
                .ok_or(PlaceError::Nowhere(what))
        };
        Ok(Self {
            state: below("XDG_STATE_HOME", ".local/state", "state")?,
            cache: below("XDG_CACHE_HOME", ".cache", "the cache")?,
        })
    }
}

/// Makes a directory of the caller's own, or checks that it is one.
pub(crate) fn own_directory(path: &Path) -> Result<(), PlaceError> {
    let io = |source| PlaceError::Io {
        path: path.to_owned(),
        source,
    };
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Parents are made with the user's umask: they are not ours.
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(io)?;
            }
            return match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
                _ => check_own(path),
            };
        }
        Err(error) => return Err(io(error)),
    }
    check_own(path)
}

fn check_own(path: &Path) -> Result<(), PlaceError> {
    let found = std::fs::symlink_metadata(path).map_err(|source| PlaceError::Io {
        path: path.to_owned(),
        source,
    })?;
    let not_own = |why| PlaceError::NotOwn {
        path: path.to_owned(),
        why,
    };
    if !found.is_dir() {
        return Err(not_own("is no directory, or a symbolic link"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_own("belongs to another user"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(not_own("is open to others: chmod 700"));
    }
    Ok(())
}

/// Reads the 32-byte key at `path`, or makes one that nobody else can read.
pub(crate) fn own_key(path: &Path) -> Result<[u8; 32], PlaceError> {
    let io = |source| PlaceError::Io {
        path: path.to_owned(),
        source,
    };
    for _ in 0..2 {
        match read_key(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => return read.map_err(io),
        }
        match create_key(path) {
            // Another process was faster: its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map_err(io),
        }
    }
    Err(io(io::Error::from(io::ErrorKind::Interrupted)))
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    let flags = i32::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let found = file.metadata()?;
    let is_own = found.is_file()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o077 == 0
        && found.len() == 32;
    if !is_own {
        let why =
            "not a key of 32 bytes with mode 0600 that belongs to you; remove it to get a new one";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut key = [0; 32];
    file.read_exact(&mut key)?;
    Ok(key)
}

/// Writes a fresh key beside its place and links it there, so that nobody reads half of one.
fn create_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new()
        .prefix(".key-")
        .tempfile_in(directory)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_open_to_others_or_a_link_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let place = base.path().join("a/b");
        own_directory(&place).unwrap();
        own_directory(&place).unwrap();
        std::fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            own_directory(&place),
            Err(PlaceError::NotOwn { .. })
        ));
        let link = base.path().join("link");
        std::os::unix::fs::symlink(base.path(), &link).unwrap();
        assert!(matches!(
            own_directory(&link),
            Err(PlaceError::NotOwn { .. })
        ));
    }

    #[test]
    fn a_key_is_made_once_and_guarded() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("key");
        let key = own_key(&path).unwrap();
        assert_eq!(own_key(&path).unwrap(), key);
        assert_ne!(key, [0; 32]);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(own_key(&path).is_err());
    }
}

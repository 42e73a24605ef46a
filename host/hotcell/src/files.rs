//! Directories that an operator gives to kernels, and the work in them: the broker of the capability `files`.
//!
//! A runner may open nothing, so what its guest asks of files is done here, on handles of directories that the operator's
//! policy names (docs/decisions/0034-files-and-wasi.md). A [`Directory`] is opened once, when its launch
//! is authorised, with the operator's own rights; from there on a path is only ever looked up below a handle, by
//! `cap-std`, and never leaves it. A [`FileSession`] is one launch's: its handles, its quotas, and what it used.

mod error;
mod quota;
mod session;

pub(crate) use session::FileSession;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::text;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What may be done in a directory that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectoryAccess {
    /// To read.
    #[default]
    Read,
    /// To write, too: to make, change, rename and remove.
    Write,
}

/// A directory that kernels with the capability `files` are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    guest: String,
    host: PathBuf,
    access: DirectoryAccess,
}

/// Why a directory cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The guest's name for it is no path that begins at a root.
    #[error(
        "`{0}` is no name for a directory of a kernel's: it begins with `/`, and has no `.`, `..` or empty part"
    )]
    GuestName(String),
    /// The directory's own path depends on who looks.
    #[error("{} is no absolute path", .0.display())]
    Relative(PathBuf),
}

impl Directory {
    /// The directory at `host`, which a guest knows as `guest`: `/data`.
    ///
    /// # Errors
    /// One of the two is no path from a root. Whether there is such a directory is seen when a launch begins.
    pub fn new(
        guest: impl Into<String>,
        host: impl Into<PathBuf>,
        access: DirectoryAccess,
    ) -> Result<Self, DirectoryError> {
        let (guest, host) = (guest.into(), host.into());
        if !is_guest_name(&guest) {
            return Err(DirectoryError::GuestName(text::escape(&guest, 256)));
        }
        if !host.is_absolute() {
            return Err(DirectoryError::Relative(host));
        }
        Ok(Self {
            guest,
            host,
            access,
        })
    }

    /// The guest's name for it.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// Where it is.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// What may be done in it.
    pub fn access(&self) -> DirectoryAccess {
        self.access
    }

    /// Whether there is such a directory now, and it can be opened.
    ///
    /// # Errors
    /// Why not, in the operating system's words.
    pub fn check(&self) -> std::io::Result<()> {
        self.open().map(drop)
    }

    fn open(&self) -> std::io::Result<Dir> {
        // The one place where a path of the host's is opened: the operator has written it.
        let directory = Dir::open_ambient_dir(&self.host, ambient_authority())?;
        // Opening one takes no right to look into it.
        directory.entries().map(|_| directory)
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.access {
            DirectoryAccess::Read => "read-only",
            DirectoryAccess::Write => "read and write",
        };
        write!(f, "{} = {} ({access})", self.guest, self.host.display())
    }
}

fn is_guest_name(name: &str) -> bool {
    let mut parts = name.split('/');
    let begins = parts.next() == Some("");
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_plain = name.len() <= 255 && !name.chars().any(char::is_control);
    begins && is_plain && (name == "/" || name.len() > 1 && parts.all(is_part))
}

/// A directory, open.
pub(crate) struct OpenDirectory {
    pub(crate) name: String,
    pub(crate) directory: Arc<Dir>,
    pub(crate) access: DirectoryAccess,
}

/// Opens directories for a launch. Its user is told the guest's name, and not where the directory is.
pub(crate) fn open_all(directories: &[Directory]) -> Result<Vec<OpenDirectory>, Outcome> {
    let open = |one: &Directory| {
        let opened = one.open().map_err(|error| {
            let message = format!(
                "the directory `{}` that kernels are given cannot be opened: {error}",
                one.guest
            );
            Outcome {
                reproducible: false,
                ..Outcome::failed(OutcomeKind::Io, Blame::Operator, message)
            }
        })?;
        Ok(OpenDirectory {
            name: one.guest.clone(),
            directory: Arc::new(opened),
            access: one.access,
        })
    };
    directories.iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_guests_are_paths_from_a_root_and_nothing_else() {
        for name in ["/", "/data", "/a/b.c/ü"] {
            assert!(is_guest_name(name), "{name}");
        }
        for name in [
            "", "data", "/data/", "//", "/a//b", "/..", "/a/../b", "/./a", "/a\0", "/a\n",
        ] {
            assert!(!is_guest_name(name), "{name:?}");
        }
        assert!(!is_guest_name(&format!("/{}", "x".repeat(255))));
    }

    #[test]
    fn what_is_no_directory_is_told_by_the_guests_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for (host, words) in [
            (file, "Not a directory"),
            (folder.path().join("none"), "No such file"),
        ] {
            let secret = host.display().to_string();
            let one = Directory::new("/data", host, DirectoryAccess::Read).unwrap();
            let outcome = open_all(&[one]).err().unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Io);
            assert_eq!(outcome.blame, Some(Blame::Operator));
            assert!(outcome.message.contains(words), "{}", outcome.message);
            assert!(outcome.message.contains("`/data`"), "{}", outcome.message);
            assert!(!outcome.message.contains(&secret), "{}", outcome.message);
        }
        let relative = Directory::new("/data", "data", DirectoryAccess::Read);
        assert_eq!(relative, Err(DirectoryError::Relative("data".into())));
    }
}

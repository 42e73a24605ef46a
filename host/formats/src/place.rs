//! What a path leads to, so that one file is known under every name that it has, and files that cannot keep
//! their reader waiting.

use crate::locator::FramePattern;
use rustix::fs::OFlags;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What tells a file apart from all others, while it exists: its device and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// What a path leads to: the file that is there, and the place in a directory that its name stands for.
///
/// Links are followed, in the way that the operating system follows them, so that `./x`, a hard or symbolic link, a
/// directory that is mounted twice and `/proc/self/fd/N` all lead to one file. Where nothing is there yet, directory
/// and name are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: Option<FileId>,
    /// The directory, where it is, and the name in it.
    slot: Option<(FileId, PathBuf, OsString)>,
}

impl Place {
    /// Looks at a path. One that leads nowhere is a place that is the same as no other.
    pub fn of(path: &Path) -> Self {
        let slot = path.file_name().and_then(|name| {
            let directory = directory_of(path).canonicalize().ok()?;
            let found = directory.metadata().ok()?;
            Some((FileId::from(&found), directory, name.to_owned()))
        });
        let file = path.metadata().ok().as_ref().map(FileId::from);
        Self { file, slot }
    }

    /// The file that was there.
    pub fn file(&self) -> Option<FileId> {
        self.file
    }

    /// Whether what is written to the one is written to the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_one_file = self.file.is_some() && self.file == other.file;
        is_one_file || self.has_slot_of(other)
    }

    fn has_slot_of(&self, other: &Self) -> bool {
        let (Some((directory, path, name)), Some((others, _, other_name))) =
            (&self.slot, &other.slot)
        else {
            return false;
        };
        directory == others
            && (name == other_name || is_case_apart(name, other_name) && ignores_case(path))
    }

    /// Whether one of a pattern's names is this place, however many frames there will be.
    pub fn is_frame_of(&self, pattern: &FramePattern) -> bool {
        let Some((directory, _, name)) = &self.slot else {
            return false;
        };
        let named = name.to_str().is_some_and(|name| pattern.has(name));
        let found = or_here(pattern.directory()).metadata();
        named && found.is_ok_and(|found| FileId::from(&found) == *directory)
    }
}

/// The directory that a path's last name is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(Path::new("")))
}

/// A directory as it can be opened: the empty path is the working directory.
pub(crate) fn or_here(directory: &Path) -> &Path {
    match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    }
}

/// Whether two names differ, and differ in case alone.
fn is_case_apart(one: &OsStr, other: &OsStr) -> bool {
    let lower = |name: &OsStr| name.to_str().map(str::to_lowercase);
    one != other && lower(one).is_some() && lower(one) == lower(other)
}

/// Whether a directory takes names that differ in case for one. It is asked with a file that is gone at once; one that
/// cannot be written to does not matter.
fn ignores_case(directory: &Path) -> bool {
    let probe = tempfile::Builder::new()
        .prefix(".hotcell-case-")
        .suffix(".tmp")
        .tempfile_in(directory);
    probe.is_ok_and(|probe| {
        let name = probe.path().file_name().and_then(OsStr::to_str);
        let upper = name.map(|name| directory.join(name.to_uppercase()));
        upper.is_some_and(|upper| upper.exists())
    })
}

/// Opens a regular file for reading. Whatever else has the name, pipe, terminal, device or directory, is refused
/// without being opened, and one that takes its place in between does not keep anybody waiting.
///
/// # Errors
/// As the file system; [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    check_regular(&path.metadata()?)?;
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    // What is open now need not be what was looked at before.
    check_regular(&file.metadata()?)?;
    Ok(file)
}

fn check_regular(found: &Metadata) -> io::Result<()> {
    let why = match found {
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => "a directory: name a file in it",
        _ => "not a regular file: copy its content into one first",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locator::Locator;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    /// A directory with `x`, a second name of it, links to it and to the directory, and `y`.
    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("x"), "x").unwrap();
        std::fs::write(path("y"), "x").unwrap();
        std::fs::hard_link(path("x"), path("hard")).unwrap();
        symlink("x", path("soft")).unwrap();
        std::fs::create_dir(path("d")).unwrap();
        symlink("..", path("d/up")).unwrap();
        directory
    }

    #[test]
    fn one_file_is_known_under_every_name() {
        let directory = directory();
        let at = |name: &str| Place::of(&directory.path().join(name));
        let open = File::open(directory.path().join("x")).unwrap();
        let by_number = Place::of(Path::new(&format!("/proc/self/fd/{}", open.as_raw_fd())));
        assert!(by_number.is_same(&at("x")));
        for name in ["./x", "hard", "soft", "d/../x", "d/up/x", "d/up/soft"] {
            assert!(at("x").is_same(&at(name)), "{name}");
        }
        for name in ["y", "X", "d", "none", "nowhere/x"] {
            assert!(!at("x").is_same(&at(name)), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_known_by_directory_and_name() {
        let directory = directory();
        let at = |name: &str| Place::of(&directory.path().join(name));
        for name in ["new", "./new", "d/../new", "d/up/new"] {
            assert!(at("new").is_same(&at(name)), "{name}");
        }
        for name in ["other", "NEW", "d/new", "nowhere/new"] {
            assert!(!at("new").is_same(&at(name)), "{name}");
        }
        assert!(!at("nowhere/new").is_same(&at("nowhere/new")));
    }

    #[test]
    fn a_pattern_has_its_frames_and_no_other_name() {
        let directory = directory();
        let base = directory.path().display();
        let pattern = match Locator::parse(&format!("@{base}/d/up/x-{{:02}}.png")).unwrap() {
            Locator::Frames(pattern) => pattern,
            other => panic!("{other:?}"),
        };
        let at = |name: &str| Place::of(&directory.path().join(name));
        for name in ["x-00.png", "d/../x-07.png", "x-123.png"] {
            assert!(at(name).is_frame_of(&pattern), "{name}");
        }
        for name in [
            "x-7.png",
            "x-007.png",
            "x-.png",
            "x-0a.png",
            "d/x-00.png",
            "y",
        ] {
            assert!(!at(name).is_frame_of(&pattern), "{name}");
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = directory();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let socket = directory.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let (zero, tty) = (Path::new("/dev/zero"), Path::new("/dev/ptmx"));
        for path in [&*pipe, &*socket, zero, tty, directory.path()] {
            let error = open_regular(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        assert!(open_regular(&directory.path().join("soft")).is_ok());
    }
}

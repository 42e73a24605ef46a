//! Writing: outputs are prepared before a run and committed together after it.
//!
//! [`prepare`] refuses what could not be written, so that no run is wasted. [`commit_all`] writes every file
//! under a temporary name in its directory, and only when all are whole does it rename them, so that a name
//! holds the whole old file or the whole new one. The temporary files of an error are removed; those of a
//! killed process stay behind as `.hotcell-*.tmp` and may be deleted.

mod commit;
mod picture;

use self::picture::Frames;
use crate::locator::{FramePattern, Locator};
use crate::npz::{self, DirectoryError};
use crate::place::{FileId, open_regular, or_here};
pub use commit::{Durability, GoOn, commit_all, commit_all_while};
use hotcell_model::array::ArrayType;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{Builder, NamedTempFile};

/// The most numbered frames of one output.
pub const MAX_FRAMES: u32 = 100_000;

/// How long each frame of an animation stands, in seconds. Default 1/25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameDelay {
    /// Numerator of the fraction.
    pub numerator: u16,
    /// Denominator of the fraction; players take 0 for 100.
    pub denominator: u16,
}

impl Default for FrameDelay {
    fn default() -> Self {
        Self {
            numerator: 1,
            denominator: 25,
        }
    }
}

/// An array as the bytes of a picture: (h,w) or (h,w,c), c from 1 to 4, of u8 or u16, as a PNG, and the same with a leading axis of frames
/// as an APNG; `None` if it is neither.
///
/// # Errors
/// The bytes are not those of the type.
pub fn picture(ty: &ArrayType, bytes: &[u8], delay: FrameDelay) -> Option<io::Result<Vec<u8>>> {
    let mut encoded = Vec::new();
    let written = match (Frames::single(ty), Frames::several(ty)) {
        (Some(frame), _) => frame.write_picture(&mut encoded, bytes),
        (None, Some(frames)) => frames.write_animation(&mut encoded, bytes, delay),
        (None, None) => return None,
    };
    Some(written.map(|()| encoded))
}

/// Why an output cannot be written, or was not.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The array is none that the format can hold.
    #[error("{file} cannot hold {ty}: {accepts}")]
    Type {
        /// The output.
        file: String,
        /// The array's type.
        ty: ArrayType,
        /// What the format holds.
        accepts: &'static str,
    },
    /// More numbered frames than one output may have.
    #[error("{file} would be {requested} files, maximum {maximum}: write an .apng or a .npy")]
    TooManyFrames {
        /// The output.
        file: String,
        /// Frames in the array.
        requested: u32,
        /// [`MAX_FRAMES`].
        maximum: u32,
    },
    /// The directory of the output does not exist or cannot be used.
    #[error("cannot write into the directory {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Something other than a regular file has the output's name.
    #[error("{} is {kind}, which an output does not replace: {advice}", path.display())]
    InTheWay {
        /// The output's path.
        path: PathBuf,
        /// What is there.
        kind: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Two outputs would be the same file, or the same member of an archive.
    #[error("two outputs would be written to {0}: give each a name of its own")]
    Conflict(String),
    /// The archive that would be replaced holds an array that no output is.
    #[error(
        "{} holds `{member}`, which would be lost: name an archive that is not there yet, or remove this one", path.display()
    )]
    MemberLost {
        /// The archive.
        path: PathBuf,
        /// A member that no output replaces, escaped.
        member: String,
    },
    /// What is at the output's path was something else's before the run.
    #[error("{} is a file that the launch used, moved there since: it is left alone", path.display())]
    Kept {
        /// The output's path.
        path: PathBuf,
    },
    /// The data is not as long as the type that was prepared.
    #[error("{file} was prepared for {maximum} bytes, {requested} were given")]
    Length {
        /// The output.
        file: String,
        /// Bytes given.
        requested: u64,
        /// Bytes of the type.
        maximum: u64,
    },
    /// No space is left, or a quota is reached. Nothing was replaced.
    #[error(
        "no space left for the {requested} bytes of {file}: free some, or write elsewhere; the old file is untouched"
    )]
    Full {
        /// The output.
        file: String,
        /// Size of the array in bytes.
        requested: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The process may not write files of that size. Nothing was replaced.
    #[error(
        "the {requested} bytes of {file} are more than this process may write into a file{}: raise the limit (`ulimit -f`, LimitFSIZE=); the old file is untouched",
        of_at_most(*maximum)
    )]
    FileSize {
        /// The output.
        file: String,
        /// Size of the array in bytes.
        requested: u64,
        /// The process's limit on the size of a file (RLIMIT_FSIZE), if that is the cause.
        maximum: Option<u64>,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Writing failed. Nothing was replaced.
    #[error("cannot write {file}; the old file is untouched")]
    Io {
        /// The output.
        file: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A finished file could not be given its name, after `renamed` of `total` had theirs.
    #[error("cannot rename to {} ({renamed} of {total} files have been replaced)", path.display())]
    Rename {
        /// The output's path.
        path: PathBuf,
        /// Files that were renamed before.
        renamed: usize,
        /// Files of this commit.
        total: usize,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

fn of_at_most(maximum: Option<u64>) -> String {
    maximum.map_or_else(String::new, |maximum| format!(", maximum {maximum}"))
}

/// An output that can be written, as far as could be told before the run.
#[derive(Debug)]
pub struct Sink {
    locator: Locator,
    ty: ArrayType,
    /// With symbolic links resolved: where the file appears, whatever becomes of the working directory.
    directory: PathBuf,
    format: Format,
    delay: FrameDelay,
    /// Files that it must not replace, wherever they are by the time it is written.
    kept: Arc<[FileId]>,
}

/// What is written, under which names in the directory.
#[derive(Debug)]
enum Format {
    Npy(OsString),
    NpzMember(OsString, String),
    Png(OsString, Frames),
    Apng(OsString, Frames),
    Numbered(FramePattern, Frames),
}

/// Checks that an array of type `ty` can be written to `locator`.
///
/// `.npy` and `.npz` hold every dtype and rank; a PNG (h,w) or (h,w,c), c from 1 to 4, of u8 or u16; an `.apng`
/// and numbered frames the same with a leading axis of frames. An existing regular file will be replaced, an
/// existing `.npz` wholly, with members that are not outputs of the same commit.
///
/// # Errors
///
/// [`WriteError`]: the type does not fit, the directory is missing or not writable, or the name is taken by a
/// directory, a symbolic link (it is neither followed nor replaced), a pipe or a device.
pub fn prepare(locator: &Locator, ty: &ArrayType) -> Result<Sink, WriteError> {
    let format = check_format(locator, ty)?;
    let directory = match locator {
        Locator::Frames(pattern) => pattern.directory(),
        _ => locator
            .path()
            .and_then(Path::parent)
            .unwrap_or(Path::new("")),
    };
    let sink = Sink {
        directory: check_directory(directory)?,
        locator: locator.clone(),
        ty: ty.clone(),
        format,
        delay: FrameDelay::default(),
        kept: Arc::default(),
    };
    sink.paths()
        .iter()
        .try_for_each(|path| check_free(path, &[]))?;
    Ok(sink)
}

impl Sink {
    /// Sets how long each frame of an animation stands.
    #[must_use]
    pub fn with_frame_delay(self, delay: FrameDelay) -> Self {
        Self { delay, ..self }
    }

    /// Names files that are not replaced even if they stand at the output's path once it is written: somebody may
    /// move them there while the kernel runs.
    #[must_use]
    pub fn keeping(self, kept: Arc<[FileId]>) -> Self {
        Self { kept, ..self }
    }

    /// Where the output goes.
    pub fn locator(&self) -> &Locator {
        &self.locator
    }

    /// The type of the array that it takes.
    pub fn ty(&self) -> &ArrayType {
        &self.ty
    }

    /// Every file that this output makes.
    fn paths(&self) -> Vec<PathBuf> {
        match &self.format {
            Format::Numbered(pattern, frames) => (0..frames.count)
                .map(|frame| self.directory.join(pattern.file_name(frame)))
                .collect(),
            Format::Npy(name)
            | Format::NpzMember(name, _)
            | Format::Png(name, _)
            | Format::Apng(name, _) => vec![self.directory.join(name)],
        }
    }

    /// The archive that this output becomes a member of.
    fn archive(&self) -> Option<PathBuf> {
        match &self.format {
            Format::NpzMember(name, _) => Some(self.directory.join(name)),
            _ => None,
        }
    }

    /// The output as it stands in messages.
    fn shown(&self) -> String {
        self.locator.to_string()[1..].to_owned()
    }
}

/// Checks that no two outputs are the same file, and that no archive is replaced that holds more than the outputs;
/// members of one archive may share it.
///
/// # Errors
///
/// [`WriteError::Conflict`] names the file, [`WriteError::MemberLost`] the archive and an array in it.
pub fn check_distinct(sinks: &[Sink]) -> Result<(), WriteError> {
    let mut members = HashSet::new();
    let mut files = HashMap::new();
    for sink in sinks {
        let conflict = || WriteError::Conflict(sink.shown());
        let is_archive = match &sink.format {
            Format::NpzMember(archive, member) => {
                let is_new = members.insert((sink.directory.join(archive), member));
                is_new.then_some(true).ok_or_else(conflict)?
            }
            _ => false,
        };
        for path in sink.paths() {
            match files.insert(path, is_archive) {
                Some(other) if !(is_archive && other) => return Err(conflict()),
                _ => {}
            }
        }
    }
    let archives: HashSet<_> = members.iter().map(|(archive, _)| archive).collect();
    archives.into_iter().try_for_each(|archive| {
        let is_written = |name: &str| members.contains(&(archive.clone(), &name.to_owned()));
        check_archive(archive, is_written)
    })
}

/// Checks that an old archive holds nothing but what is written anew. A file that is no archive is replaced like any.
fn check_archive(path: &Path, is_written: impl Fn(&str) -> bool) -> Result<(), WriteError> {
    let lost = |member| WriteError::MemberLost {
        path: path.to_owned(),
        member,
    };
    let Ok(archive) = open_regular(path) else {
        return Ok(());
    };
    match npz::members(&archive) {
        Ok(names) => match names.into_iter().find(|name| !is_written(name)) {
            Some(name) => Err(lost(name.escape_debug().to_string())),
            None => Ok(()),
        },
        Err(DirectoryError::Malformed(_) | DirectoryError::Io(_)) => Ok(()),
        // An archive all the same, of more than can be looked at.
        Err(why) => Err(lost(why.to_string())),
    }
}

fn check_format(locator: &Locator, ty: &ArrayType) -> Result<Format, WriteError> {
    let unfit = |accepts| WriteError::Type {
        file: locator.to_string()[1..].to_owned(),
        ty: ty.clone(),
        accepts,
    };
    let picture = "a .png takes (h,w) or (h,w,c) of u8 or u16, c from 1 to 4; use .npy";
    let frames = "frames take (t,h,w) or (t,h,w,c) of u8 or u16, c from 1 to 4; use .npy";
    match locator {
        Locator::Npy(path) => Ok(Format::Npy(file_name(path))),
        Locator::NpzMember { path, member } => {
            Ok(Format::NpzMember(file_name(path), member.clone()))
        }
        Locator::Png(path) => {
            let single = Frames::single(ty).ok_or_else(|| unfit(picture))?;
            Ok(Format::Png(file_name(path), single))
        }
        Locator::Apng(path) => {
            let several = Frames::several(ty).ok_or_else(|| unfit(frames))?;
            Ok(Format::Apng(file_name(path), several))
        }
        Locator::Frames(pattern) => {
            let several = Frames::several(ty).ok_or_else(|| unfit(frames))?;
            if several.count > MAX_FRAMES {
                return Err(WriteError::TooManyFrames {
                    file: pattern.to_string(),
                    requested: several.count,
                    maximum: MAX_FRAMES,
                });
            }
            Ok(Format::Numbered(pattern.clone(), several))
        }
    }
}

/// A locator's path ends in a name with an ending, so that it has one.
fn file_name(path: &Path) -> OsString {
    path.file_name().unwrap_or_default().to_owned()
}

/// Resolves the directory, and proves by a file that is gone at once that it can be written to.
fn check_directory(directory: &Path) -> Result<PathBuf, WriteError> {
    let directory = or_here(directory);
    let unusable = |source| WriteError::Directory {
        directory: directory.to_owned(),
        source,
    };
    let resolved = directory.canonicalize().map_err(unusable)?;
    temporary_in(&resolved)
        .map_err(unusable)?
        .close()
        .map_err(unusable)?;
    Ok(resolved)
}

/// A new file of an unguessable name, opened exclusively, with the mode that any new file gets.
fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    Builder::new()
        .prefix(".hotcell-")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
}

/// Checks that a name is free, or taken by a regular file, which may be replaced unless it is to be kept.
fn check_free(path: &Path, kept: &[FileId]) -> Result<(), WriteError> {
    let in_the_way = |kind, advice| WriteError::InTheWay {
        path: path.to_owned(),
        kind,
        advice,
    };
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => match kept.contains(&FileId::from(&found)) {
            true => Err(WriteError::Kept {
                path: path.to_owned(),
            }),
            false => Ok(()),
        },
        Ok(found) if found.is_symlink() => Err(in_the_way(
            "a symbolic link",
            "name the file that it points to",
        )),
        Ok(found) if found.is_dir() => Err(in_the_way("a directory", "name a file in it")),
        Ok(_) => Err(in_the_way("a pipe or device", "name a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(WriteError::Directory {
            directory: path.parent().unwrap_or(path).to_owned(),
            source,
        }),
    }
}

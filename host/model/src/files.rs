//! File work: what a runner asks for its guest, what it is told, and what a launch used.
//!
//! A runner opens nothing. Whoever holds the directories does the work, and these words serve a call inside one process
//! and a frame between two. Ids are given by whoever does the work, who checks every one of them: a command is hostile
//! input. There is no word for making a link of either kind, and none for a path outside of a directory that was given.

use crate::exact;
use crate::gpu::Payload;
use crate::limit::Breach;
use serde::{Deserialize, Serialize};

/// The most bytes that one command reads or writes.
pub const PIECE_BYTES: usize = 64 << 10;
/// The longest path, in bytes, as the operating system has it.
pub const PATH_BYTES: usize = 4095;
/// The most bytes of names that one answer about a directory has, but for the last name.
pub const LISTED_BYTES: usize = 16 << 10;

/// The number of something that is open. Never used twice in one launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// What a runner asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileCommand {
    /// Which directories were given? Answered with [`FileAnswer::Roots`].
    Roots,
    /// Open something below a directory. Answered with [`FileAnswer::Opened`].
    Open {
        /// What it is below.
        at: Place,
        /// How.
        how: OpenHow,
    },
    /// Close. Answered with [`FileAnswer::Done`].
    Close(FileId),
    /// What is known of something that is open. Answered with [`FileAnswer::Stat`].
    Stat(FileId),
    /// What is known of something below a directory. Answered with [`FileAnswer::Stat`].
    StatAt(Place),
    /// Read a file, at most [`PIECE_BYTES`]; fewer at its end. Answered with [`FileAnswer::Bytes`].
    Read {
        /// The file.
        file: FileId,
        /// Where.
        offset_bytes: u64,
        /// How much.
        len_bytes: u32,
    },
    /// Write all of at most [`PIECE_BYTES`]. Answered with [`FileAnswer::Done`].
    Write {
        /// The file.
        file: FileId,
        /// Where; `None` for its end.
        offset_bytes: Option<u64>,
        /// What.
        data: Payload,
    },
    /// Make a file shorter, or longer with zeros. Answered with [`FileAnswer::Done`].
    SetSize {
        /// The file.
        file: FileId,
        /// How long it will be.
        size_bytes: u64,
    },
    /// Begin to list a directory. Answered with [`FileAnswer::Opened`].
    List(FileId),
    /// The next names of a list; none at its end. Answered with [`FileAnswer::Entries`].
    Next(FileId),
    /// Make a directory. Answered with [`FileAnswer::Done`].
    CreateDirectory(Place),
    /// Remove an empty directory. Answered with [`FileAnswer::Done`].
    RemoveDirectory(Place),
    /// Remove what is no directory. Answered with [`FileAnswer::Done`].
    Unlink(Place),
    /// Give something another name below the same directory that was given. Answered with [`FileAnswer::Done`].
    Rename {
        /// What.
        from: Place,
        /// To where.
        to: Place,
    },
    /// Where a symbolic link leads. Answered with [`FileAnswer::Text`].
    ReadLink(Place),
}

/// A path below something that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The directory.
    pub directory: FileId,
    /// The path from there.
    pub path: String,
    /// Whether a symbolic link at its end is followed.
    pub follows: bool,
}

/// How something is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHow {
    /// It will be read.
    pub read: bool,
    /// It will be written.
    pub write: bool,
    /// It is made if it is not there.
    pub create: bool,
    /// It must not be there.
    pub exclusive: bool,
    /// What is in it goes away.
    pub truncate: bool,
    /// It must be a directory.
    pub directory: bool,
}

/// What a runner is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileAnswer {
    /// It is done.
    Done,
    /// The directories that were given.
    Roots(Vec<Root>),
    /// Something is open now.
    Opened(Opened),
    /// What is known of it.
    Stat(FileStat),
    /// What was read.
    Bytes(Payload),
    /// Names in a directory.
    Entries(Vec<Entry>),
    /// A path.
    Text(String),
    /// It could not be done, and the guest is told why.
    Refused(FileError),
    /// A limit is passed: the launch ends.
    Breached(Breach),
}

/// A directory that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// It, open.
    pub opened: Opened,
    /// The name by which the guest knows it: `/data`.
    pub name: String,
}

/// Something that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its number.
    pub id: FileId,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it can be read.
    pub is_read: bool,
    /// Whether it can be written, or things in it made and removed.
    pub is_written: bool,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// How many names it has.
    pub links: u64,
    /// Its size.
    pub size_bytes: u64,
    /// When it was read, written and changed last: in launches that have a clock.
    pub times: Option<FileTimes>,
    /// The same for the same file, in this launch alone.
    pub identity: [u64; 2],
}

/// Times of a file, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTimes {
    /// Read.
    pub accessed_ns: u64,
    /// Written.
    pub modified_ns: u64,
    /// Changed in any way.
    pub changed_ns: u64,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
}

/// What something in a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// A file with bytes.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else, which nobody opens: a device, a pipe, a socket.
    Special,
}

/// Why something could not be done. The words are those of `wasi:filesystem/types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileError {
    /// The operator's own rights do not reach so far.
    Access,
    /// No such handle, or not one of that kind.
    BadDescriptor,
    /// It is in use.
    Busy,
    /// Another directory that was given.
    CrossDevice,
    /// It is there already.
    Exists,
    /// Larger than files can be.
    TooLarge,
    /// No name or number of that kind.
    Invalid,
    /// The operating system failed.
    Io,
    /// It is a directory.
    IsDirectory,
    /// Symbolic links without end.
    Loop,
    /// The path is too long.
    NameTooLong,
    /// It is not there.
    NoEntry,
    /// No room.
    NoSpace,
    /// It is no directory.
    NotDirectory,
    /// The directory has something in it.
    NotEmpty,
    /// It leads outside, or is never allowed.
    NotPermitted,
    /// It can only be read.
    ReadOnly,
    /// There is no such thing here.
    Unsupported,
}

/// What a launch used of files, as whoever did the work counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileUsage {
    /// Files and directories that were opened, listed or made.
    #[serde(with = "exact")]
    pub opens: u64,
    /// The most that were open at once.
    #[serde(with = "exact")]
    pub peak_handles: u64,
    /// Bytes that were read.
    #[serde(with = "exact")]
    pub bytes_read: u64,
    /// Bytes that were written, and by which files became longer without.
    #[serde(with = "exact")]
    pub bytes_written: u64,
    /// CPU time that it took of the host.
    #[serde(with = "exact")]
    pub cpu_ns: u64,
}

/// Does a launch's file work.
pub trait FileLink: Send + Sync {
    /// Does what is asked, and says what came of it; `None` where nobody does it any more.
    fn call(&self, command: FileCommand) -> Option<FileAnswer>;

    /// The limit that was passed, if one was: as whoever counts says it.
    fn breach(&self) -> Option<Breach> {
        None
    }

    /// Notes CPU time that a thread took which does nothing else.
    fn took(&self, _cpu_ns: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MAX_BYTES, decode, encode};

    #[test]
    fn the_largest_commands_and_answers_are_frames() {
        let mut frame = Vec::new();
        let write = FileCommand::Write {
            file: FileId(u32::MAX),
            offset_bytes: Some(u64::MAX),
            data: Payload(vec![7; PIECE_BYTES].into()),
        };
        encode(&write, &mut frame).unwrap();
        assert_eq!(decode::<FileCommand>(&frame).unwrap(), write);
        let place = || Place {
            directory: FileId(u32::MAX),
            path: "x".repeat(PATH_BYTES),
            follows: true,
        };
        let (from, to) = (place(), place());
        encode(&FileCommand::Rename { from, to }, &mut frame).unwrap();
        let read = FileAnswer::Bytes(Payload(vec![7; PIECE_BYTES].into()));
        encode(&read, &mut frame).unwrap();
        // Names of one byte each, and a last one that is as long as names are.
        let entry = |len: usize| Entry {
            name: "x".repeat(len),
            kind: FileKind::Special,
        };
        let mut entries = vec![entry(1); LISTED_BYTES];
        entries.push(entry(255));
        encode(&FileAnswer::Entries(entries), &mut frame).unwrap();
        assert!(frame.len() < MAX_BYTES);
    }
}

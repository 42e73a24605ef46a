//! The way to a launch's files: one command, one answer, and what each answer may be.
//!
//! Nothing is opened here, and nothing here is what keeps a guest within its directories: whoever does the work checks
//! every word. What of a launch has a way at all was granted `files`.

#[cfg(feature = "worker")]
mod channel;

#[cfg(feature = "worker")]
pub(crate) use channel::FileChannel;

use crate::meter::Meter;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::files::{
    Entry, FileAnswer, FileCommand, FileError, FileId, FileLink, FileStat, OpenHow, Opened,
    PIECE_BYTES, Place,
};
use hotcell_model::gpu::Payload;
use std::sync::Arc;

/// A launch's line to whoever does its file work. Chunks use it one after the other.
pub(crate) struct FileLine {
    link: Arc<dyn FileLink>,
    meter: Arc<Meter>,
}

/// Why a call came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileFailure {
    /// The guest is told.
    Refused(FileError),
    /// The launch ends.
    Ended(Stop),
}

impl From<Stop> for FileFailure {
    fn from(stop: Stop) -> Self {
        Self::Ended(stop)
    }
}

impl From<FileError> for FileFailure {
    fn from(error: FileError) -> Self {
        Self::Refused(error)
    }
}

/// Something that is open, closed once it is dropped.
pub(crate) struct FileHandle {
    pub(crate) opened: Opened,
    line: Arc<FileLine>,
}

type Answer<T> = Result<T, FileFailure>;

impl FileLine {
    pub(crate) fn new(link: Arc<dyn FileLink>, meter: Arc<Meter>) -> Self {
        Self { link, meter }
    }

    /// The directories that the launch was given, with their names.
    pub(crate) fn roots(self: &Arc<Self>) -> Answer<Vec<(FileHandle, String)>> {
        match self.ask(FileCommand::Roots)? {
            FileAnswer::Roots(roots) => {
                let roots = roots.into_iter();
                Ok(roots
                    .map(|root| (self.held(root.opened), root.name))
                    .collect())
            }
            _ => Err(out_of_turn()),
        }
    }

    fn held(self: &Arc<Self>, opened: Opened) -> FileHandle {
        let line = Arc::clone(self);
        FileHandle { opened, line }
    }

    fn opened(self: &Arc<Self>, command: FileCommand) -> Answer<FileHandle> {
        match self.ask(command)? {
            FileAnswer::Opened(opened) => Ok(self.held(opened)),
            _ => Err(out_of_turn()),
        }
    }

    fn stat(&self, command: FileCommand) -> Answer<FileStat> {
        match self.ask(command)? {
            FileAnswer::Stat(stat) => Ok(stat),
            _ => Err(out_of_turn()),
        }
    }

    fn done(&self, command: FileCommand) -> Answer<()> {
        match self.ask(command)? {
            FileAnswer::Done => Ok(()),
            _ => Err(out_of_turn()),
        }
    }

    fn ask(&self, command: FileCommand) -> Answer<FileAnswer> {
        match self.link.call(command) {
            Some(FileAnswer::Refused(error)) => Err(FileFailure::Refused(error)),
            Some(FileAnswer::Breached(breach)) => Err(Stop::Limit(breach).into()),
            Some(answer) => Ok(answer),
            // Hung up from outside, since the launch's time is up.
            None if self.meter.is_over() => Err(self.meter.cut_short().into()),
            None => Err(Stop::Files.into()),
        }
    }
}

impl FileHandle {
    pub(crate) fn id(&self) -> FileId {
        self.opened.id
    }

    /// A path below it.
    pub(crate) fn place(&self, path: &str, follows: bool) -> Place {
        Place {
            directory: self.id(),
            path: path.to_owned(),
            follows,
        }
    }

    pub(crate) fn open(&self, at: Place, how: OpenHow) -> Answer<Self> {
        self.line.opened(FileCommand::Open { at, how })
    }

    pub(crate) fn stat(&self) -> Answer<FileStat> {
        self.line.stat(FileCommand::Stat(self.id()))
    }

    pub(crate) fn stat_at(&self, place: Place) -> Answer<FileStat> {
        self.line.stat(FileCommand::StatAt(place))
    }

    /// Reads a piece; nothing at the end.
    pub(crate) fn read(&self, offset_bytes: u64, len: usize) -> Answer<Bytes> {
        let len = len.min(PIECE_BYTES);
        let command = FileCommand::Read {
            file: self.id(),
            offset_bytes,
            len_bytes: u32::try_from(len).unwrap_or(u32::MAX),
        };
        match self.line.ask(command)? {
            FileAnswer::Bytes(Payload(bytes)) if bytes.len() <= len => Ok(bytes),
            _ => Err(out_of_turn()),
        }
    }

    /// Writes a piece.
    pub(crate) fn write(&self, offset_bytes: Option<u64>, data: Bytes) -> Answer<()> {
        self.line.done(FileCommand::Write {
            file: self.id(),
            offset_bytes,
            data: Payload(data),
        })
    }

    pub(crate) fn set_size(&self, size_bytes: u64) -> Answer<()> {
        let file = self.id();
        self.line.done(FileCommand::SetSize { file, size_bytes })
    }

    pub(crate) fn list(&self) -> Answer<Self> {
        self.line.opened(FileCommand::List(self.id()))
    }

    /// The next names of a list.
    pub(crate) fn next(&self) -> Answer<Vec<Entry>> {
        match self.line.ask(FileCommand::Next(self.id()))? {
            FileAnswer::Entries(entries) => Ok(entries),
            _ => Err(out_of_turn()),
        }
    }

    /// Something that gives nothing back.
    pub(crate) fn done(&self, command: FileCommand) -> Answer<()> {
        self.line.done(command)
    }

    pub(crate) fn read_link(&self, place: Place) -> Answer<String> {
        match self.line.ask(FileCommand::ReadLink(place))? {
            FileAnswer::Text(text) => Ok(text),
            _ => Err(out_of_turn()),
        }
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        // What cannot be closed goes with the launch.
        let _ = self.line.ask(FileCommand::Close(self.id()));
    }
}

/// An answer to another question: there is nothing to go on with.
fn out_of_turn() -> FileFailure {
    Stop::Files.into()
}

//! One launch's file work: what it has open, by number, and each thing that can be asked of it.
//!
//! A command is hostile input. Numbers are looked up, lengths held against what a piece may be, paths looked up below the
//! handle of a directory by `cap-std`, which follows no link out of it, whoever renames what meanwhile. Only files with
//! bytes and directories are opened: what is anything else is refused before, and looked at once more when it is open,
//! and nobody waits for the other side of a pipe.

use super::error::told;
use super::quota::Quota;
use super::{DirectoryAccess, OpenDirectory};
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{
    Dir, File, FileExt, FileType, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, ReadDir,
};
use hotcell_model::files::{
    Entry, FileAnswer, FileCommand, FileError, FileId, FileKind, FileLink, FileStat, FileTimes,
    FileUsage, LISTED_BYTES, OpenHow, Opened, PATH_BYTES, PIECE_BYTES, Place, Root,
};
use hotcell_model::gpu::Payload;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::limit::{Breach, Limits};
use rustix::fs::OFlags;
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A launch's file work.
pub(crate) struct FileSession {
    state: Mutex<State>,
    /// What was counted when the last command was done. Apart from the rest: the operating system may keep a command for
    /// ever, and whoever ends the launch must not wait for it.
    counted: Mutex<Counted>,
    /// CPU time of threads that serve it and do nothing else.
    cpu_ns: AtomicU64,
}

#[derive(Default)]
struct Counted {
    used: FileUsage,
    breach: Option<Breach>,
}

struct State {
    roots: Vec<OpenDirectory>,
    open: BTreeMap<FileId, Open>,
    /// How many numbers were given.
    given: u32,
    quota: Quota,
    /// The limit that was passed: nothing is done after it.
    breach: Option<Breach>,
    /// Whether the guest may know times.
    has_times: bool,
    /// What names of files are hidden by, drawn when one is asked for.
    key: Option<[u8; 32]>,
}

/// Something that is open.
struct Open {
    /// The directory that was given which it is in, by its position.
    root: usize,
    what: What,
}

enum What {
    File {
        file: File,
        is_read: bool,
        is_written: bool,
    },
    Directory(Arc<Dir>),
    List(ReadDir),
}

/// Why a command comes to nothing.
enum Failure {
    Refused(FileError),
    Breached(Breach),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::Refused(error)
    }
}

impl From<Breach> for Failure {
    fn from(breach: Breach) -> Self {
        Self::Breached(breach)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(told(&error))
    }
}

type Done<T> = Result<T, Failure>;

impl FileSession {
    /// For a launch with those directories.
    pub(crate) fn new(roots: Vec<OpenDirectory>, limits: Limits, grants: &Grants) -> Self {
        let state = State {
            roots,
            open: BTreeMap::new(),
            given: 0,
            quota: Quota::new(limits),
            breach: None,
            has_times: grants.has(Capability::Clock),
            key: None,
        };
        Self {
            state: Mutex::new(state),
            counted: Mutex::default(),
            cpu_ns: AtomicU64::new(0),
        }
    }

    /// What was used.
    pub(crate) fn usage(&self) -> FileUsage {
        FileUsage {
            cpu_ns: self.cpu_ns.load(Ordering::Relaxed),
            ..self.counted().used.clone()
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileLink for FileSession {
    fn call(&self, command: FileCommand) -> Option<FileAnswer> {
        let mut state = self.state();
        if let Some(breach) = state.breach {
            return Some(FileAnswer::Breached(breach));
        }
        let answer = match state.command(command) {
            Ok(answer) => answer,
            Err(Failure::Refused(error)) => FileAnswer::Refused(error),
            Err(Failure::Breached(breach)) => {
                state.breach = Some(breach);
                FileAnswer::Breached(breach)
            }
        };
        *self.counted() = Counted {
            used: state.quota.used().clone(),
            breach: state.breach,
        };
        Some(answer)
    }

    fn breach(&self) -> Option<Breach> {
        self.counted().breach
    }

    fn took(&self, cpu_ns: u64) {
        self.cpu_ns.fetch_add(cpu_ns, Ordering::Relaxed);
    }
}

impl State {
    fn command(&mut self, command: FileCommand) -> Done<FileAnswer> {
        Ok(match command {
            FileCommand::Roots => self.roots()?,
            FileCommand::Open { at, how } => FileAnswer::Opened(self.open(&at, how)?),
            FileCommand::Close(id) => {
                if self.open.remove(&id).is_some() {
                    self.quota.give_back_handle();
                }
                FileAnswer::Done
            }
            FileCommand::Stat(id) => FileAnswer::Stat(self.stat(id)?),
            FileCommand::StatAt(place) => {
                let directory = self.directory(&place)?;
                let metadata = match place.follows {
                    true => directory.metadata(&place.path),
                    false => directory.symlink_metadata(&place.path),
                };
                FileAnswer::Stat(self.known(&metadata?))
            }
            FileCommand::Read {
                file,
                offset_bytes,
                len_bytes,
            } => FileAnswer::Bytes(self.read(file, offset_bytes, len_bytes)?),
            FileCommand::Write {
                file,
                offset_bytes,
                data: Payload(data),
            } => {
                self.write(file, offset_bytes, &data)?;
                FileAnswer::Done
            }
            FileCommand::SetSize { file, size_bytes } => {
                self.set_size(file, size_bytes)?;
                FileAnswer::Done
            }
            FileCommand::List(id) => FileAnswer::Opened(self.list(id)?),
            FileCommand::Next(id) => FileAnswer::Entries(self.next(id)?),
            FileCommand::CreateDirectory(place) => {
                let directory = self.writable(&place)?;
                self.quota.charge_open()?;
                directory.create_dir(&place.path)?;
                FileAnswer::Done
            }
            FileCommand::RemoveDirectory(place) => {
                self.writable(&place)?.remove_dir(&place.path)?;
                FileAnswer::Done
            }
            FileCommand::Unlink(place) => {
                self.writable(&place)?.remove_file(&place.path)?;
                FileAnswer::Done
            }
            FileCommand::Rename { from, to } => {
                self.rename(&from, &to)?;
                FileAnswer::Done
            }
            FileCommand::ReadLink(place) => {
                let text = self.directory(&place)?.read_link_contents(&place.path)?;
                let text = text.into_os_string().into_string();
                FileAnswer::Text(text.map_err(|_| FileError::Invalid)?)
            }
        })
    }

    fn roots(&mut self) -> Done<FileAnswer> {
        let mut roots = Vec::with_capacity(self.roots.len());
        for root in 0..self.roots.len() {
            let given = &self.roots[root];
            let (name, directory) = (given.name.clone(), Arc::clone(&given.directory));
            let opened = self.hold(root, What::Directory(directory))?;
            roots.push(Root { opened, name });
        }
        Ok(FileAnswer::Roots(roots))
    }

    /// Gives something that is open a number.
    fn hold(&mut self, root: usize, what: What) -> Done<Opened> {
        self.quota.charge_handle()?;
        let (is_directory, is_read, is_written) = match &what {
            What::File {
                is_read,
                is_written,
                ..
            } => (false, *is_read, *is_written),
            What::Directory(_) => (true, true, self.is_writable(root)),
            What::List(_) => (true, true, false),
        };
        // Fewer are given than the limits on opens and handles let through.
        self.given = self.given.checked_add(1).ok_or(FileError::BadDescriptor)?;
        let id = FileId(self.given);
        self.open.insert(id, Open { root, what });
        Ok(Opened {
            id,
            is_directory,
            is_read,
            is_written,
        })
    }

    fn is_writable(&self, root: usize) -> bool {
        self.roots[root].access == DirectoryAccess::Write
    }

    fn opened(&self, id: FileId) -> Done<&Open> {
        Ok(self.open.get(&id).ok_or(FileError::BadDescriptor)?)
    }

    /// The directory that a path is below of, and which given one that is in.
    fn base(&self, place: &Place) -> Done<(usize, Arc<Dir>)> {
        if place.path.len() > PATH_BYTES {
            return Err(FileError::NameTooLong.into());
        }
        let open = self.opened(place.directory)?;
        match &open.what {
            What::Directory(directory) => Ok((open.root, Arc::clone(directory))),
            What::File { .. } | What::List(_) => Err(FileError::NotDirectory.into()),
        }
    }

    fn directory(&self, place: &Place) -> Done<Arc<Dir>> {
        self.base(place).map(|(_, directory)| directory)
    }

    /// As [`Self::directory`], where things are made or removed.
    fn writable(&self, place: &Place) -> Done<Arc<Dir>> {
        let (root, directory) = self.base(place)?;
        match self.is_writable(root) {
            true => Ok(directory),
            false => Err(FileError::ReadOnly.into()),
        }
    }

    fn open(&mut self, at: &Place, how: OpenHow) -> Done<Opened> {
        let (root, directory) = self.base(at)?;
        let changes = how.write || how.create || how.truncate;
        if changes && !self.is_writable(root) {
            return Err(FileError::ReadOnly.into());
        }
        if how.directory && (how.create || how.truncate) {
            return Err(FileError::Invalid.into());
        }
        self.quota.charge_open()?;
        let is_directory = match check_kind(&directory, at)? {
            Some(_) if how.create && how.exclusive => return Err(FileError::Exists.into()),
            Some(FileKind::Directory) if how.write => return Err(FileError::IsDirectory.into()),
            found => found == Some(FileKind::Directory),
        };
        let options = options(at.follows, how, is_directory);
        let file = directory.open_with(&at.path, &options)?;
        let what = match kind(file.metadata()?.file_type()) {
            FileKind::Directory if how.truncate => return Err(FileError::IsDirectory.into()),
            FileKind::Directory => What::Directory(Arc::new(Dir::from_std_file(file.into_std()))),
            FileKind::Regular if how.directory => return Err(FileError::NotDirectory.into()),
            FileKind::Regular => What::File {
                file,
                is_read: how.read || !how.write,
                is_written: how.write,
            },
            FileKind::Link => return Err(FileError::Loop.into()),
            FileKind::Special => return Err(FileError::Unsupported.into()),
        };
        self.hold(root, what)
    }

    fn stat(&mut self, id: FileId) -> Done<FileStat> {
        let metadata = match &self.opened(id)?.what {
            What::File { file, .. } => file.metadata()?,
            What::Directory(directory) => directory.dir_metadata()?,
            What::List(_) => return Err(FileError::BadDescriptor.into()),
        };
        Ok(self.known(&metadata))
    }

    /// What a guest may know of a file.
    fn known(&mut self, metadata: &Metadata) -> FileStat {
        let time = |seconds: i64, nanoseconds: i64| {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(nanoseconds)
        };
        FileStat {
            kind: kind(metadata.file_type()),
            links: metadata.nlink(),
            size_bytes: metadata.len(),
            times: self.has_times.then(|| FileTimes {
                accessed_ns: time(metadata.atime(), metadata.atime_nsec()),
                modified_ns: time(metadata.mtime(), metadata.mtime_nsec()),
                changed_ns: time(metadata.ctime(), metadata.ctime_nsec()),
            }),
            identity: self.identity(metadata.dev(), metadata.ino()),
        }
    }

    /// The same for the same file; what it is made of cannot be told from it.
    fn identity(&mut self, device: u64, number: u64) -> [u64; 2] {
        let key = self.key.get_or_insert_with(|| {
            let mut key = [0; 32];
            // These few are never cut short.
            let _ = rustix::rand::getrandom(&mut key[..], rustix::rand::GetRandomFlags::empty());
            key
        });
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&device.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        let hash = *hasher.finalize().as_bytes();
        [0, 8].map(|at| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hash[at..at + 8]);
            u64::from_le_bytes(bytes)
        })
    }

    fn read(&mut self, id: FileId, offset_bytes: u64, len_bytes: u32) -> Done<Payload> {
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        let What::File {
            file,
            is_read: true,
            ..
        } = &self.opened(id)?.what
        else {
            return Err(FileError::BadDescriptor.into());
        };
        if len > PIECE_BYTES {
            return Err(FileError::Invalid.into());
        }
        let size = file.metadata()?.len();
        let left = size.saturating_sub(offset_bytes);
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = vec![0; len];
        let mut there = 0;
        while there < len {
            // Within the size, and so within what the operating system counts with.
            match file.read_at(&mut bytes[there..], offset_bytes + there as u64) {
                Ok(0) => break,
                Ok(read) => there += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(there);
        self.quota.charge_read(bytes.len() as u64)?;
        Ok(Payload(bytes.into()))
    }

    fn write(&mut self, id: FileId, offset_bytes: Option<u64>, data: &[u8]) -> Done<()> {
        if data.len() > PIECE_BYTES {
            return Err(FileError::Invalid.into());
        }
        let size = self.written(id)?.metadata()?.len();
        let (at, len) = (offset_bytes.unwrap_or(size), data.len() as u64);
        check_end(at.checked_add(len))?;
        // The gap before it becomes part of the file, too.
        let charge = match len {
            0 => 0,
            _ => len.saturating_add(at.saturating_sub(size)),
        };
        self.quota.charge_write(charge)?;
        Ok(self.written(id)?.write_all_at(data, at)?)
    }

    fn set_size(&mut self, id: FileId, size_bytes: u64) -> Done<()> {
        let size = self.written(id)?.metadata()?.len();
        if size_bytes > size {
            check_end(Some(size_bytes))?;
            self.quota.charge_write(size_bytes - size)?;
        }
        Ok(self.written(id)?.set_len(size_bytes)?)
    }

    /// A file that was opened to be written.
    fn written(&self, id: FileId) -> Done<&File> {
        match &self.opened(id)?.what {
            What::File {
                file,
                is_written: true,
                ..
            } => Ok(file),
            _ => Err(FileError::BadDescriptor.into()),
        }
    }

    fn list(&mut self, id: FileId) -> Done<Opened> {
        let open = self.opened(id)?;
        let (root, directory) = match &open.what {
            What::Directory(directory) => (open.root, Arc::clone(directory)),
            What::File { .. } | What::List(_) => return Err(FileError::NotDirectory.into()),
        };
        self.quota.charge_open()?;
        let list = directory.entries()?;
        self.hold(root, What::List(list))
    }

    fn next(&mut self, id: FileId) -> Done<Vec<Entry>> {
        let Some(Open {
            what: What::List(list),
            ..
        }) = self.open.get_mut(&id)
        else {
            return Err(FileError::BadDescriptor.into());
        };
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < LISTED_BYTES && entries.len() < ENTRIES {
            let Some(entry) = list.next() else { break };
            let entry = entry?;
            // A name that is no text is none that a guest could open.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            bytes += name.len();
            let kind = entry.file_type().map(kind).unwrap_or(FileKind::Special);
            entries.push(Entry { name, kind });
        }
        self.quota.charge_read(bytes as u64)?;
        Ok(entries)
    }

    fn rename(&mut self, from: &Place, to: &Place) -> Done<()> {
        let ((old_root, old), (new_root, new)) = (self.base(from)?, self.base(to)?);
        if old_root != new_root {
            return Err(FileError::CrossDevice.into());
        }
        if !self.is_writable(old_root) {
            return Err(FileError::ReadOnly.into());
        }
        Ok(old.rename(&from.path, &new, &to.path)?)
    }
}

/// The most names in one answer.
const ENTRIES: usize = 512;

/// Where files end at the latest: where the operating system counts to, and this process may write to.
fn check_end(end: Option<u64>) -> Result<(), FileError> {
    let last = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
    match end {
        Some(end) if end <= last && i64::try_from(end).is_ok() => Ok(()),
        _ => Err(FileError::TooLarge),
    }
}

/// What is there; refused if it is nothing that is opened. To open a pipe or a device can do something by itself.
fn check_kind(directory: &Dir, at: &Place) -> Result<Option<FileKind>, FileError> {
    let metadata = match at.follows {
        true => directory.metadata(&at.path),
        false => directory.symlink_metadata(&at.path),
    };
    match metadata.map(|metadata| kind(metadata.file_type())) {
        Ok(FileKind::Special) => Err(FileError::Unsupported),
        Ok(FileKind::Link) => Err(FileError::Loop),
        Ok(kind) => Ok(Some(kind)),
        Err(error) if told(&error) == FileError::NoEntry => Ok(None),
        Err(error) => Err(told(&error)),
    }
}

/// How something is opened.
fn options(follows: bool, how: OpenHow, is_directory: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    let writes = (how.write || how.create || how.truncate) && !is_directory && !how.directory;
    options.read(how.read || !writes).write(writes);
    if writes {
        options.truncate(how.truncate);
        match how.exclusive && how.create {
            true => options.create_new(true),
            false => options.create(how.create),
        };
    }
    let directory = if how.directory {
        OFlags::DIRECTORY
    } else {
        OFlags::empty()
    };
    options.custom_flags((OFlags::NOCTTY | directory).bits().cast_signed());
    options.nonblock(true);
    options.follow(match follows {
        true => FollowSymlinks::Yes,
        false => FollowSymlinks::No,
    });
    options
}

fn kind(of: FileType) -> FileKind {
    if of.is_file() {
        FileKind::Regular
    } else if of.is_dir() {
        FileKind::Directory
    } else if of.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Special
    }
}

#[cfg(test)]
mod tests;

//! `wasi:filesystem`: the directories that the launch was given, over its line to whoever has them open.
//!
//! Links of either kind are not made, and times are not set. What is written is kept as well as the operating system keeps
//! it: to wait until it is on a disk is answered at once.

use super::io::{InputStream, OutputStream};
use super::resource;
use super::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, IoError,
    MetadataHash, NewTimestamp, OpenFlags, PathFlags,
};
use crate::guest::Guest;
use crate::guest::files::{FileFailure, FileHandle};
use crate::guest::imports::Store;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::files::{
    Entry, FileCommand, FileError, FileStat, OpenHow, PATH_BYTES, PIECE_BYTES, Place,
};
use std::collections::VecDeque;
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::{LinkerInstance, Resource, ResourceTableError, WasmList, WasmStr};

/// `resource descriptor`
struct Descriptor(Arc<FileHandle>);

/// `resource directory-entry-stream`
struct EntryStream {
    list: FileHandle,
    /// Names that came, and were not asked for yet.
    waiting: VecDeque<Entry>,
}

/// Why a call came to nothing.
enum Fault {
    /// The guest is told.
    Refused(FileError),
    /// The guest ends.
    Trap(wasmtime::Error),
}

impl From<FileFailure> for Fault {
    fn from(failure: FileFailure) -> Self {
        match failure {
            FileFailure::Refused(error) => Self::Refused(error),
            FileFailure::Ended(stop) => Self::Trap(stop.into()),
        }
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        Self::Refused(error)
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Trap(stop.into())
    }
}

impl From<ResourceTableError> for Fault {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

type Answer<T> = Result<(Result<T, ErrorCode>,)>;
type Handle = Resource<Descriptor>;

/// Charges a call, does it, and puts what came of it as the guest is told.
fn answer<'s, T>(
    mut store: Store<'s>,
    work: impl FnOnce(&mut Store<'s>) -> Result<T, Fault>,
) -> Answer<T> {
    store.data_mut().charge_wasi_call()?;
    match work(&mut store) {
        Ok(value) => Ok((Ok(value),)),
        Err(Fault::Refused(error)) => Ok((Err(error.into()),)),
        Err(Fault::Trap(error)) => Err(error),
    }
}

pub(super) fn preopens(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-directories", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        let roots = match &guest.capabilities.files {
            None => Vec::new(),
            Some(files) => files.roots().map_err(|failure| match failure {
                FileFailure::Ended(stop) => stop,
                FileFailure::Refused(_) => Stop::Files,
            })?,
        };
        let mut directories = Vec::with_capacity(roots.len());
        for (handle, name) in roots {
            directories.push((guest.hold(Descriptor(Arc::new(handle)))?, name));
        }
        Ok((directories,))
    })
}

pub(super) fn types(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<Descriptor>(interface, "descriptor")?;
    resource::<EntryStream>(interface, "directory-entry-stream")?;
    streams(interface)?;
    contents(interface)?;
    knowledge(interface)?;
    opening(interface)?;
    names(interface)?;
    refused(interface)?;
    interface.func_wrap(
        "[method]directory-entry-stream.read-directory-entry",
        |store: Store<'_>, (stream,): (Resource<EntryStream>,)| {
            answer(store, |store| next_entry(store.data_mut(), &stream))
        },
    )?;
    interface.func_wrap(
        "filesystem-error-code",
        |mut store: Store<'_>, (error,): (Resource<IoError>,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            Ok((Some(ErrorCode::from(guest.handles.get(&error)?.0)),))
        },
    )
}

/// What reads and writes a file in order.
fn streams(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]descriptor.read-via-stream",
        |store: Store<'_>, (handle, offset): (Handle, u64)| {
            answer(store, |store| {
                let guest = store.data_mut();
                let file = readable(guest, &handle)?;
                Ok(guest.hold(InputStream::File(file, offset))?)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.write-via-stream",
        |store: Store<'_>, (handle, offset): (Handle, u64)| {
            answer(store, |store| {
                let guest = store.data_mut();
                let file = writable(guest, &handle)?;
                Ok(guest.hold(OutputStream::File(file, Some(offset)))?)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.append-via-stream",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                let guest = store.data_mut();
                let file = writable(guest, &handle)?;
                Ok(guest.hold(OutputStream::File(file, None))?)
            })
        },
    )
}

/// What reads and writes a file at a place.
fn contents(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]descriptor.read",
        |store: Store<'_>, (handle, len, offset): (Handle, u64, u64)| {
            answer(store, |store| {
                let guest = store.data_mut();
                let file = readable(guest, &handle)?;
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(PIECE_BYTES);
                let bytes = match len {
                    0 => Bytes::new(),
                    _ => file.read(offset, len)?,
                };
                guest.charge_bytes_in(bytes.len() as u64)?;
                let is_end = len > 0 && bytes.is_empty();
                Ok((bytes, is_end))
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.write",
        |store: Store<'_>, (handle, data, offset): (Handle, WasmList<u8>, u64)| {
            answer(store, |store| {
                let file = writable(store.data(), &handle)?;
                let data = data.as_le_slice(&*store);
                let piece = Bytes::copy_from_slice(&data[..data.len().min(PIECE_BYTES)]);
                let len = piece.len() as u64;
                store.data_mut().charge_bytes_out(len)?;
                file.write(Some(offset), piece)?;
                Ok(len)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.set-size",
        |store: Store<'_>, (handle, size): (Handle, u64)| {
            answer(store, |store| {
                Ok(writable(store.data(), &handle)?.set_size(size)?)
            })
        },
    )?;
    for name in ["sync", "sync-data"] {
        interface.func_wrap(
            &format!("[method]descriptor.{name}"),
            |store: Store<'_>, (handle,): (Handle,)| {
                answer(store, |store| file(store.data(), &handle).map(drop))
            },
        )?;
    }
    interface.func_wrap(
        "[method]descriptor.advise",
        |store: Store<'_>, (handle, _, _, _): (Handle, u64, u64, Advice)| {
            answer(store, |store| file(store.data(), &handle).map(drop))
        },
    )
}

/// What is known of a file.
fn knowledge(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]descriptor.get-flags",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                let opened = file(store.data(), &handle)?.opened;
                let mut flags = DescriptorFlags::default();
                if opened.is_read {
                    flags |= DescriptorFlags::READ;
                }
                if opened.is_written {
                    flags |= match opened.is_directory {
                        true => DescriptorFlags::MUTATE_DIRECTORY,
                        false => DescriptorFlags::WRITE,
                    };
                }
                Ok(flags)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.get-type",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                Ok(match file(store.data(), &handle)?.opened.is_directory {
                    true => DescriptorType::Directory,
                    false => DescriptorType::RegularFile,
                })
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.stat",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                let stat = file(store.data(), &handle)?.stat()?;
                Ok(DescriptorStat::from(stat))
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.stat-at",
        |store: Store<'_>, (handle, flags, path): (Handle, PathFlags, WasmStr)| {
            answer(store, |store| {
                Ok(DescriptorStat::from(stat_at(store, &handle, flags, &path)?))
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.metadata-hash",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                Ok(hash(file(store.data(), &handle)?.stat()?))
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.metadata-hash-at",
        |store: Store<'_>, (handle, flags, path): (Handle, PathFlags, WasmStr)| {
            answer(store, |store| {
                Ok(hash(stat_at(store, &handle, flags, &path)?))
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.is-same-object",
        |mut store: Store<'_>, (one, other): (Handle, Handle)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            let identity = |handle| -> Result<Option<[u64; 2]>> {
                match file(guest, handle).and_then(|file| Ok(file.stat()?.identity)) {
                    Ok(identity) => Ok(Some(identity)),
                    Err(Fault::Refused(_)) => Ok(None),
                    Err(Fault::Trap(error)) => Err(error),
                }
            };
            let (one, other) = (identity(&one)?, identity(&other)?);
            Ok((one.is_some() && one == other,))
        },
    )
}

fn opening(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]descriptor.open-at",
        |store: Store<'_>,
         (handle, follow, path, open, flags): (
            Handle,
            PathFlags,
            WasmStr,
            OpenFlags,
            DescriptorFlags,
        )| {
            answer(store, |store| {
                let (directory, at) = place(store, &handle, follow, &path)?;
                let has = |flag| open & flag == flag;
                let wants = |flag| flags & flag == flag;
                let how = OpenHow {
                    read: wants(DescriptorFlags::READ),
                    write: wants(DescriptorFlags::WRITE)
                        || wants(DescriptorFlags::MUTATE_DIRECTORY),
                    create: has(OpenFlags::CREATE),
                    exclusive: has(OpenFlags::EXCLUSIVE),
                    truncate: has(OpenFlags::TRUNCATE),
                    directory: has(OpenFlags::DIRECTORY),
                };
                let opened = directory.open(at, how)?;
                Ok(store.data_mut().hold(Descriptor(Arc::new(opened)))?)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.read-directory",
        |store: Store<'_>, (handle,): (Handle,)| {
            answer(store, |store| {
                let guest = store.data_mut();
                let list = file(guest, &handle)?.list()?;
                let waiting = VecDeque::new();
                Ok(guest.hold(EntryStream { list, waiting })?)
            })
        },
    )
}

/// A command about a place.
type OfPlace = fn(Place) -> FileCommand;

/// What changes names.
fn names(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    let commands: [(&str, OfPlace); 3] = [
        ("create-directory-at", FileCommand::CreateDirectory),
        ("remove-directory-at", FileCommand::RemoveDirectory),
        ("unlink-file-at", FileCommand::Unlink),
    ];
    for (name, command) in commands {
        interface.func_wrap(
            &format!("[method]descriptor.{name}"),
            move |store: Store<'_>, (handle, path): (Handle, WasmStr)| {
                answer(store, |store| {
                    let (directory, place) = place(store, &handle, PathFlags::default(), &path)?;
                    Ok(directory.done(command(place))?)
                })
            },
        )?;
    }
    interface.func_wrap(
        "[method]descriptor.rename-at",
        |store: Store<'_>, (handle, old, other, new): (Handle, WasmStr, Handle, WasmStr)| {
            answer(store, |store| {
                let (directory, from) = place(store, &handle, PathFlags::default(), &old)?;
                let (_, to) = place(store, &other, PathFlags::default(), &new)?;
                Ok(directory.done(FileCommand::Rename { from, to })?)
            })
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.readlink-at",
        |store: Store<'_>, (handle, path): (Handle, WasmStr)| {
            answer(store, |store| {
                let (directory, place) = place(store, &handle, PathFlags::default(), &path)?;
                let text = directory.read_link(place)?;
                store.data_mut().charge_bytes_in(text.len() as u64)?;
                Ok(text)
            })
        },
    )
}

/// What nobody is allowed: nothing of it leaves the runner.
fn refused(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]descriptor.link-at",
        |store: Store<'_>, (_, _, _, _, _): (Handle, PathFlags, WasmStr, Handle, WasmStr)| {
            answer(store, |_| Err::<(), _>(FileError::NotPermitted.into()))
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.symlink-at",
        |store: Store<'_>, (_, _, _): (Handle, WasmStr, WasmStr)| {
            answer(store, |_| Err::<(), _>(FileError::NotPermitted.into()))
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.set-times",
        |store: Store<'_>, (_, _, _): (Handle, NewTimestamp, NewTimestamp)| {
            answer(store, |_| Err::<(), _>(FileError::Unsupported.into()))
        },
    )?;
    interface.func_wrap(
        "[method]descriptor.set-times-at",
        |store: Store<'_>,
         (_, _, _, _, _): (Handle, PathFlags, WasmStr, NewTimestamp, NewTimestamp)| {
            answer(store, |_| Err::<(), _>(FileError::Unsupported.into()))
        },
    )
}

fn file(guest: &Guest, handle: &Handle) -> Result<Arc<FileHandle>, Fault> {
    Ok(Arc::clone(&guest.handles.get(handle)?.0))
}

/// A file that was opened to be read.
fn readable(guest: &Guest, handle: &Handle) -> Result<Arc<FileHandle>, Fault> {
    let file = file(guest, handle)?;
    match file.opened {
        opened if opened.is_directory => Err(FileError::IsDirectory.into()),
        opened if !opened.is_read => Err(FileError::BadDescriptor.into()),
        _ => Ok(file),
    }
}

/// A file that was opened to be written.
fn writable(guest: &Guest, handle: &Handle) -> Result<Arc<FileHandle>, Fault> {
    let file = file(guest, handle)?;
    match file.opened {
        opened if opened.is_directory => Err(FileError::IsDirectory.into()),
        opened if !opened.is_written => Err(FileError::BadDescriptor.into()),
        _ => Ok(file),
    }
}

/// A path below a directory. Its length is looked at before it is copied.
fn place(
    store: &Store<'_>,
    handle: &Handle,
    flags: PathFlags,
    path: &WasmStr,
) -> Result<(Arc<FileHandle>, Place), Fault> {
    let directory = file(store.data(), handle)?;
    let path = path.to_str(store)?;
    if path.len() > PATH_BYTES {
        return Err(FileError::NameTooLong.into());
    }
    let follows = flags & PathFlags::SYMLINK_FOLLOW == PathFlags::SYMLINK_FOLLOW;
    let place = directory.place(&path, follows);
    Ok((directory, place))
}

fn stat_at(
    store: &Store<'_>,
    handle: &Handle,
    flags: PathFlags,
    path: &WasmStr,
) -> Result<FileStat, Fault> {
    let (directory, place) = place(store, handle, flags, path)?;
    Ok(directory.stat_at(place)?)
}

fn hash(stat: FileStat) -> MetadataHash {
    let [lower, upper] = stat.identity;
    MetadataHash { lower, upper }
}

fn next_entry(
    guest: &mut Guest,
    stream: &Resource<EntryStream>,
) -> Result<Option<DirectoryEntry>, Fault> {
    let stream = guest.handles.get_mut(stream)?;
    if stream.waiting.is_empty() {
        stream.waiting.extend(stream.list.next()?);
    }
    let Some(Entry { name, kind }) = stream.waiting.pop_front() else {
        return Ok(None);
    };
    guest.charge_bytes_in(name.len() as u64)?;
    let kind = kind.into();
    Ok(Some(DirectoryEntry { kind, name }))
}

//! `wasi:io`: streams over what is printed and over files, and what waits for them, which is time alone.

use super::printed::Printed;
use super::resource;
use super::types::{IoError, StreamError};
use crate::guest::Guest;
use crate::guest::files::{FileFailure, FileHandle};
use crate::guest::imports::Store;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::files::{FileError, PIECE_BYTES};
use hotcell_model::grant::Capability;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::{LinkerInstance, Resource, ResourceTableError, WasmList};

/// `resource input-stream`
pub(super) enum InputStream {
    /// At its end.
    Ended,
    /// A file, from there on.
    File(Arc<FileHandle>, u64),
}

/// `resource output-stream`
pub(super) enum OutputStream {
    /// Lines of the log.
    Log(Printed),
    /// A file, from there on; `None` for its end.
    File(Arc<FileHandle>, Option<u64>),
}

/// `resource pollable`
pub(super) enum Pollable {
    /// There is nothing to wait for.
    Ready,
    /// When the guest's clock shows that.
    At(u64),
}

/// Why something of a stream came to nothing.
pub(super) enum StreamFault {
    /// It is at its end.
    Closed,
    /// The guest is told.
    Refused(FileError),
    /// The guest ends.
    Trap(wasmtime::Error),
}

impl From<Stop> for StreamFault {
    fn from(stop: Stop) -> Self {
        Self::Trap(stop.into())
    }
}

impl From<ResourceTableError> for StreamFault {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<FileFailure> for StreamFault {
    fn from(failure: FileFailure) -> Self {
        match failure {
            FileFailure::Refused(error) => Self::Refused(error),
            FileFailure::Ended(stop) => stop.into(),
        }
    }
}

type Answer<T> = Result<(Result<T, StreamError>,)>;

/// Puts what came of something of a stream as the guest is told.
fn answer<T>(mut store: Store<'_>, result: Result<T, StreamFault>) -> Answer<T> {
    let error = match result {
        Ok(value) => return Ok((Ok(value),)),
        Err(StreamFault::Closed) => StreamError::Closed,
        Err(StreamFault::Refused(error)) => {
            let error = store.data_mut().hold(IoError(error))?;
            StreamError::LastOperationFailed(error)
        }
        Err(StreamFault::Trap(error)) => return Err(error),
    };
    Ok((Err(error),))
}

pub(super) fn error(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<IoError>(interface, "error")?;
    interface.func_wrap(
        "[method]error.to-debug-string",
        |mut store: Store<'_>, (error,): (Resource<IoError>,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            Ok((format!("{:?}", guest.handles.get(&error)?.0),))
        },
    )
}

pub(super) fn poll(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<Pollable>(interface, "pollable")?;
    interface.func_wrap(
        "[method]pollable.ready",
        |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            Ok((guest.when(&pollable)? <= guest.wasi_now_ns(),))
        },
    )?;
    interface.func_wrap(
        "[method]pollable.block",
        |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            let when = guest.when(&pollable)?;
            Ok(guest.sleep_until(when)?)
        },
    )?;
    interface.func_wrap(
        "poll",
        |mut store: Store<'_>, (list,): (WasmList<Resource<Pollable>>,)| {
            store.data_mut().charge_wasi_call()?;
            // A guest has no more pollables than handles, and no reason to name one twice.
            if !(1..=POLLED).contains(&list.len()) {
                let misuse = format!(
                    "polls of {} things, from 1 to {POLLED} are allowed",
                    list.len()
                );
                return Err(Stop::Misuse(misuse).into());
            }
            let mut times = Vec::with_capacity(list.len());
            for index in 0..list.len() {
                let pollable = list.get(&mut store, index);
                let pollable = pollable.unwrap_or_else(|| unreachable!("it is within the list"))?;
                times.push(store.data().when(&pollable)?);
            }
            let guest = store.data_mut();
            guest.sleep_until(times.iter().copied().min().unwrap_or(0))?;
            let now = guest.wasi_now_ns();
            let ready = (0..).zip(times).filter(|(_, when)| *when <= now);
            Ok((ready.map(|(index, _)| index).collect::<Vec<u32>>(),))
        },
    )
}

/// The most that one poll waits for: the ceiling of the limit on handles.
const POLLED: usize = 4096;
/// A sleep looks that often whether the launch is to end.
const NAP: Duration = Duration::from_millis(5);

impl Guest {
    /// When something is ready, on the guest's clock.
    fn when(&self, pollable: &Resource<Pollable>) -> Result<u64> {
        Ok(match self.handles.get(pollable)? {
            Pollable::Ready => 0,
            Pollable::At(when) => *when,
        })
    }

    /// Waits until the guest's clock shows that. One that stands still is moved instead.
    fn sleep_until(&mut self, when: u64) -> Result<(), Stop> {
        if !self.grants.has(Capability::Clock) {
            let slept = &mut self.capabilities.wasi.slept_ns;
            *slept = when.max(*slept);
            return Ok(());
        }
        loop {
            let left = when.saturating_sub(self.wasi_now_ns());
            if left == 0 {
                return Ok(());
            }
            self.meter.check(self.chunk, &mut self.cpu)?;
            std::thread::park_timeout(Duration::from_nanos(left).min(NAP));
        }
    }
}

pub(super) fn streams(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<InputStream>(interface, "input-stream")?;
    resource::<OutputStream>(interface, "output-stream")?;
    input_streams(interface)?;
    output_streams(interface)
}

fn input_streams(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    for name in ["read", "blocking-read"] {
        interface.func_wrap(
            &format!("[method]input-stream.{name}"),
            |mut store: Store<'_>, (stream, len): (Resource<InputStream>, u64)| {
                let read = read(store.data_mut(), &stream, len);
                answer(store, read)
            },
        )?;
    }
    for name in ["skip", "blocking-skip"] {
        interface.func_wrap(
            &format!("[method]input-stream.{name}"),
            |mut store: Store<'_>, (stream, len): (Resource<InputStream>, u64)| {
                let read = read(store.data_mut(), &stream, len);
                answer(store, read.map(|bytes| bytes.len() as u64))
            },
        )?;
    }
    interface.func_wrap(
        "[method]input-stream.subscribe",
        |store: Store<'_>, (_,): (Resource<InputStream>,)| ready(store),
    )
}

fn output_streams(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "[method]output-stream.check-write",
        |mut store: Store<'_>, (_,): (Resource<OutputStream>,)| {
            store.data_mut().charge_wasi_call()?;
            answer(store, Ok(PIECE_BYTES as u64))
        },
    )?;
    for name in ["write", "blocking-write-and-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>, (stream, data): (Resource<OutputStream>, WasmList<u8>)| {
                let written = write(&mut store, &stream, &data);
                answer(store, written)
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>, (_,): (Resource<OutputStream>,)| {
                store.data_mut().charge_wasi_call()?;
                answer(store, Ok(()))
            },
        )?;
    }
    interface.func_wrap(
        "[method]output-stream.subscribe",
        |store: Store<'_>, (_,): (Resource<OutputStream>,)| ready(store),
    )?;
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>, (stream, len): (Resource<OutputStream>, u64)| {
                let written = write_zeros(store.data_mut(), &stream, len);
                answer(store, written)
            },
        )?;
    }
    for name in ["splice", "blocking-splice"] {
        interface.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>,
             (stream, from, len): (Resource<OutputStream>, Resource<InputStream>, u64)| {
                let spliced = splice(store.data_mut(), &stream, &from, len);
                answer(store, spliced)
            },
        )?;
    }
    Ok(())
}

/// A pollable of what never makes anybody wait.
fn ready(mut store: Store<'_>) -> Result<(Resource<Pollable>,)> {
    let guest = store.data_mut();
    guest.charge_wasi_call()?;
    Ok((guest.hold(Pollable::Ready)?,))
}

fn read(guest: &mut Guest, stream: &Resource<InputStream>, len: u64) -> Result<Bytes, StreamFault> {
    guest.charge_wasi_call()?;
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(PIECE_BYTES);
    let (file, position) = match guest.handles.get(stream)? {
        InputStream::Ended => return Err(StreamFault::Closed),
        InputStream::File(file, position) => (Arc::clone(file), *position),
    };
    if len == 0 {
        return Ok(Bytes::new());
    }
    let bytes = file.read(position, len)?;
    if bytes.is_empty() {
        return Err(StreamFault::Closed);
    }
    guest.charge_bytes_in(bytes.len() as u64)?;
    if let InputStream::File(_, position) = guest.handles.get_mut(stream)? {
        *position = position.saturating_add(bytes.len() as u64);
    }
    Ok(bytes)
}

fn write(
    store: &mut Store<'_>,
    stream: &Resource<OutputStream>,
    data: &WasmList<u8>,
) -> Result<(), StreamFault> {
    store.data_mut().charge_wasi_call()?;
    let mut at = 0;
    while at < data.len() {
        let piece = &data.as_le_slice(&*store)[at..];
        let piece = Bytes::copy_from_slice(&piece[..piece.len().min(PIECE_BYTES)]);
        at += piece.len();
        put(store.data_mut(), stream, piece)?;
    }
    Ok(())
}

fn write_zeros(
    guest: &mut Guest,
    stream: &Resource<OutputStream>,
    len: u64,
) -> Result<(), StreamFault> {
    guest.charge_wasi_call()?;
    // More than what may be written at once.
    if len > PIECE_BYTES as u64 {
        return Err(StreamFault::Refused(FileError::Invalid));
    }
    put(
        guest,
        stream,
        vec![0; usize::try_from(len).unwrap_or(0)].into(),
    )
}

fn splice(
    guest: &mut Guest,
    stream: &Resource<OutputStream>,
    from: &Resource<InputStream>,
    len: u64,
) -> Result<u64, StreamFault> {
    let bytes = read(guest, from, len)?;
    let len = bytes.len() as u64;
    put(guest, stream, bytes)?;
    Ok(len)
}

/// Puts a piece where a stream leads.
fn put(
    guest: &mut Guest,
    stream: &Resource<OutputStream>,
    piece: Bytes,
) -> Result<(), StreamFault> {
    let len = piece.len() as u64;
    guest.charge_bytes_out(len)?;
    match guest.handles.get_mut(stream)? {
        OutputStream::Log(to) => {
            let to = *to;
            guest.print(to, &piece);
        }
        OutputStream::File(file, position) => {
            file.write(*position, piece)?;
            *position = position.map(|position| position.saturating_add(len));
        }
    }
    Ok(())
}

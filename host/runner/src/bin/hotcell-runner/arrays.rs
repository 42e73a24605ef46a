//! A launch's arrays: what came in the frame, and what came as memory beside it.
//!
//! Seals protect the supervisor from this process, not the other way round, and a locked process could not look
//! at them: what the supervisor says of its memory is taken as it stands.

use bytes::Bytes;
use hotcell_model::frame::{InputPlace, OutputPlace};
use hotcell_model::job::{Job, JobData, Source};
use hotcell_runner::OutputBuffer;
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

/// The arrays of one launch.
pub(crate) struct Arrays {
    pub(crate) data: JobData,
    pub(crate) outputs: Vec<OutputBuffer>,
}

impl Arrays {
    /// Takes the descriptors in the order of the places: inputs, then outputs.
    pub(crate) fn new(
        job: &Job,
        inputs: Vec<InputPlace>,
        outputs: &[OutputPlace],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<Self> {
        let mut descriptors = descriptors.into_iter();
        let read = job.arrays.iter().filter(|array| array.is_read);
        let written = job.arrays.iter().filter(|array| array.is_written);
        let sources = read
            .zip(inputs)
            .map(|(array, place)| source(place, array.size_bytes, &mut descriptors))
            .collect::<io::Result<_>>()?;
        let outputs = written
            .zip(outputs)
            .map(|(array, place)| output(*place, array.size_bytes, &mut descriptors))
            .collect::<io::Result<_>>()?;
        let data = JobData {
            sources,
            ..JobData::default()
        };
        Ok(Self { data, outputs })
    }
}

fn source(
    place: InputPlace,
    len_bytes: u64,
    descriptors: &mut impl Iterator<Item = OwnedFd>,
) -> io::Result<Source> {
    Ok(match place {
        InputPlace::Inline(bytes) => Source::Memory(Bytes::from(bytes)),
        InputPlace::Memory => {
            // SAFETY: the supervisor made and sealed the memory, of the size that it says in the same frame.
            let memory =
                unsafe { SealedMemory::adopt_unchecked(next(descriptors)?, index(len_bytes)?) };
            let bytes = Bytes::from_owner(memory.map()?);
            let file = Arc::new(File::from(memory.into_fd()));
            Source::Sealed { file, bytes }
        }
        InputPlace::File { offset_bytes } => Source::File {
            file: Arc::new(File::from(next(descriptors)?)),
            offset_bytes,
            len_bytes,
        },
    })
}

fn output(
    place: OutputPlace,
    len_bytes: u64,
    descriptors: &mut impl Iterator<Item = OwnedFd>,
) -> io::Result<OutputBuffer> {
    match place {
        OutputPlace::Inline => OutputBuffer::zeroed(index(len_bytes)?).map_err(io::Error::other),
        OutputPlace::Memory => {
            // SAFETY: the supervisor made the memory, of the size that it says in the same frame, and fixed that.
            let memory =
                unsafe { OutputMemory::adopt_unchecked(next(descriptors)?, index(len_bytes)?) };
            let mut mapped = memory.map()?;
            let (start, len) = (mapped.as_mut().as_mut_ptr(), mapped.as_mut().len());
            // SAFETY: the mapping is initialised (by the operating system, with zeros), stays where it is while
            // its owner lives, and is reached through the buffer alone: the lock is never taken again.
            let buffer =
                unsafe { OutputBuffer::from_raw(start, len, Arc::new(Mutex::new(mapped))) };
            // SAFETY: they are the file's pages, whose size the supervisor has fixed.
            Ok(unsafe { buffer.in_file(Arc::new(memory.into_fd())) })
        }
    }
}

fn index(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(io::Error::other)
}

fn next(descriptors: &mut impl Iterator<Item = OwnedFd>) -> io::Result<OwnedFd> {
    descriptors
        .next()
        .ok_or_else(|| io::Error::other("a descriptor is missing"))
}

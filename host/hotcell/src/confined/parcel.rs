//! A launch made ready to be handed over: small arrays inside the frame, large ones in memory beside it.

use super::fault::Fault;
use crate::sealed;
use crate::zeroed::ZeroedMemory;
use hotcell_model::frame::{
    FrameError, INLINE_BYTES, InputPlace, LaunchRequest, MAX_DESCRIPTORS, OutputPlace, ToRunner,
    encode,
};
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobArray, JobData, Source};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The most arrays beside a frame: a GPU worker gets a channel, its ledger and the texts of shaders, too.
const MAX_ARRAYS: usize = MAX_DESCRIPTORS - 3;

/// A launch's request as it was written, and what travels beside it.
pub(crate) struct Parcel {
    inputs: Vec<Handed>,
    /// For each array that is read: its place in `inputs`, if it is sealed memory.
    sealed: Vec<Option<usize>>,
    pub(crate) outputs: Vec<OutputSlot>,
}

/// The arrays that other workers of the launch may map: those in memory.
pub(crate) struct MappedArrays<'a> {
    /// For each array that is read: its size in bytes if it is shared.
    pub(crate) inputs: Vec<Option<u64>>,
    /// For each array that is written: its size in bytes if it is shared.
    pub(crate) outputs: Vec<Option<u64>>,
    /// The memory, inputs before outputs.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
}

/// An input that travels as a descriptor.
enum Handed {
    Memory(SealedMemory),
    File(Arc<File>),
    Reopened(File),
}

impl AsFd for Handed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Memory(memory) => memory.as_fd(),
            Self::File(file) => file.as_fd(),
            Self::Reopened(file) => file.as_fd(),
        }
    }
}

/// Where an output will be.
pub(crate) enum OutputSlot {
    /// In the answer, so many bytes.
    Inline(usize),
    /// In that memory.
    Memory(OutputMemory),
}

impl Parcel {
    /// Writes the request of launch `id`, which has those sessions, into `frame`, and makes the memory that goes with it.
    pub(crate) fn pack(
        id: u64,
        job: &Job,
        data: &JobData,
        sessions: &[Capability],
        zeroed: &ZeroedMemory,
        frame: &mut Vec<u8>,
    ) -> Result<Self, Outcome> {
        let mut pack =
            |inline_bytes| Self::try_pack(id, job, data, sessions, inline_bytes, zeroed, frame);
        match pack(INLINE_BYTES)? {
            Some(parcel) => Ok(parcel),
            // Much else is in the frame: then no array is.
            None => pack(0)?.ok_or_else(|| {
                let message =
                    "names, dimensions and scalars of the request take more than a frame holds";
                Outcome::failed(OutcomeKind::Usage, Blame::Request, message)
            }),
        }
    }

    /// As [`Parcel::pack`], with so many bytes of arrays in the frame at most; `None` if it is too long.
    fn try_pack(
        id: u64,
        job: &Job,
        data: &JobData,
        sessions: &[Capability],
        inline_bytes: usize,
        zeroed: &ZeroedMemory,
        frame: &mut Vec<u8>,
    ) -> Result<Option<Self>, Outcome> {
        let mut parcel = Self {
            inputs: Vec::new(),
            sealed: Vec::new(),
            outputs: Vec::new(),
        };
        let inputs = parcel.place_inputs(job, data, inline_bytes)?;
        let outputs = parcel.place_outputs(job, inline_bytes, zeroed)?;
        // A channel goes beside them for each session, and to a session's worker what is its own.
        if parcel.descriptors().len() > MAX_ARRAYS {
            let message = format!(
                "more than {MAX_ARRAYS} large arrays in one launch: put several into one with another dimension, or \
                 make those smaller that are; arrays of a few KiB travel otherwise and do not count"
            );
            return Err(Outcome::failed(OutcomeKind::Usage, Blame::Request, message));
        }
        let request = ToRunner::Launch(Box::new(LaunchRequest {
            id,
            job: job.clone(),
            sessions: sessions.to_vec(),
            inputs,
            outputs,
        }));
        match encode(&request, frame) {
            Ok(()) => Ok(Some(parcel)),
            Err(FrameError::TooLong { .. }) => Ok(None),
            Err(error) => Err(here(io::Error::other(error))),
        }
    }

    /// What travels beside the frame, in the order of its places.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let outputs = self.outputs.iter().filter_map(|output| match output {
            OutputSlot::Memory(memory) => Some(memory.as_fd()),
            OutputSlot::Inline(_) => None,
        });
        self.inputs.iter().map(AsFd::as_fd).chain(outputs).collect()
    }

    /// What a GPU worker may map.
    pub(crate) fn shared(&self) -> MappedArrays<'_> {
        let memory = |position: &Option<usize>| match position.and_then(|at| self.inputs.get(at)) {
            Some(Handed::Memory(memory)) => Some(memory),
            _ => None,
        };
        let output = |output: &OutputSlot| match output {
            OutputSlot::Memory(memory) => Some(memory.len()),
            OutputSlot::Inline(_) => None,
        };
        let outputs = self.outputs.iter().filter_map(|output| match output {
            OutputSlot::Memory(memory) => Some(memory.as_fd()),
            OutputSlot::Inline(_) => None,
        });
        MappedArrays {
            inputs: self
                .sealed
                .iter()
                .map(|position| memory(position).map(SealedMemory::len))
                .collect(),
            outputs: self.outputs.iter().map(output).collect(),
            descriptors: self
                .sealed
                .iter()
                .filter_map(memory)
                .map(SealedMemory::as_fd)
                .chain(outputs)
                .collect(),
        }
    }

    /// The sizes of the outputs that come in the answer, in their order.
    pub(crate) fn inline(&self) -> Vec<usize> {
        let inline = |output: &OutputSlot| match output {
            OutputSlot::Inline(bytes) => Some(*bytes),
            OutputSlot::Memory(_) => None,
        };
        self.outputs.iter().filter_map(inline).collect()
    }

    fn place_inputs(
        &mut self,
        job: &Job,
        data: &JobData,
        inline_bytes: usize,
    ) -> Result<Vec<InputPlace>, Outcome> {
        let read: Vec<&JobArray> = job.arrays.iter().filter(|array| array.is_read).collect();
        let sizes: Vec<u64> = read.iter().map(|array| array.size_bytes).collect();
        if !data
            .sources
            .iter()
            .map(Source::len_bytes)
            .eq(sizes.iter().copied())
        {
            let message = "the inputs do not have the sizes that the launch was checked for";
            return Err(Outcome::failed(
                OutcomeKind::HostFault,
                Blame::Host,
                message,
            ));
        }
        let small = smallest(&sizes, inline_bytes);
        let places = read.iter().zip(&data.sources).zip(small);
        places
            .map(|((array, source), is_small)| {
                self.place_input(source, is_small)
                    .map_err(|error| unreadable(array, &error))
            })
            .collect()
    }

    fn place_input(&mut self, source: &Source, is_small: bool) -> io::Result<InputPlace> {
        if is_small {
            self.sealed.push(None);
            return inline(source).map(InputPlace::Inline);
        }
        let (place, handed) = match source {
            Source::Memory(bytes) => (
                InputPlace::Memory,
                Handed::Memory(SealedMemory::copy_of(bytes)?),
            ),
            Source::Sealed { file, bytes } => (
                InputPlace::Memory,
                Handed::Memory(sealed::memory(file, bytes.len() as u64)?),
            ),
            Source::File {
                file,
                offset_bytes,
                len_bytes,
            } => hand_file(file, *offset_bytes, *len_bytes)?,
        };
        let is_memory = matches!(handed, Handed::Memory(_));
        self.sealed.push(is_memory.then_some(self.inputs.len()));
        self.inputs.push(handed);
        Ok(place)
    }

    fn place_outputs(
        &mut self,
        job: &Job,
        inline_bytes: usize,
        zeroed: &ZeroedMemory,
    ) -> Result<Vec<OutputPlace>, Outcome> {
        let written: Vec<&JobArray> = job.arrays.iter().filter(|array| array.is_written).collect();
        let sizes: Vec<u64> = written.iter().map(|array| array.size_bytes).collect();
        let mut places = Vec::new();
        for (bytes, is_small) in sizes.iter().zip(smallest(&sizes, inline_bytes)) {
            let (place, output) = match usize::try_from(*bytes) {
                Ok(bytes) if is_small => (OutputPlace::Inline, OutputSlot::Inline(bytes)),
                _ => {
                    let memory = zeroed.take(*bytes).map_err(here)?;
                    (OutputPlace::Memory, OutputSlot::Memory(memory))
                }
            };
            places.push(place);
            self.outputs.push(output);
        }
        Ok(places)
    }
}

/// Which of those sizes are among the smallest that fit into `room` together.
fn smallest(sizes: &[u64], room: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|position| sizes[*position]);
    let mut left = room as u64;
    let mut is_small = vec![false; sizes.len()];
    for position in order {
        let Some(rest) = left.checked_sub(sizes[position]) else {
            break;
        };
        left = rest;
        is_small[position] = true;
    }
    is_small
}

/// A small input's bytes.
fn inline(source: &Source) -> io::Result<Vec<u8>> {
    match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => Ok(bytes.to_vec()),
        Source::File {
            file,
            offset_bytes,
            len_bytes,
        } => {
            let mut bytes = vec![0; usize::try_from(*len_bytes).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, *offset_bytes)?;
            Ok(bytes)
        }
    }
}

/// A large input that is a range of a file: the runner gets the file if it can do no more than read it.
fn hand_file(
    file: &Arc<File>,
    offset_bytes: u64,
    len_bytes: u64,
) -> io::Result<(InputPlace, Handed)> {
    if !file.metadata()?.is_file() {
        // A device could do more than be read.
        let copy = SealedMemory::fill(len_bytes, |bytes| file.read_exact_at(bytes, offset_bytes))?;
        return Ok((InputPlace::Memory, Handed::Memory(copy)));
    }
    let mode = rustix::fs::fcntl_getfl(file)? & OFlags::RWMODE;
    let handed = match mode == OFlags::RDONLY {
        true => Handed::File(Arc::clone(file)),
        false => Handed::Reopened(File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?),
    };
    Ok((InputPlace::File { offset_bytes }, handed))
}

fn here(error: io::Error) -> Outcome {
    Fault::Here(error).outcome()
}

fn unreadable(array: &JobArray, error: &io::Error) -> Outcome {
    let name = hotcell_model::text::escape(&array.name, 256);
    let message = format!("input `{name}` cannot be handed to the runner: {error}");
    Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::Io, Blame::Request, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hotcell_model::frame::{MAX_BYTES, decode};
    use hotcell_model::grant::Grants;
    use hotcell_model::limit::Limits;
    use std::io::Write;
    use std::time::Duration;

    fn job(sizes: &[(u64, bool)]) -> Job {
        let array = |(position, (size_bytes, is_written)): (usize, &(u64, bool))| JobArray {
            name: format!("a{position}"),
            is_read: !is_written,
            is_written: *is_written,
            size_bytes: *size_bytes,
            split_stride_bytes: None,
            halo: 0,
        };
        Job {
            entry: "k".into(),
            dims: Vec::new(),
            scalars: Vec::new(),
            arrays: sizes.iter().enumerate().map(array).collect(),
            split: None,
            limits: Limits::defaults(Default::default()),
            grants: Grants::none(),
            seed: None,
            threads: 1,
            stop_grace: Duration::ZERO,
            has_gpu_profile: false,
            sample_every: None,
        }
    }

    fn data_of(sources: Vec<Source>) -> JobData {
        JobData {
            sources,
            ..JobData::default()
        }
    }

    fn memory(len: usize) -> Source {
        Source::Memory(Bytes::from(vec![7; len]))
    }

    fn pack(job: &Job, sources: Vec<Source>) -> (Parcel, LaunchRequest) {
        let mut frame = Vec::new();
        let parcel = Parcel::pack(
            3,
            job,
            &data_of(sources),
            &[],
            &ZeroedMemory::default(),
            &mut frame,
        )
        .unwrap();
        assert!(frame.len() <= MAX_BYTES);
        match decode(&frame).unwrap() {
            ToRunner::Launch(request) => (parcel, *request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_arrays_travel_inside_and_large_ones_beside() {
        let large = INLINE_BYTES as u64 + 1;
        let job = job(&[
            (large, false),
            (4, false),
            (0, true),
            (large, true),
            (8, true),
        ]);
        let (parcel, request) = pack(&job, vec![memory(INLINE_BYTES + 1), memory(4)]);
        assert_eq!(request.id, 3);
        assert_eq!(request.inputs[0], InputPlace::Memory);
        assert_eq!(request.inputs[1], InputPlace::Inline(vec![7; 4]));
        assert_eq!(
            request.outputs,
            [
                OutputPlace::Inline,
                OutputPlace::Memory,
                OutputPlace::Inline
            ]
        );
        assert_eq!(parcel.inline(), [0, 8]);
        assert_eq!(parcel.descriptors().len(), 2);
    }

    #[test]
    fn the_smallest_go_inside_as_long_as_there_is_room() {
        assert_eq!(smallest(&[5, 1, 3, 0], 4), [false, true, true, true]);
        assert_eq!(smallest(&[1, 0], 0), [false, true]);
        assert_eq!(smallest(&[], 9), [false; 0]);
    }

    #[test]
    fn a_frame_that_would_be_too_long_leaves_its_arrays_beside() {
        let mut job = job(&[(INLINE_BYTES as u64, false)]);
        job.dims = vec![("d".repeat(MAX_BYTES - INLINE_BYTES), 1)];
        let (parcel, request) = pack(&job, vec![memory(INLINE_BYTES)]);
        assert_eq!(request.inputs, [InputPlace::Memory]);
        assert_eq!(parcel.descriptors().len(), 1);
        job.dims = vec![("d".repeat(MAX_BYTES), 1)];
        let data = data_of(vec![memory(INLINE_BYTES)]);
        let refused = Parcel::pack(
            1,
            &job,
            &data,
            &[],
            &ZeroedMemory::default(),
            &mut Vec::new(),
        )
        .err()
        .unwrap();
        assert_eq!(refused.kind, OutcomeKind::Usage);
    }

    #[test]
    fn a_file_that_could_be_written_is_reopened_for_reading() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; 2 * INLINE_BYTES]).unwrap();
        let writable = File::options().read(true).write(true).open(file.path());
        let writable = Arc::new(writable.unwrap());
        let read_only = Arc::new(File::open(file.path()).unwrap());
        for file in [&writable, &read_only] {
            let (place, handed) = hand_file(file, 5, 9).unwrap();
            assert_eq!(place, InputPlace::File { offset_bytes: 5 });
            let mode = rustix::fs::fcntl_getfl(&handed).unwrap() & OFlags::RWMODE;
            assert_eq!(mode, OFlags::RDONLY);
        }
    }

    #[test]
    fn sealed_inputs_are_handed_on_and_forged_ones_refused() {
        let size = INLINE_BYTES + 1;
        let source = sealed::source(SealedMemory::copy_of(&vec![1; size]).unwrap()).unwrap();
        let job = job(&[(size as u64, false)]);
        let (_, request) = pack(&job, vec![source]);
        assert_eq!(request.inputs, [InputPlace::Memory]);
        let forged = Source::Sealed {
            file: Arc::new(tempfile::tempfile().unwrap()),
            bytes: Bytes::from(vec![0; size]),
        };
        let sources = vec![forged];
        let refused = Parcel::pack(
            1,
            &job,
            &data_of(sources),
            &[],
            &ZeroedMemory::default(),
            &mut Vec::new(),
        );
        assert_eq!(refused.err().unwrap().kind, OutcomeKind::Io);
    }
}

//! Arrays and components in memory that travels beside a line.
//!
//! Whoever is handed memory by another process reads it only if nobody can change it any more, nor its size: what is checked
//! once stays so.

use crate::protocol::ArrayInMemory;
use bytes::Bytes;
use hotcell::{Array, ArrayType, NamedArray, Source};
use hotcell_sandbox::memory::SealedMemory;
use rustix::fs::{fstat, fstatfs};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What `memfd_create` makes memory in, unless it is of huge pages: those can fail to appear when they are read.
const TMPFS_MAGIC: i64 = 0x0102_1994;
/// Arrays up to this are copied out of the memory that they came in: a mapping costs more than to copy them.
const COPIED_BYTES: u64 = 64 << 10;
/// As long as no more than this is copied of what came with a line: a launch's memory is counted once it is permitted, and
/// this is before.
const COPIED_IN_ALL_BYTES: u64 = 1 << 20;
/// Arrays in one memory begin at multiples of this.
const ALIGNMENT: u64 = 64;

/// Why memory is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// No descriptor has that position.
    #[error(
        "there is no descriptor {0} beside the line, of those that came with it the first is 0"
    )]
    Missing(usize),
    /// It is something else, or not sealed.
    #[error(
        "descriptor {position} is no sealed memory: make it with memfd_create(MFD_ALLOW_SEALING), write it, and add the seals \
         F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE"
    )]
    Unsealed {
        /// Which.
        position: usize,
    },
    /// Some of it was never written.
    #[error("descriptor {position} has holes: write all of it, zeros too, before it is sealed")]
    Sparse {
        /// Which.
        position: usize,
    },
    /// It ends before what it is said to hold.
    #[error("descriptor {position} has {found} bytes, and {wanted} were said to be in it")]
    TooShort {
        /// Which.
        position: usize,
        /// What it has.
        found: u64,
        /// What was said.
        wanted: u64,
    },
    /// Type and shape make no array.
    #[error("{0}")]
    Shape(String),
    /// It cannot be read.
    #[error("descriptor {position} cannot be read")]
    Io {
        /// Which.
        position: usize,
        /// Why.
        source: io::Error,
    },
}

/// The memory that came with a line. Each is looked at once.
pub(crate) struct Memories {
    came: Vec<Memory>,
    /// By position, what has been mapped of them, and its descriptor.
    mapped: BTreeMap<usize, (Arc<File>, Bytes)>,
    /// How much was copied out of them.
    copied_bytes: u64,
}

/// What came at a position.
enum Memory {
    /// It was not looked at.
    Came(OwnedFd),
    /// It is memory that nobody can change, and all of it is there.
    Sealed(SealedMemory),
    /// Some of it was never written.
    Sparse,
    /// It is something else.
    Refused,
}

impl Memories {
    /// Those, with nothing in the place of what is no memory at all.
    pub(crate) fn new(came: Vec<Option<OwnedFd>>) -> Self {
        let came = came.into_iter();
        Self {
            came: came
                .map(|fd| fd.map_or(Memory::Refused, Memory::Came))
                .collect(),
            mapped: BTreeMap::new(),
            copied_bytes: 0,
        }
    }

    /// The memory at a position, checked.
    fn sealed(&mut self, position: usize) -> Result<&SealedMemory, MemoryError> {
        let memory = self.came.get_mut(position);
        let memory = memory.ok_or(MemoryError::Missing(position))?;
        if let Memory::Came(_) = memory
            && let Memory::Came(fd) = std::mem::replace(memory, Memory::Refused)
            && let Some(sealed) = sealed(fd)
        {
            *memory = match is_whole(sealed.as_fd(), sealed.len()) {
                true => Memory::Sealed(sealed),
                false => Memory::Sparse,
            };
        }
        match memory {
            Memory::Sealed(sealed) => Ok(sealed),
            Memory::Sparse => Err(MemoryError::Sparse { position }),
            Memory::Came(_) | Memory::Refused => Err(MemoryError::Unsealed { position }),
        }
    }

    /// All bytes of the memory at a position, mapped.
    fn map(&mut self, position: usize) -> Result<(Arc<File>, Bytes), MemoryError> {
        if let Some(mapped) = self.mapped.get(&position) {
            return Ok(mapped.clone());
        }
        let io = |source| MemoryError::Io { position, source };
        let memory = self.sealed(position)?;
        let bytes = Bytes::from_owner(memory.map().map_err(io)?);
        let own = memory.try_clone().map_err(io)?;
        let mapped = (Arc::new(File::from(own.into_fd())), bytes);
        self.mapped.insert(position, mapped.clone());
        Ok(mapped)
    }

    /// The first `len` bytes of the memory at a position.
    pub(crate) fn bytes(&mut self, position: usize, len: u64) -> Result<Bytes, MemoryError> {
        let (_, mapped) = self.map(position)?;
        let found = mapped.len() as u64;
        match usize::try_from(len) {
            Ok(len) if len <= mapped.len() => Ok(mapped.slice(..len)),
            _ => Err(MemoryError::TooShort {
                position,
                found,
                wanted: len,
            }),
        }
    }

    /// An array that a line describes.
    pub(crate) fn array(&mut self, array: &ArrayInMemory) -> Result<Array, MemoryError> {
        let ArrayInMemory {
            dtype,
            shape,
            memory: position,
            offset,
            picture,
        } = array;
        let (position, offset) = (*position, *offset);
        let words = |error: &dyn std::error::Error| MemoryError::Shape(error.to_string());
        let ty = ArrayType::new(*dtype, shape.clone()).map_err(|error| words(&error))?;
        let len = ty.size_bytes();
        let found = self.sealed(position)?.len();
        let wanted = offset.saturating_add(len);
        if wanted > found {
            return Err(MemoryError::TooShort {
                position,
                found,
                wanted,
            });
        }
        let io = |source| MemoryError::Io { position, source };
        let is_copied = len <= COPIED_BYTES && self.copied_bytes + len <= COPIED_IN_ALL_BYTES;
        let source = if is_copied {
            let bytes = copy(self.sealed(position)?.as_fd(), offset, len).map_err(io)?;
            self.copied_bytes += len;
            Source::Memory(bytes)
        } else {
            let (file, bytes) = self.map(position)?;
            // What fits memory fits an address space.
            let begin = usize::try_from(offset).map_err(|_| MemoryError::Missing(position))?;
            let end = usize::try_from(wanted).map_err(|_| MemoryError::Missing(position))?;
            match found == len {
                true => Source::Sealed { file, bytes },
                false => Source::Memory(bytes.slice(begin..end)),
            }
        };
        let array = Array::from_source(ty, source).map_err(|error| words(&error))?;
        Ok(match picture {
            true => array.picture(),
            false => array,
        })
    }
}

/// Memory that nobody can change, of pages that are there.
fn sealed(fd: OwnedFd) -> Option<SealedMemory> {
    let place = fstatfs(&fd).ok()?;
    #[expect(clippy::useless_conversion, reason = "its type is the architecture's")]
    if i64::from(place.f_type) != TMPFS_MAGIC {
        return None;
    }
    let size = u64::try_from(fstat(&fd).ok()?.st_size).ok()?;
    SealedMemory::adopt(fd, size).ok()
}

/// Whether every page of memory is there. One that is not would be made when it is read: at the expense of whoever reads it,
/// and where there is none left, with a signal that ends it.
fn is_whole(memory: BorrowedFd<'_>, len: u64) -> bool {
    fstat(memory).is_ok_and(|found| {
        let blocks = u64::try_from(found.st_blocks).unwrap_or(0);
        blocks.saturating_mul(512) >= len
    })
}

fn copy(memory: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<Bytes> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        let read = rustix::io::retry_on_intr(|| {
            rustix::io::pread(memory, &mut bytes[done..], offset + done as u64)
        })?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        done += read;
    }
    Ok(bytes.into())
}

/// Arrays, made ready to travel beside a line.
#[derive(Default)]
pub(crate) struct Parcel {
    /// What the line says of them.
    pub(crate) arrays: BTreeMap<String, ArrayInMemory>,
    memories: Vec<Packed>,
}

enum Packed {
    Own(OwnedFd),
    Shared(Arc<File>),
}

impl Parcel {
    /// Those that are in sealed memory travel as they are; the others are copied into one memory.
    pub(crate) fn pack<'a>(
        arrays: impl IntoIterator<Item = (&'a str, &'a Array)>,
    ) -> io::Result<Self> {
        let mut parcel = Self::default();
        let (mut copied, mut size) = (Vec::new(), 0_u64);
        for (name, array) in arrays {
            let (memory, offset) = match array.source() {
                Source::Sealed { file, .. } if is_whole(file.as_fd(), array.ty().size_bytes()) => {
                    parcel.memories.push(Packed::Shared(Arc::clone(file)));
                    (parcel.memories.len() - 1, 0)
                }
                source => {
                    let offset = size.next_multiple_of(ALIGNMENT);
                    size = offset.saturating_add(source.len_bytes());
                    copied.push((name.to_owned(), offset, source.clone()));
                    // Its position is known when all others have theirs.
                    (usize::MAX, offset)
                }
            };
            let ty = array.ty();
            let described = ArrayInMemory {
                dtype: ty.dtype(),
                shape: ty.shape().to_vec(),
                memory,
                offset,
                picture: array.is_picture(),
            };
            parcel.arrays.insert(name.to_owned(), described);
        }
        if copied.is_empty() {
            return Ok(parcel);
        }
        let fill = |memory: &mut [u8]| {
            let mut copies = copied.iter();
            copies.try_for_each(|(_, offset, source)| {
                let begin = usize::try_from(*offset).map_err(|_| io::ErrorKind::OutOfMemory)?;
                let len =
                    usize::try_from(source.len_bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                read_into(source, &mut memory[begin..begin + len])
            })
        };
        let memory = match &copied[..] {
            [(_, _, Source::Memory(bytes))] => SealedMemory::copy_of(bytes)?,
            _ => SealedMemory::fill(size, fill)?,
        };
        let position = parcel.memories.len();
        parcel.memories.push(Packed::Own(memory.into_fd()));
        for (name, ..) in &copied {
            if let Some(array) = parcel.arrays.get_mut(name) {
                array.memory = position;
            }
        }
        Ok(parcel)
    }

    /// Its descriptors, in the order of their positions.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let memories = self.memories.iter();
        let descriptors = memories.map(|memory| match memory {
            Packed::Own(fd) => fd.as_fd(),
            Packed::Shared(file) => file.as_fd(),
        });
        descriptors.collect()
    }
}

fn read_into(source: &Source, into: &mut [u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => {
            into.copy_from_slice(bytes);
            Ok(())
        }
        Source::File {
            file, offset_bytes, ..
        } => file.read_exact_at(into, *offset_bytes),
    }
}

/// The arrays that came out of a launch, by name.
pub(crate) fn named(results: &[NamedArray]) -> impl Iterator<Item = (&str, &Array)> {
    let results = results.iter();
    results.map(|result| (result.name.as_str(), &result.array))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::manifest::DType;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

    fn arrays() -> Vec<(&'static str, Array)> {
        let shared = |elements: u64| {
            let ty = ArrayType::new(DType::U8, [elements]).unwrap();
            Array::shared(ty, |bytes| {
                bytes.fill(7);
                Ok(())
            })
            .unwrap()
        };
        vec![
            ("small", Array::from_slice(&[1.5f32, 2.5], [2]).unwrap()),
            ("empty", Array::from_slice(&[0u8; 0], [0]).unwrap()),
            ("shared", shared(100_000)),
            ("also small", Array::from_slice(&[3u8], [1]).unwrap()),
        ]
    }

    fn received(parcel: &Parcel) -> Memories {
        let descriptors = parcel.descriptors();
        let received = descriptors
            .iter()
            .map(|fd| Some(fd.try_clone_to_owned().unwrap()));
        Memories::new(received.collect())
    }

    #[test]
    fn arrays_arrive_as_they_were_packed() {
        let arrays = arrays();
        let parcel = Parcel::pack(arrays.iter().map(|(name, array)| (*name, array))).unwrap();
        assert_eq!(parcel.descriptors().len(), 2);
        let mut memories = received(&parcel);
        for (name, array) in &arrays {
            let arrived = memories.array(&parcel.arrays[*name]).unwrap();
            assert_eq!(arrived.ty(), array.ty());
            assert_eq!(arrived.bytes(), array.bytes(), "{name}");
        }
        // A large one at an offset of somebody else's memory.
        let inside = ArrayInMemory {
            shape: vec![99_000],
            offset: 1000,
            ..parcel.arrays["shared"].clone()
        };
        assert_eq!(
            memories.array(&inside).unwrap().bytes().unwrap().len(),
            99_000
        );
    }

    #[test]
    fn what_is_shorter_than_was_said_is_refused() {
        let arrays = arrays();
        let parcel = Parcel::pack(arrays.iter().map(|(name, array)| (*name, array))).unwrap();
        let mut memories = received(&parcel);
        let shared = &parcel.arrays["shared"];
        for (shape, offset) in [
            (vec![100_001], 0),
            (vec![100_000], 1),
            (vec![u64::MAX], 0),
            (vec![1], u64::MAX),
            (vec![1 << 40, 1 << 40], 0),
        ] {
            let lie = ArrayInMemory {
                shape,
                offset,
                ..shared.clone()
            };
            assert!(memories.array(&lie).is_err(), "{lie:?}");
        }
        assert!(memories.bytes(0, 1 << 40).is_err());
        assert!(matches!(memories.bytes(9, 1), Err(MemoryError::Missing(9))));
    }

    #[test]
    fn only_memory_that_nobody_can_change_is_read() {
        let memfd = |flags: MemfdFlags| memfd_create(c"test", flags | MemfdFlags::CLOEXEC);
        let sealed = |seals: SealFlags| {
            let memory = memfd(MemfdFlags::ALLOW_SEALING).unwrap();
            ftruncate(&memory, 16).unwrap();
            fcntl_add_seals(&memory, seals).unwrap();
            memory
        };
        let fixed = SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        let (pipe, _) = rustix::pipe::pipe().unwrap();
        let mut refused = vec![
            memfd(MemfdFlags::empty()).unwrap(),
            sealed(fixed),
            sealed(SealFlags::WRITE | SealFlags::GROW | SealFlags::SEAL),
            sealed(SealFlags::FUTURE_WRITE | fixed),
            tempfile::tempfile().unwrap().into(),
            File::open("/dev/zero").unwrap().into(),
            File::open("/").unwrap().into(),
            pipe,
        ];
        if let Ok(huge) = memfd(MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB) {
            ftruncate(&huge, 1 << 30).unwrap();
            fcntl_add_seals(&huge, fixed | SealFlags::WRITE).unwrap();
            refused.push(huge);
        }
        let count = refused.len() + 1;
        let mut memories = Memories::new(refused.into_iter().map(Some).chain([None]).collect());
        for position in 0..count {
            let error = memories.bytes(position, 1).unwrap_err();
            assert!(
                matches!(error, MemoryError::Unsealed { .. }),
                "{position}: {error}"
            );
        }
        // Nobody wrote it.
        let mut sparse = Memories::new(vec![Some(sealed(fixed | SealFlags::WRITE))]);
        assert!(matches!(
            sparse.bytes(0, 16),
            Err(MemoryError::Sparse { .. })
        ));
        let written = SealedMemory::copy_of(&[0; 16]).unwrap();
        let mut good = Memories::new(vec![Some(written.into_fd())]);
        assert_eq!(&good.bytes(0, 16).unwrap()[..], [0; 16]);
    }
}

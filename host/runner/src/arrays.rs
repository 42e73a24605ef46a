//! The bytes of arrays on the host's side: where inputs come from and where outputs go.
//!
//! One copy crosses the boundary each way. An input's range is an owned, shared slice that wasmtime
//! copies into the guest; an output's range is copied from the guest's memory straight into its place.

use crate::mapping::PageFile;
use crate::meter::{Denied, Meter};
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::job::Source;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A part of a source, without a copy. `start + len` must be within its size.
pub(crate) fn part(source: &Source, start: u64, len: u64) -> Source {
    match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => {
            let (start, end) = (as_index(start), as_index(start + len));
            Source::Memory(bytes.slice(start..end))
        }
        Source::File {
            file, offset_bytes, ..
        } => Source::File {
            file: Arc::clone(file),
            offset_bytes: offset_bytes + start,
            len_bytes: len,
        },
    }
}

/// The bytes of a checked range of a source, for a chunk that holds `held_bytes` of memory. A buffer for a
/// file's bytes is charged to the launch's memory until they have been copied into the guest.
pub(crate) fn read(
    source: &Source,
    offset: u64,
    len: u32,
    held_bytes: u64,
    meter: &Arc<Meter>,
) -> Result<Bytes, Stop> {
    match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => {
            let start = as_index(offset);
            Ok(bytes.slice(start..start + len as usize))
        }
        Source::File {
            file, offset_bytes, ..
        } => {
            let mut buffer = Charged::zeroed(len, held_bytes, meter)?;
            file.read_exact_at(buffer.as_mut(), offset_bytes + offset)
                .map_err(|error| Stop::Io(format!("an input could not be read: {error}")))?;
            Ok(buffer.into_bytes())
        }
    }
}

/// A buffer that is charged to a launch's memory while it lives.
pub(crate) struct Charged {
    bytes: Vec<u8>,
    meter: Arc<Meter>,
}

impl Charged {
    /// A buffer of zeros, charged before it is allocated, for a chunk that holds `held_bytes` of memory.
    pub(crate) fn zeroed(len: u32, held_bytes: u64, meter: &Arc<Meter>) -> Result<Self, Stop> {
        meter
            .memory
            .try_take(held_bytes, len.into())
            .map_err(|denied| match denied {
                Denied::Over(breach) => Stop::Limit(breach),
                Denied::Contended => Stop::Contended,
            })?;
        Ok(Self {
            bytes: vec![0; len as usize],
            meter: Arc::clone(meter),
        })
    }

    /// The bytes, shared; they stay charged until the last share is dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Charged {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.meter.memory.give_back(self.bytes.len() as u64);
    }
}

/// An input as a guest's resource: what a chunk sees of an array.
pub struct Input {
    pub(crate) source: Source,
    /// The file of the whole array's pages, where it has one.
    pub(crate) pages: Option<PageFile>,
    /// The array's position in the job's list of those that are read.
    pub(crate) position: usize,
    /// Where the chunk's part begins in the whole array.
    pub(crate) start_bytes: u64,
}

/// An output as a guest's resource.
#[derive(Clone, Copy)]
pub struct Output {
    /// The position of its bytes in the instance's list, and of the array in the job's list of those that are
    /// written.
    pub(crate) position: usize,
    /// Where the chunk's part begins in the whole array.
    pub(crate) start_bytes: u64,
}

/// Checks that `offset..offset + len` lies within an array of `size` bytes.
pub(crate) fn check_range(verb: &str, offset: u64, len: u64, size: u64) -> Result<(), Stop> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Stop::Misuse(format!(
            "the kernel tried to {verb} {len} bytes at offset {offset} of an array of {size} bytes"
        ))),
    }
}

/// A size or offset within memory as an index. Sizes are checked against what memory can hold when a
/// launch is made, so saturation is never seen.
pub(crate) fn as_index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn memory_and_files_serve_the_same_ranges() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"head0123456789").unwrap();
        let file = Source::File {
            file: Arc::new(file),
            offset_bytes: 4,
            len_bytes: 10,
        };
        let memory = Source::Memory(Bytes::from_static(b"0123456789"));
        let limits = hotcell_model::limit::Limits::defaults(Default::default());
        let grace = std::time::Duration::ZERO;
        let meter = Arc::new(Meter::new(limits, grace, Arc::default(), Arc::new(()), 1));
        for source in [file, memory] {
            assert_eq!(source.len_bytes(), 10);
            let part = part(&source, 2, 5);
            assert_eq!(part.len_bytes(), 5);
            assert_eq!(&read(&part, 1, 3, 0, &meter).unwrap()[..], b"345");
        }
        // The file's three bytes were charged while they were held, and given back.
        assert_eq!(meter.memory.peak(), 3);
        assert!(
            meter
                .memory
                .try_take(0, meter.limits.get(hotcell_model::limit::Limit::Memory))
                .is_ok()
        );
    }

    #[test]
    fn ranges_that_leave_the_array_are_the_guests_misuse() {
        assert!(check_range("read", 0, 10, 10).is_ok());
        assert!(check_range("read", 10, 0, 10).is_ok());
        for (offset, len) in [(0, 11), (11, 0), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
            assert!(matches!(
                check_range("read", offset, len, 10),
                Err(Stop::Misuse(_))
            ));
        }
    }
}

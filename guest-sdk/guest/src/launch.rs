//! A launch inside a component: from the host's arguments to a kernel's slots and back.
//!
//! The order is part of the contract. Memory for outputs comes first, zeroed; then every input is read and
//! given back; then the kernel runs; then, only if it succeeded, every output is written with one call. So
//! what the host sees between the last input that it gets back and the first write is the kernel's own work.
//!
//! Large outputs are filled in memory that the host gives, small ones in the launch's own. An array that is both is
//! copied from one to the other, in reads too short for the host to map; any other input is read with one call.
//! Nothing here knows Wasm: the host stands behind the traits of `host`.

#![cfg_attr(
    not(any(target_arch = "wasm32", test)),
    expect(dead_code, reason = "natively only the tests launch through a host")
)]

use crate::chunk::Chunk;
use crate::chunks::{Exchange, Reader, Writer};
use crate::entry::{Access, ArrayParam, Entry, Param, Scalar, ScalarKind, check_names, find};
use crate::error::LaunchError;
use crate::heap::{PAGE, PAGED_FROM};
use crate::host::{ReadArray, WriteArray};
use crate::raw::{self, Held};

/// What the host passes to a launch; lists by name, in any order.
pub(crate) struct Arguments<'a> {
    /// The entry to run.
    pub(crate) entry: &'a str,
    /// The extent of every dimension.
    pub(crate) dims: Vec<(&'a str, u64)>,
    /// The value of every scalar.
    pub(crate) scalars: Vec<(&'a str, Scalar)>,
    /// Every array that is read.
    pub(crate) sources: Vec<(&'a str, &'a dyn ReadArray)>,
    /// Every array that is written.
    pub(crate) destinations: Vec<(&'a str, &'a dyn WriteArray)>,
    /// Start, length and total of the part to compute.
    pub(crate) chunk: [u64; 3],
}

/// Runs one launch.
///
/// # Errors
/// An entry or argument that does not fit, or the kernel's own failure. Outputs that are not
/// streamed have not been touched then.
pub(crate) fn run(entries: &[&Entry], arguments: &Arguments<'_>) -> Result<(), LaunchError> {
    let entry = find(entries, arguments.entry)?;
    arguments.check_known(entry)?;
    let dims = entry.extents(&arguments.dims, Chunk::from_u64(arguments.chunk)?)?;
    let mut held = arguments.check_and_hold(entry, &dims)?;
    arguments.allocate_outputs(entry, &dims, &mut held)?;
    arguments.read_inputs(entry, &dims, &mut held)?;
    raw::call(entry, &dims, &mut held)?;
    arguments.write_outputs(entry, &held)
}

impl<'a> Arguments<'a> {
    /// Refuses names that the entry does not have; missing ones are found where they are needed.
    fn check_known(&self, entry: &Entry) -> Result<(), LaunchError> {
        let scalars = entry.scalars().map(|(name, _)| name).collect::<Vec<_>>();
        let side = |unwanted| {
            let arrays = entry.arrays().filter(move |array| array.access != unwanted);
            arrays.map(|array| array.name).collect::<Vec<_>>()
        };
        let (read, written) = (side(Access::Out), side(Access::In));
        check_names(scalars.into_iter(), self.scalars.iter().map(|(n, _)| *n))?;
        check_names(read.into_iter(), self.sources.iter().map(|(n, _)| *n))?;
        check_names(
            written.into_iter(),
            self.destinations.iter().map(|(n, _)| *n),
        )
    }

    /// Scalars, the chunk and streams. Arrays are looked at, but not taken yet.
    fn check_and_hold(&self, entry: &Entry, dims: &[usize]) -> Result<Vec<Held<'a>>, LaunchError> {
        let hold = |param: &Param| match param {
            Param::Scalar { name, kind } => self.scalar(name, *kind).map(Held::Scalar),
            Param::Chunk => Chunk::from_u64(self.chunk).map(Held::Chunk),
            Param::Array(array) => self.array(array, dims),
        };
        entry.params.iter().map(hold).collect()
    }

    fn scalar(&self, name: &str, kind: ScalarKind) -> Result<u64, LaunchError> {
        let value = by_name(&self.scalars, name, "the scalar is missing")?;
        if value.kind() != kind {
            let reason = format!("a value of type {}, but it is {kind}", value.kind());
            return Err(LaunchError::bad_argument(name, reason));
        }
        Ok(value.to_bits())
    }

    /// Checks the host's side of an array; a stream needs no more than that.
    fn array(&self, array: &ArrayParam, dims: &[usize]) -> Result<Held<'a>, LaunchError> {
        let (name, len) = (array.name, array.len_elements(dims)?);
        let (mut source, mut destination) = (None, None);
        if array.access != Access::Out {
            let host = self.source(array)?;
            array.check_size(len, host.size_bytes())?;
            source = Some(host);
        }
        if array.access != Access::In {
            let host = self.destination(array)?;
            array.check_size(len, host.size_bytes())?;
            destination = Some(host);
        }
        Ok(match (array.streamed, source, destination) {
            (true, Some(given), Some(result)) => {
                Held::Exchange(Exchange::from_host(name, len, given, result))
            }
            (true, Some(host), None) => Held::Reader(Reader::from_host(name, len, host)),
            (true, None, Some(host)) => Held::Writer(Writer::from_host(name, len, host)),
            _ => Held::Missing,
        })
    }

    fn source(&self, array: &ArrayParam) -> Result<&'a dyn ReadArray, LaunchError> {
        by_name(&self.sources, array.name, "the input is missing")
    }

    fn destination(&self, array: &ArrayParam) -> Result<&'a dyn WriteArray, LaunchError> {
        by_name(&self.destinations, array.name, "the output is missing")
    }

    /// Memory for every output that is not streamed; for a small one that is read too, its bytes are.
    fn allocate_outputs(
        &self,
        entry: &Entry,
        dims: &[usize],
        held: &mut [Held<'a>],
    ) -> Result<(), LaunchError> {
        for (array, held) in whole_arrays(entry, held) {
            let len_bytes = array.len_bytes(dims)?;
            if array.access == Access::In {
                continue;
            }
            if len_bytes >= PAGED_FROM {
                let output = self.destination(array)?;
                *held = Held::Owned(output.buffer(whole_len(array, len_bytes)?));
            } else if array.access == Access::Out {
                *held = Held::Owned(zeroed(array.name, len_bytes));
            }
        }
        Ok(())
    }

    /// Reads every input that is not streamed.
    fn read_inputs(
        &self,
        entry: &Entry,
        dims: &[usize],
        held: &mut [Held<'a>],
    ) -> Result<(), LaunchError> {
        for (array, held) in whole_arrays(entry, held) {
            if array.access != Access::Out {
                let len_bytes = whole_len(array, array.len_bytes(dims)?)?;
                let source = self.source(array)?;
                match held {
                    Held::Owned(bytes) => copy(source, bytes),
                    _ => *held = Held::Owned(source.read(0, len_bytes)),
                }
                source.release();
            }
        }
        Ok(())
    }

    fn write_outputs(&self, entry: &Entry, held: &[Held<'a>]) -> Result<(), LaunchError> {
        for (param, held) in entry.params.iter().zip(held) {
            if let (Param::Array(array), Held::Owned(bytes)) = (param, held)
                && array.access != Access::In
            {
                self.destination(array)?.write(0, bytes);
            }
        }
        Ok(())
    }
}

/// The length of an array that is held whole, as the host counts it.
fn whole_len(array: &ArrayParam, len_bytes: usize) -> Result<u32, LaunchError> {
    u32::try_from(len_bytes)
        .map_err(|_| LaunchError::bad_argument(array.name, "4 GiB or more; a kernel can stream it"))
}

/// Copies an array in reads that are too short to be mapped: memory for all of it is there already.
fn copy(source: &dyn ReadArray, target: &mut [u8]) {
    let mut offset_bytes = 0;
    for part in target.chunks_mut(PAGED_FROM - PAGE) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is less than `PAGED_FROM`"
        )]
        part.copy_from_slice(&source.read(offset_bytes, part.len() as u32));
        offset_bytes += part.len() as u64;
    }
}

/// # Panics
/// If there is no memory: a trap, so that the host sees its limit refused, with a message first.
fn zeroed(name: &str, len_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(len_bytes).is_err() {
        panic!("no memory for the {len_bytes} bytes of `{name}`");
    }
    bytes.resize(len_bytes, 0);
    bytes
}

/// The array parameters that are held whole, each with its place.
fn whole_arrays<'h, 'a>(
    entry: &Entry,
    held: &'h mut [Held<'a>],
) -> impl Iterator<Item = (&'static ArrayParam, &'h mut Held<'a>)> {
    entry
        .params
        .iter()
        .zip(held)
        .filter_map(|(param, held)| match param {
            Param::Array(array) if !array.streamed => Some((array, held)),
            _ => None,
        })
}

fn by_name<T: Copy>(list: &[(&str, T)], name: &str, missing: &str) -> Result<T, LaunchError> {
    list.iter()
        .find(|(given, _)| *given == name)
        .map(|(_, value)| *value)
        .ok_or_else(|| LaunchError::bad_argument(name, missing))
}

#[cfg(test)]
mod tests;

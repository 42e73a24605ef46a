//! A launch inside a component: from the host's request to a kernel's slots and back.
//!
//! The order is part of the contract. Memory for outputs comes first, zeroed; then every input is read and
//! given back; then the kernel runs; then, only if it succeeded, every output is written with one call. So
//! what the host sees between the last input that it gets back and the first write is the kernel's own work.
//!
//! Large outputs are filled in memory that the host gives, small ones in the launch's own. An array that is both is
//! copied from one to the other, in reads too short for the host to map; any other input is read with one call.
//!
//! Small is as important as fast: this is in every component, and is compiled with it. So the entry's table is walked
//! by one set of functions, nothing here can panic, and a refusal is put into words where it leaves.

use crate::abi::entries::{Names, Request};
use crate::chunk::Chunk;
use crate::chunks::{Exchange, Reader, Writer};
use crate::entry::{Access, ArrayParam, Entry, Param, ScalarKind, Slot, find};
use crate::error::{Reason, Refusal};
use crate::host::{Input, Output};
use crate::kept::list;
use crate::raw::{self, Held};
use crate::whole::Whole;

/// Runs one launch.
///
/// # Errors
/// An entry or argument that does not fit, or the kernel's own failure. Outputs that are not
/// streamed have not been touched then.
pub(crate) fn run<'a>(
    entries: &[&Entry],
    request: &'a Request<'a>,
) -> Result<(), Box<Refusal<'a>>> {
    let entry = find(entries, request.entry)?;
    request.check_known(entry)?;
    let chunk = Chunk::from_u64(request.chunk)?;
    let extents = list(entry.extents_len(), || 0);
    entry.fill_extents(chunk, extents, |_, name| request.extent(name))?;
    let held = list(entry.params.len(), || Held::Missing);
    for (param, held) in entry.params.iter().zip(&mut *held) {
        *held = request.hold(param, chunk, extents)?;
    }
    wholes(held).for_each(Whole::allocate);
    wholes(held).for_each(Whole::read);
    let slots = list(entry.params.len(), || Slot::EMPTY);
    raw::call(entry, extents, held, slots)?;
    wholes(held).for_each(|whole| whole.write());
    Ok(())
}

/// The arrays that are held whole.
fn wholes<'h, 'a>(held: &'h mut [Held<'a>]) -> impl Iterator<Item = &'h mut Whole<'a>> {
    held.iter_mut().filter_map(|held| match held {
        Held::Whole(whole) => Some(whole),
        _ => None,
    })
}

impl<'a> Request<'a> {
    /// Refuses names that the entry does not have, or that come twice; missing ones are found where they are needed.
    fn check_known(&self, entry: &Entry) -> Result<(), Box<Refusal<'a>>> {
        check_names(Names::of(self.dims), entry, Kind::Dimension)?;
        check_names(Names::of(self.scalars), entry, Kind::Scalar)?;
        check_names(Names::of(self.sources), entry, Kind::Source)?;
        check_names(Names::of(self.destinations), entry, Kind::Destination)
    }

    fn extent(&self, name: &'static str) -> Result<u64, Box<Refusal<'a>>> {
        let found = Names::of(self.dims).position(name);
        let found = found.and_then(|at| self.dims.get(at));
        let missing = || Refusal::fixed(name, "the dimension is missing");
        found.map(|dimension| dimension.extent).ok_or_else(missing)
    }

    /// A scalar, the chunk or a stream. Any other array is looked at, but not taken yet.
    fn hold(
        &self,
        param: &Param,
        chunk: Chunk,
        extents: &[usize],
    ) -> Result<Held<'a>, Box<Refusal<'a>>> {
        match param {
            Param::Scalar { name, kind } => self.scalar(name, *kind).map(Held::Scalar),
            Param::Chunk => Ok(Held::Chunk(chunk)),
            Param::Array(array) => self.array(array, extents),
        }
    }

    fn scalar(&self, name: &'static str, wanted: ScalarKind) -> Result<u64, Box<Refusal<'a>>> {
        let found = Names::of(self.scalars).position(name);
        let scalar = found.and_then(|at| self.scalars.get(at));
        let scalar = scalar.ok_or_else(|| Refusal::fixed(name, "the scalar is missing"))?;
        let given = scalar.kind();
        if given != wanted {
            let (given, wanted) = (given.name(), wanted.name());
            return Err(Refusal::bad_argument(
                name,
                Reason::Scalar { given, wanted },
            ));
        }
        Ok(scalar.bits)
    }

    /// Checks the host's side of an array; a stream needs no more than that.
    fn array(&self, array: &ArrayParam, extents: &[usize]) -> Result<Held<'a>, Box<Refusal<'a>>> {
        let (name, len) = (array.name, array.len_elements(extents)?);
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
            (false, ..) => Held::Whole(Whole {
                name,
                source,
                destination,
                len_bytes: u32::try_from(len.wrapping_mul(array.element_bytes))
                    .map_err(|_| Refusal::fixed(name, "4 GiB or more; a kernel can stream it"))?,
                bytes: &mut [],
            }),
            (true, Some(given), Some(result)) => {
                Held::Exchange(Exchange::from_host(name, len, given, result))
            }
            (true, Some(host), None) => Held::Reader(Reader::from_host(name, len, host)),
            (true, None, Some(host)) => Held::Writer(Writer::from_host(name, len, host)),
            (true, None, None) => Held::Missing,
        })
    }

    fn source(&self, array: &ArrayParam) -> Result<Input, Box<Refusal<'a>>> {
        let found = Names::of(self.sources).position(array.name);
        let source = found.and_then(|at| self.sources.get(at));
        let missing = || Refusal::fixed(array.name, "the input is missing");
        source.map(|source| source.data).ok_or_else(missing)
    }

    fn destination(&self, array: &ArrayParam) -> Result<Output, Box<Refusal<'a>>> {
        let found = Names::of(self.destinations).position(array.name);
        let destination = found.and_then(|at| self.destinations.get(at));
        let missing = || Refusal::fixed(array.name, "the output is missing");
        destination
            .map(|destination| destination.data)
            .ok_or_else(missing)
    }
}

/// What a name of the request is.
#[derive(Clone, Copy)]
enum Kind {
    Dimension,
    Scalar,
    Source,
    Destination,
}

impl Kind {
    fn is_known(self, entry: &Entry, name: &str) -> bool {
        if matches!(self, Self::Dimension) {
            return entry.dims.contains(&name);
        }
        entry.params.iter().any(|param| match param {
            Param::Chunk => false,
            Param::Scalar { name: known, .. } => matches!(self, Self::Scalar) && *known == name,
            Param::Array(array) => {
                let fits = match self {
                    Self::Source => array.access != Access::Out,
                    Self::Destination => array.access != Access::In,
                    Self::Dimension | Self::Scalar => false,
                };
                fits && array.name == name
            }
        })
    }
}

/// Refuses the first name that is not known or was given before.
fn check_names<'a>(given: Names<'a>, entry: &Entry, kind: Kind) -> Result<(), Box<Refusal<'a>>> {
    for (at, name) in given.iter() {
        if !kind.is_known(entry, name) {
            return Err(Refusal::fixed(name, "the entry has no such argument"));
        }
        if given.position(name) != Some(at) {
            return Err(Refusal::fixed(name, "the argument is given twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;

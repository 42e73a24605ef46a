//! The native shim: kernels run on the caller's own memory, without Wasm and without copies.
//!
//! [`Launch`] runs an entry in safe Rust, for tests. With the feature `symbols` a native build of a kernel
//! crate has two C symbols, so that a shared library of it can be loaded and called: [`LAUNCH_SYMBOL`] and
//! [`MANIFEST_SYMBOL`].
//!
//! ```text
//! int32_t hotcell_native_launch(const struct Request *request);   /* Request, Bytes: repr(C) below */
//! struct Bytes hotcell_native_manifest(void);                     /* the records, never freed */
//! ```

use crate::chunk::Chunk;
use crate::chunks::{Exchange, Reader, Writer};
use crate::element::Element;
use crate::entry::{Access, ArrayParam, Param, Slot, find};
use crate::error::{Reason, Refusal};
use crate::raw::{self, Held, Lent};

mod symbols;

pub use crate::entry::{Entry, Scalar, ScalarKind, ScalarType};
pub use crate::error::LaunchError;
pub use symbols::{
    BAD_ARGUMENT, Bytes, FAILED, LAUNCH_SYMBOL, LaunchFn, MANIFEST_SYMBOL, ManifestFn, NativeArray,
    OK, PANICKED, Request, UNKNOWN_ENTRY, launch_native,
};

/// A launch on Rust slices; dimensions, scalars and arrays each in the manifest's order.
///
/// ```
/// # mod doubled {
/// use hotcell_guest::prelude::*;
///
/// #[kernel(sig = "(n)->(n)")]
/// pub fn double(x: &[f32], out: &mut [f32]) {
///     for (out, x) in out.iter_mut().zip(x) {
///         *out = 2.0 * x;
///     }
/// }
///
/// hotcell_guest::export!(double);
/// # }
/// # use doubled::HOTCELL_ENTRIES;
/// # use hotcell_guest::native::{Launch};
/// let (x, mut out) = (vec![1.0_f32, 2.0], vec![0.0_f32; 2]);
/// Launch::new(HOTCELL_ENTRIES, "double").dim(2).input(&x).output(&mut out).run()?;
/// assert_eq!(out, [2.0, 4.0]);
/// # Ok::<(), hotcell_guest::native::LaunchError>(())
/// ```
pub struct Launch<'a> {
    entries: &'a [&'a Entry],
    name: &'a str,
    dims: Vec<u64>,
    scalars: Vec<Scalar>,
    arrays: Vec<Lent<'a>>,
    chunk: Option<[u64; 3]>,
}

impl<'a> Launch<'a> {
    /// A launch of the entry `name` among those that `export!` lists in `HOTCELL_ENTRIES`.
    pub fn new(entries: &'a [&'a Entry], name: &'a str) -> Self {
        Self {
            entries,
            name,
            dims: Vec::new(),
            scalars: Vec::new(),
            arrays: Vec::new(),
            chunk: None,
        }
    }

    /// The next dimension's extent.
    #[must_use]
    pub fn dim(mut self, extent: u64) -> Self {
        self.dims.push(extent);
        self
    }

    /// The next scalar.
    #[must_use]
    pub fn scalar(mut self, value: impl ScalarType) -> Self {
        self.scalars.push(value.into());
        self
    }

    /// The next array, which the kernel reads. It starts at a multiple of 16 bytes, as a `Vec`'s
    /// block does on 64-bit machines.
    #[must_use]
    pub fn input<T: Element>(mut self, elements: &'a [T]) -> Self {
        self.arrays.push(Lent::shared(elements));
        self
    }

    /// The next array, which the kernel writes, or reads and writes; aligned as an input.
    #[must_use]
    pub fn output<T: Element>(mut self, elements: &'a mut [T]) -> Self {
        self.arrays.push(Lent::unique(elements));
        self
    }

    /// The part to compute, in place of the whole. Dimensions are then the part's, and an input with a
    /// halo has its neighbours' rows around it.
    #[must_use]
    pub fn chunk(mut self, chunk: Chunk) -> Self {
        let Chunk { start, len, total } = chunk;
        self.chunk = Some([start as u64, len as u64, total as u64]);
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// What [`LaunchError`] lists; counts, types and sizes are checked against the entry.
    ///
    /// # Panics
    /// If the kernel does.
    pub fn run(self) -> Result<(), LaunchError> {
        let entry = find(self.entries, self.name)?;
        for (value, (name, kind)) in self.scalars.iter().zip(entry.scalars()) {
            if value.kind() != kind {
                let (given, wanted) = (value.kind().name(), kind.name());
                return Err(Refusal::bad_argument(name, Reason::Scalar { given, wanted }).into());
            }
        }
        check_count("arrays", entry.arrays().count(), self.arrays.len())?;
        let lent = self.arrays.into_iter();
        let arrays = entry
            .arrays()
            .zip(lent)
            .map(|(param, lent)| lent.for_param(param));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let scalars: Vec<u64> = self.scalars.iter().map(|value| value.to_bits()).collect();
        let chunk = self.chunk.unwrap_or([0, 1, 1]);
        Ok(run(entry, &self.dims, &scalars, arrays, chunk)?)
    }
}

/// Runs an entry on arrays that are lent by the caller, one for each of its array parameters.
pub(crate) fn run(
    entry: &Entry,
    dims: &[u64],
    scalars: &[u64],
    arrays: Vec<Held<'_>>,
    chunk: [u64; 3],
) -> Result<(), Box<Refusal<'static>>> {
    check_count("dimensions", entry.dims.len(), dims.len())?;
    check_count("scalars", entry.scalars().count(), scalars.len())?;
    let chunk = Chunk::from_u64(chunk)?;
    let mut extents = vec![0; entry.extents_len()];
    entry.fill_extents(chunk, &mut extents, |at, _| Ok(dims[at]))?;
    let (mut scalars, mut arrays) = (scalars.iter(), arrays.into_iter());
    let hold = |param: &Param| match param {
        Param::Scalar { .. } => Ok(scalars
            .next()
            .map_or(Held::Missing, |&bits| Held::Scalar(bits))),
        Param::Chunk => Ok(Held::Chunk(chunk)),
        Param::Array(array) => stream(array, arrays.next().unwrap_or(Held::Missing), &extents),
    };
    let mut held = entry
        .params
        .iter()
        .map(hold)
        .collect::<Result<Vec<_>, _>>()?;
    let mut slots = vec![Slot::EMPTY; held.len()];
    raw::call(entry, &extents, &mut held, &mut slots)
}

pub(crate) fn check_count(
    what: &'static str,
    wanted: usize,
    given: usize,
) -> Result<(), Box<Refusal<'static>>> {
    if given == wanted {
        return Ok(());
    }
    let (given, wanted) = (given as u64, wanted as u64);
    Err(Refusal::bad_argument(what, Reason::Count { given, wanted }))
}

/// A streamed parameter's stream over the caller's memory; any other array as it is.
fn stream<'a>(
    array: &ArrayParam,
    held: Held<'a>,
    extents: &[usize],
) -> Result<Held<'a>, Box<Refusal<'static>>> {
    let len = array.len_elements(extents)?;
    let (name, size) = (array.name, |bytes: &[u8]| {
        array.check_size(len, bytes.len() as u64)
    });
    Ok(match held {
        Held::Shared(bytes) if array.streamed => {
            size(bytes)?;
            Held::Reader(Reader::from_bytes(name, len, bytes))
        }
        Held::Unique(bytes) if array.streamed => {
            size(bytes)?;
            match array.access {
                Access::InOut => Held::Exchange(Exchange::from_bytes(name, len, bytes)),
                Access::In | Access::Out => Held::Writer(Writer::from_bytes(name, len, bytes)),
            }
        }
        other => other,
    })
}

#[cfg(test)]
mod halos;
#[cfg(test)]
mod tests;

//! The pointers that stand between a launch and a kernel's function.
//!
//! The invariant: a [`Slot`]'s address is non-null, aligned for the parameter's element and covers what the
//! parameter's shape and the launch's dimensions say: [`call`] checks that before it runs an [`Entry`].

use crate::chunk::Chunk;
use crate::chunks::{Chunks, ChunksInOut, ChunksMut, Exchange, Reader, Writer};
use crate::element::{Element, bytes_of, first_invalid};
use crate::entry::{Access, ArrayParam, Entry, Param, Slot};
use crate::error::LaunchError;
use crate::view::{View, ViewMut};

/// The alignment of every block in a component's memory, in bytes: one `v128`.
pub(crate) const BLOCK_ALIGN: usize = 16;

/// A Rust caller's slice, ready for a parameter of the same dtype.
pub(crate) struct Lent<'a> {
    dtype: &'static str,
    held: Held<'a>,
}

impl<'a> Lent<'a> {
    pub(crate) fn shared<T: Element>(elements: &'a [T]) -> Self {
        Self {
            dtype: T::DTYPE,
            held: Held::Shared(bytes_of(elements)),
        }
    }

    pub(crate) fn unique<T: Element>(elements: &'a mut [T]) -> Self {
        let (first, len) = (elements.as_mut_ptr(), size_of_val(elements));
        // SAFETY: no padding, as in `bytes_of`. The bytes leave this type only through `for_param`,
        // for a kernel's parameter of the same dtype, which writes values of that dtype.
        let bytes = unsafe { std::slice::from_raw_parts_mut(first.cast(), len) };
        Self {
            dtype: T::DTYPE,
            held: Held::Unique(bytes),
        }
    }

    /// The slice, if the parameter has its dtype.
    pub(crate) fn for_param(self, param: &ArrayParam) -> Result<Held<'a>, LaunchError> {
        if self.dtype == param.dtype {
            return Ok(self.held);
        }
        let reason = format!(
            "an array of {}, but it is one of {}",
            self.dtype, param.dtype
        );
        Err(LaunchError::bad_argument(param.name, reason))
    }
}

/// A parameter's value, held while a kernel runs.
pub(crate) enum Held<'a> {
    /// Nothing was given.
    Missing,
    /// A scalar's bits.
    Scalar(u64),
    /// The part to compute.
    Chunk(Chunk),
    /// An array that the launch owns.
    Owned(Vec<u8>),
    /// An array of the caller's, to read.
    Shared(&'a [u8]),
    /// An array of the caller's, to write.
    Unique(&'a mut [u8]),
    /// A streamed input.
    Reader(Reader<'a>),
    /// A streamed output.
    Writer(Writer<'a>),
    /// A streamed array that is both.
    Exchange(Exchange<'a>),
}

/// Runs a kernel on one value for each of its parameters.
///
/// # Errors
/// A value that is missing, misaligned, of the wrong size or no value of its dtype; or the kernel's
/// own failure.
///
/// # Panics
/// If there are not as many extents and values as the entry has dimensions and parameters.
pub(crate) fn call(
    entry: &Entry,
    dims: &[usize],
    held: &mut [Held<'_>],
) -> Result<(), LaunchError> {
    assert_eq!(
        (dims.len(), held.len()),
        (entry.dims.len() + entry.halos.len(), entry.params.len())
    );
    let slots = entry
        .params
        .iter()
        .zip(held)
        .map(|(param, held)| slot(param, held, dims));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let mut failure = None;
    // SAFETY: `Entry::new` was promised that slots which fit `params` may be passed, and `slot` has
    // checked each. `held` is borrowed mutably, so nothing else reaches what the slots point to,
    // but for shared inputs, which a kernel only reads.
    unsafe { (entry.call)(dims, &slots, &mut failure) };
    failure.map_or(Ok(()), |message| Err(LaunchError::Failed(message)))
}

/// The slot of one value, if it is what the parameter needs.
fn slot(param: &Param, held: &mut Held<'_>, dims: &[usize]) -> Result<Slot, LaunchError> {
    match (param, held) {
        (Param::Scalar { .. }, Held::Scalar(bits)) => Ok(Slot::Bits(*bits)),
        (Param::Chunk, Held::Chunk(chunk)) => Ok(slot_of(chunk)),
        (Param::Array(array), held) => array_slot(array, held, dims),
        (Param::Scalar { name, .. }, _) => Err(LaunchError::bad_argument(name, "it is missing")),
        (Param::Chunk, _) => Err(LaunchError::bad_argument("chunk", "it is missing")),
    }
}

fn array_slot(
    array: &ArrayParam,
    held: &mut Held<'_>,
    dims: &[usize],
) -> Result<Slot, LaunchError> {
    let bytes: &mut [u8] = match (array.streamed, array.access, held) {
        (true, Access::In, Held::Reader(reader)) => return Ok(slot_of(reader)),
        (true, Access::Out, Held::Writer(writer)) => return Ok(slot_of(writer)),
        (true, Access::InOut, Held::Exchange(exchange)) => return Ok(slot_of(exchange)),
        (false, Access::In, Held::Shared(bytes)) => {
            check_array(array, bytes, dims)?;
            // A kernel takes an input by shared reference: nothing is written through this pointer.
            return Ok(Slot::Address(address(
                bytes.as_ptr().cast_mut(),
                bytes.len(),
            )));
        }
        (false, _, Held::Owned(bytes)) => bytes,
        (false, _, Held::Unique(bytes)) => bytes,
        _ => return Err(LaunchError::bad_argument(array.name, "it is missing")),
    };
    check_array(array, bytes, dims)?;
    Ok(Slot::Address(address(bytes.as_mut_ptr(), bytes.len())))
}

fn slot_of<T>(value: &mut T) -> Slot {
    Slot::Address(std::ptr::from_mut(value).cast())
}

/// An empty array's bytes may lie anywhere, so it gets an aligned address.
fn address(first: *mut u8, len: usize) -> *mut u8 {
    if len == 0 {
        std::ptr::without_provenance_mut(BLOCK_ALIGN)
    } else {
        first
    }
}

/// Refuses bytes that are not this parameter's array: their number, alignment or values.
fn check_array(array: &ArrayParam, bytes: &[u8], dims: &[usize]) -> Result<(), LaunchError> {
    array.check_size(array.len_elements(dims)?, bytes.len() as u64)?;
    let refuse = |reason: String| Err(LaunchError::bad_argument(array.name, reason));
    if !bytes.is_empty() && !bytes.as_ptr().addr().is_multiple_of(BLOCK_ALIGN) {
        return refuse(format!("its memory is not aligned to {BLOCK_ALIGN} bytes"));
    }
    match array.is_bool.then(|| first_invalid(bytes)).flatten() {
        Some(at) => refuse(format!("byte {at} is {}, not 0 or 1", bytes[at])),
        None => Ok(()),
    }
}

/// A flat input.
///
/// # Safety
/// `first` is a [`Slot`]'s address for an input of `len` elements, unchanged during `'a`.
#[inline(always)]
pub unsafe fn slice<'a, T: Element>(first: *const T, len: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, len) }
}

/// A flat output.
///
/// # Safety
/// `first` is a [`Slot`]'s address for an output of `len` elements, reached by nothing else during
/// `'a`.
#[inline(always)]
pub unsafe fn slice_mut<'a, T: Element>(first: *mut T, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(first, len) }
}

/// A shaped input.
///
/// # Safety
/// As [`slice()`], for the product of `shape`, which has been checked not to overflow.
#[inline(always)]
pub unsafe fn view<'a, T: Element, const R: usize>(
    first: *const T,
    shape: [usize; R],
) -> View<'a, T, R> {
    // SAFETY: the caller's; the product is exact as the caller has checked.
    let elements = unsafe { slice(first, product(shape)) };
    View::from_parts(elements, shape)
}

/// A shaped output.
///
/// # Safety
/// As [`slice_mut`], for the product of `shape`, which has been checked not to overflow.
#[inline(always)]
pub unsafe fn view_mut<'a, T: Element, const R: usize>(
    first: *mut T,
    shape: [usize; R],
) -> ViewMut<'a, T, R> {
    // SAFETY: the caller's; the product is exact as the caller has checked.
    let elements = unsafe { slice_mut(first, product(shape)) };
    ViewMut::from_parts(elements, shape)
}

fn product<const R: usize>(shape: [usize; R]) -> usize {
    shape.iter().product()
}

/// A streamed input.
///
/// # Safety
/// `reader` is a [`Slot`]'s address for a streamed input of `T`, alive during `'a`.
pub unsafe fn chunks<'a, T: Element>(reader: *const Reader<'a>) -> Chunks<'a, T> {
    // SAFETY: the caller's.
    Chunks::from_reader(unsafe { *reader })
}

/// A streamed output.
///
/// # Safety
/// `writer` is a [`Slot`]'s address for a streamed output of `T`, alive during `'a` and reached by
/// nothing else.
pub unsafe fn chunks_mut<'a, T: Element>(writer: *mut Writer<'a>) -> ChunksMut<'a, T> {
    // SAFETY: the caller's.
    ChunksMut::from_writer(unsafe { (*writer).reborrow() })
}

/// A streamed array that is both.
///
/// # Safety
/// `exchange` is a [`Slot`]'s address for a streamed in-out array of `T`, alive during `'a` and
/// reached by nothing else.
pub unsafe fn chunks_inout<'a, T: Element>(exchange: *mut Exchange<'a>) -> ChunksInOut<'a, T> {
    // SAFETY: the caller's.
    ChunksInOut::from_exchange(unsafe { (*exchange).reborrow() })
}

//! The pointers that stand between a launch and a kernel's function.
//!
//! The invariant: a [`Slot`]'s address is non-null, aligned for the parameter's element and covers what the
//! parameter's shape and the launch's dimensions say: [`call`] checks that before it runs an [`Entry`].

use crate::chunk::Chunk;
use crate::chunks::{Chunks, ChunksInOut, ChunksMut, Exchange, Reader, Writer};
use crate::element::{Element, bytes_of};
use crate::entry::{Access, ArrayParam, Entry, Param, Slot};
use crate::error::{Reason, Refusal};
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
    pub(crate) fn for_param(self, param: &ArrayParam) -> Result<Held<'a>, Box<Refusal<'static>>> {
        let (given, wanted) = (self.dtype, param.dtype);
        if given == wanted {
            return Ok(self.held);
        }
        Err(Refusal::bad_argument(
            param.name,
            Reason::Elements { given, wanted },
        ))
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
    /// An array of the host's that is held whole.
    #[cfg(any(target_arch = "wasm32", test))]
    Whole(crate::whole::Whole<'a>),
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

/// Runs a kernel on one value for each of its parameters. `slots` has room for them.
///
/// # Errors
/// A value that is missing, misaligned, of the wrong size or no value of its dtype; or the kernel's
/// own failure.
pub(crate) fn call(
    entry: &Entry,
    extents: &[usize],
    held: &mut [Held<'_>],
    slots: &mut [Slot],
) -> Result<(), Box<Refusal<'static>>> {
    let params = entry.params.len();
    if extents.len() != entry.extents_len() || held.len() != params || slots.len() != params {
        return Err(Refusal::fixed(
            "entry",
            "values for another one's parameters",
        ));
    }
    for ((param, held), place) in entry.params.iter().zip(held).zip(&mut *slots) {
        *place = slot(param, held, extents)?;
    }
    let mut failure = None;
    // SAFETY: `Entry::new` was promised that slots which fit `params` may be passed, and `slot` has
    // checked each; there are as many as it says. `held` is borrowed mutably, so nothing else reaches what
    // the slots point to, but for shared inputs, which a kernel only reads.
    unsafe { (entry.call)(extents.as_ptr(), slots.as_ptr(), &mut failure) };
    failure.map_or(Ok(()), |message| Err(Box::new(Refusal::Failed(message))))
}

/// The slot of one value, if it is what the parameter needs.
fn slot(
    param: &Param,
    held: &mut Held<'_>,
    extents: &[usize],
) -> Result<Slot, Box<Refusal<'static>>> {
    let missing = |name| Err(Refusal::fixed(name, "it is missing"));
    match (param, held) {
        (Param::Scalar { .. }, Held::Scalar(bits)) => Ok(Slot::of_bits(*bits)),
        (Param::Chunk, Held::Chunk(chunk)) => Ok(slot_of(chunk)),
        (Param::Array(array), held) => array_slot(array, held, extents),
        (Param::Scalar { name, .. }, _) => missing(name),
        (Param::Chunk, _) => missing("chunk"),
    }
}

fn array_slot(
    array: &ArrayParam,
    held: &mut Held<'_>,
    extents: &[usize],
) -> Result<Slot, Box<Refusal<'static>>> {
    let (first, len) = match (array.streamed, array.access, held) {
        (true, Access::In, Held::Reader(reader)) => return Ok(slot_of(reader)),
        (true, Access::Out, Held::Writer(writer)) => return Ok(slot_of(writer)),
        (true, Access::InOut, Held::Exchange(exchange)) => return Ok(slot_of(exchange)),
        // A kernel takes an input by shared reference: nothing is written through this pointer.
        (false, Access::In, Held::Shared(bytes)) => (bytes.as_ptr().cast_mut(), bytes.len()),
        #[cfg(any(target_arch = "wasm32", test))]
        (false, _, Held::Whole(whole)) => (whole.bytes.as_mut_ptr(), whole.bytes.len()),
        (false, _, Held::Unique(bytes)) => (bytes.as_mut_ptr(), bytes.len()),
        _ => return Err(Refusal::fixed(array.name, "it is missing")),
    };
    // SAFETY: the pointer and the length are those of a slice that is borrowed here.
    let bytes = unsafe { std::slice::from_raw_parts(first, len) };
    check_array(array, bytes, extents)?;
    Ok(Slot::of_address(address(first, len)))
}

fn slot_of<T>(value: &mut T) -> Slot {
    Slot::of_address(std::ptr::from_mut(value).cast())
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
fn check_array(
    array: &ArrayParam,
    bytes: &[u8],
    extents: &[usize],
) -> Result<(), Box<Refusal<'static>>> {
    array.check_size(array.len_elements(extents)?, bytes.len() as u64)?;
    if !bytes.is_empty() && !bytes.as_ptr().addr().is_multiple_of(BLOCK_ALIGN) {
        return Err(Refusal::fixed(
            array.name,
            "its memory is not aligned to 16 bytes",
        ));
    }
    let invalid = array.first_invalid.and_then(|first| first(bytes));
    match invalid.and_then(|at| Some((at, *bytes.get(at)?))) {
        Some((at, byte)) => Err(Refusal::bad_argument(
            array.name,
            Reason::Bool {
                at: at as u64,
                byte,
            },
        )),
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

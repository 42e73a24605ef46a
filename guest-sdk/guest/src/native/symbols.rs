//! The C symbols of a native build: their types, and what they do. The `unsafe` here is the C caller's word.

use super::{check_count, run};
use crate::entry::{Access, ArrayParam, Entry, find};
use crate::error::LaunchError;
use crate::raw::Held;

/// The name of the C symbol that runs an entry, of type [`LaunchFn`].
pub const LAUNCH_SYMBOL: &str = "hotcell_native_launch";
/// The name of the C symbol that returns the manifest's records, of type [`ManifestFn`].
pub const MANIFEST_SYMBOL: &str = "hotcell_native_manifest";

/// The type of [`LAUNCH_SYMBOL`]; returns [`OK`] or one of the codes beside it.
///
/// # Safety
/// The request is as [`Request`] says.
pub type LaunchFn = unsafe extern "C" fn(request: *const Request) -> i32;
/// The type of [`MANIFEST_SYMBOL`].
pub type ManifestFn = extern "C" fn() -> Bytes;

/// The kernel ran to its end.
pub const OK: i32 = 0;
/// No entry of that name.
pub const UNKNOWN_ENTRY: i32 = 1;
/// An argument does not fit; the message is on standard error.
pub const BAD_ARGUMENT: i32 = 2;
/// The kernel returned an error; the message is on standard error.
pub const FAILED: i32 = 3;
/// The kernel panicked; the message is on standard error.
pub const PANICKED: i32 = 4;

/// Bytes owned by someone else. `len` 0 with any `ptr` is empty.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Bytes {
    /// The first byte.
    pub ptr: *const u8,
    /// How many there are.
    pub len: usize,
}

/// One array of a [`Request`]. An in-out array is one of these.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NativeArray {
    /// The first element; aligned to 16 bytes unless `len_bytes` is 0.
    pub ptr: *mut u8,
    /// The array's size in bytes.
    pub len_bytes: usize,
}

/// One launch, as a C caller lays it out. Everything it points to stays the caller's.
///
/// Arrays that the kernel writes overlap no other array; all arrays are initialised, and an output
/// that must start as zeros, as it does in a component, is zeroed by the caller.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Request {
    /// The entry's name, UTF-8.
    pub entry: Bytes,
    /// The extents of the dimensions, in their order of first appearance in the signature.
    pub dims: *const u64,
    /// How many there are.
    pub dims_len: usize,
    /// The scalars in the manifest's order, as [`Scalar::to_bits`](super::Scalar::to_bits) writes them.
    pub scalars: *const u64,
    /// How many there are.
    pub scalars_len: usize,
    /// The arrays in the manifest's order.
    pub arrays: *const NativeArray,
    /// How many there are.
    pub arrays_len: usize,
    /// The first index of the part to compute; 0 for the whole.
    pub chunk_start: u64,
    /// The number of indices in the part.
    pub chunk_len: u64,
    /// The number of indices over the whole launch.
    pub chunk_total: u64,
}

/// Runs one launch on a C caller's memory; what the symbol `hotcell_native_launch` does.
///
/// # Safety
/// `request` points to a [`Request`] that is as its documentation says.
pub unsafe fn launch_native(entries: &[&Entry], request: *const Request) -> i32 {
    // SAFETY: the caller's.
    let request = unsafe { &*request };
    report(|| {
        // SAFETY: the caller's, for each pair of pointer and length.
        let (name, dims, scalars, arrays) = unsafe {
            (
                list(request.entry.ptr, request.entry.len),
                list(request.dims, request.dims_len),
                list(request.scalars, request.scalars_len),
                list(request.arrays, request.arrays_len),
            )
        };
        let entry = find(entries, &String::from_utf8_lossy(name))?;
        check_count("arrays", entry.arrays().count(), arrays.len())?;
        let arrays = entry.arrays().zip(arrays);
        // SAFETY: the caller's; an array that is written overlaps no other.
        let arrays = arrays.map(|(param, array)| unsafe { borrow(param, array) });
        let chunk = [request.chunk_start, request.chunk_len, request.chunk_total];
        Ok(run(entry, dims, scalars, arrays.collect(), chunk)?)
    })
}

/// # Safety
/// Unless `len` is 0, `first` points to `len` values that live during `'a`.
unsafe fn list<'a, T>(first: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, len) }
}

/// # Safety
/// As for [`list`], and where `param` is written nothing else reaches the array during `'a`.
unsafe fn borrow<'a>(param: &ArrayParam, array: &NativeArray) -> Held<'a> {
    match (param.access, array.len_bytes) {
        // SAFETY: the caller's.
        (Access::In, len) => Held::Shared(unsafe { list(array.ptr, len) }),
        (_, 0) => Held::Unique(&mut []),
        // SAFETY: the caller's.
        (_, len) => Held::Unique(unsafe { std::slice::from_raw_parts_mut(array.ptr, len) }),
    }
}

/// Runs a launch for a C caller: messages go to standard error, panics stop here.
fn report(launch: impl FnOnce() -> Result<(), LaunchError>) -> i32 {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(launch));
    let Ok(result) = result else {
        return PANICKED;
    };
    let Err(error) = result else {
        return OK;
    };
    eprintln!("hotcell: {error}");
    match error {
        LaunchError::UnknownEntry(_) => UNKNOWN_ENTRY,
        LaunchError::BadArgument { .. } => BAD_ARGUMENT,
        LaunchError::Failed(_) => FAILED,
    }
}

impl Bytes {
    /// Bytes that are never freed.
    pub const fn of(bytes: &'static [u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// [`launch_native`] for tests, whose requests are made of slices.
    pub(crate) fn launch(entries: &[&Entry], request: &Request) -> i32 {
        // SAFETY: the tests' requests point to slices of theirs.
        unsafe { launch_native(entries, request) }
    }
}

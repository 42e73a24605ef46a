//! Element types, and casts between them and bytes.
//!
//! The invariant: [`Element`] types have no padding and accept every bit pattern that [`first_invalid`] lets
//! through.

use crate::complex::Complex;
use crate::half::{Bf16, F16};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;

/// An element type of arrays: one of the manifest's dtypes.
///
/// # Safety
/// The type has no padding, no destructor and no interior mutability, its little-endian bytes are
/// the dtype's, and every bit pattern is a value, except that where [`IS_BOOL`](Self::IS_BOOL)
/// only the bytes 0 and 1 are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no element type of arrays",
    label = "not one of the SDK's element types"
)]
pub unsafe trait Element: Copy + Default + Send + Sync + 'static {
    /// The dtype's name in the manifest.
    const DTYPE: &'static str;
    /// Whether bytes must be checked before they are viewed as this type.
    const IS_BOOL: bool = false;
}

macro_rules! element {
    ($($type:ty => $dtype:literal),* $(,)?) => {$(
        // SAFETY: a number, or a pair of equal numbers, without padding; all bit patterns are values.
        unsafe impl Element for $type {
            const DTYPE: &'static str = $dtype;
        }
    )*};
}

element! {
    i8 => "i8", i16 => "i16", i32 => "i32", i64 => "i64",
    u8 => "u8", u16 => "u16", u32 => "u32", u64 => "u64",
    F16 => "f16", Bf16 => "bf16", f32 => "f32", f64 => "f64",
    Complex<f32> => "complex64", Complex<f64> => "complex128",
}

// SAFETY: one byte, of which 0 and 1 are values, and `IS_BOOL` says so.
unsafe impl Element for bool {
    const DTYPE: &'static str = "bool";
    const IS_BOOL: bool = true;
}

/// The position of the first byte that is no `bool`. Inline, so that it is compiled with the author's crate: for speed.
#[inline]
pub(crate) fn first_invalid(bytes: &[u8]) -> Option<usize> {
    // The fold vectorises; the search runs only where there is something to find.
    let all = bytes.iter().fold(0, |all, byte| all | byte);
    if all <= 1 {
        return None;
    }
    bytes.iter().position(|&byte| byte > 1)
}

/// A range of a streamed input: a slice of elements that owns its bytes where they came from the host.
#[derive(Clone, Debug)]
pub struct Block<'a, T> {
    /// Checked by `new` to be whole, aligned and valid elements, and never changed.
    bytes: Cow<'a, [u8]>,
    element: PhantomData<T>,
}

impl<'a, T: Element> Block<'a, T> {
    /// Views bytes as elements, or `None` where they do not start on an element's alignment, do not
    /// end on a whole element, or hold what is no value of `T`.
    pub(crate) fn new(bytes: Cow<'a, [u8]>) -> Option<Self> {
        let aligned = bytes.is_empty() || bytes.as_ptr().cast::<T>().is_aligned();
        let whole = bytes.len().is_multiple_of(size_of::<T>());
        let valid = !T::IS_BOOL || first_invalid(&bytes).is_none();
        (aligned && whole && valid).then_some(Self {
            bytes,
            element: PhantomData,
        })
    }
}

impl<T: Element> Deref for Block<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        if self.bytes.is_empty() {
            return &[];
        }
        let len = self.bytes.len() / size_of::<T>();
        // SAFETY: `new` checked alignment, wholeness and, where `Element` asks for it, values. The
        // bytes cannot have moved or changed since: a `Vec`'s block moves only when it is resized.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), len) }
    }
}

/// The bytes of elements.
pub(crate) fn bytes_of<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: `Element` types have no padding, so every byte is initialised.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

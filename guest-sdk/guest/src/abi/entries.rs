//! `hotcell:kernel/entries`, the component's export: the request where the host has put it, and the answer.
//!
//! Nothing is copied out of the request: its lists are walked in place. Names are UTF-8 and tags are in range because
//! the host's side of the canonical ABI has checked them.

#![cfg_attr(
    not(any(target_arch = "wasm32", test)),
    expect(dead_code, reason = "natively only the tests have requests")
)]

use crate::abi::arrays::{Input, Output};
use crate::entry::ScalarKind;
use std::marker::PhantomData;

/// The core name of the export.
#[cfg(test)]
pub(crate) const LAUNCH: &str = "hotcell:kernel/entries@0.2.0#launch";

/// A `string` that outlives the launch, or is a part of the request.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Text<'a> {
    ptr: *const u8,
    len: usize,
    text: PhantomData<&'a str>,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.len(),
            text: PhantomData,
        }
    }

    pub(crate) const fn get(self) -> &'a str {
        // SAFETY: made of a text by `new`, or by the host, which has checked that it is one.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(self.ptr, self.len)) }
    }
}

/// `record dimension`.
#[repr(C)]
pub struct Dimension<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) extent: u64,
}

/// `record scalar`, with the tag and the payload of `variant scalar-value`.
#[repr(C)]
pub struct Scalar<'a> {
    pub(crate) name: Text<'a>,
    /// In the order of [`ScalarKind`], which is the WIT's.
    pub(crate) tag: u8,
    /// As many of the low bytes as the type has; those above it are not the value's.
    pub(crate) bits: u64,
}

/// `record source`.
#[repr(C)]
pub struct Source<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) data: Input,
}

/// `record destination`.
#[repr(C)]
pub struct Destination<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) data: Output,
}

/// `result<_, kernel-error>`.
#[repr(C)]
pub struct Answer {
    is_error: u8,
    /// 0 an unknown entry, 1 a bad argument, 2 a failure.
    tag: u32,
    /// The entry, the argument's name, or the message.
    text: Text<'static>,
    /// What is wrong with the argument.
    reason: Text<'static>,
}

layout!(DIMENSION = Dimension<'static> { name: 0, extent: 8 } 16);
layout!(SCALAR = Scalar<'static> { name: 0, tag: 8, bits: 16 } 24);
layout!(SOURCE = Source<'static> { name: 0, data: 8 } 12);
layout!(DESTINATION = Destination<'static> { name: 0, data: 8 } 12);
layout!(ANSWER = Answer { is_error: 0, tag: 4, text: 8, reason: 16 } 24);

impl Scalar<'_> {
    /// The value's type.
    pub(crate) const fn kind(&self) -> ScalarKind {
        match self.tag {
            0 => ScalarKind::Bool,
            1 => ScalarKind::I32,
            2 => ScalarKind::I64,
            3 => ScalarKind::U32,
            4 => ScalarKind::U64,
            5 => ScalarKind::F32,
            _ => ScalarKind::F64,
        }
    }
}

impl Answer {
    /// The kernel ran to its end.
    pub(crate) const OK: Self = Self::new(0, 0, "", "");

    const fn new(is_error: u8, tag: u32, text: &'static str, reason: &'static str) -> Self {
        Self {
            is_error,
            tag,
            text: Text::new(text),
            reason: Text::new(reason),
        }
    }

    pub(crate) const fn unknown_entry(name: &'static str) -> Self {
        Self::new(1, 0, name, "")
    }

    pub(crate) const fn bad_argument(name: &'static str, reason: &'static str) -> Self {
        Self::new(1, 1, name, reason)
    }

    pub(crate) const fn failed(message: &'static str) -> Self {
        Self::new(1, 2, message, "")
    }
}

/// `record request`, whose parts are the export's core parameters.
pub struct Request<'a> {
    pub(crate) entry: &'a str,
    pub(crate) dims: &'a [Dimension<'a>],
    pub(crate) scalars: &'a [Scalar<'a>],
    pub(crate) sources: &'a [Source<'a>],
    pub(crate) destinations: &'a [Destination<'a>],
    /// Start, length and total of the part to compute.
    pub(crate) chunk: [u64; 3],
}

/// A list's pointer and length.
pub type List<T> = (*const T, usize);

impl Request<'static> {
    /// The request of these parameters. It stays for as long as the component does: nothing of it is freed.
    ///
    /// # Safety
    /// They are those of the export's call.
    #[cfg(target_arch = "wasm32")]
    pub unsafe fn new(
        entry: List<u8>,
        dims: List<Dimension<'static>>,
        scalars: List<Scalar<'static>>,
        sources: List<Source<'static>>,
        destinations: List<Destination<'static>>,
        chunk: [u64; 3],
    ) -> Self {
        // SAFETY: the caller's: each list is one of the host's, allocated and filled here.
        unsafe {
            Self {
                entry: std::str::from_utf8_unchecked(list(entry)),
                dims: list(dims),
                scalars: list(scalars),
                sources: list(sources),
                destinations: list(destinations),
                chunk,
            }
        }
    }
}

/// # Safety
/// The list is there for good.
#[cfg(target_arch = "wasm32")]
unsafe fn list<T>((first, len): List<T>) -> &'static [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, len) }
}

/// The names of a list's records.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    first: *const u8,
    stride: usize,
    len: usize,
    names: PhantomData<Text<'a>>,
}

/// A record of the request, which begins with its name.
///
/// # Safety
/// A [`Text`] stands at its start.
pub(crate) unsafe trait Named {}

// SAFETY: as they are declared above.
unsafe impl Named for Dimension<'_> {}
// SAFETY: as above.
unsafe impl Named for Scalar<'_> {}
// SAFETY: as above.
unsafe impl Named for Source<'_> {}
// SAFETY: as above.
unsafe impl Named for Destination<'_> {}

impl<'a> Names<'a> {
    pub(crate) const fn of<T: Named>(list: &'a [T]) -> Self {
        Self {
            first: list.as_ptr().cast(),
            stride: size_of::<T>(),
            len: list.len(),
            names: PhantomData,
        }
    }

    fn get(self, at: usize) -> &'a str {
        // SAFETY: `at` is below `len` wherever this is called, and a record begins with its name.
        unsafe { self.first.add(at * self.stride).cast::<Text<'a>>().read() }.get()
    }

    /// Where a name stands first.
    pub(crate) fn position(self, name: &str) -> Option<usize> {
        (0..self.len).find(|at| self.get(*at) == name)
    }

    /// Each name with its position.
    pub(crate) fn iter(self) -> impl Iterator<Item = (usize, &'a str)> {
        (0..self.len).map(move |at| (at, self.get(at)))
    }
}

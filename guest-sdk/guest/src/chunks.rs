//! Arrays that a kernel does not hold whole: [`Chunks`] to read, [`ChunksMut`] to write by ranges and
//! [`ChunksInOut`] for both.
//!
//! In a component the ranges come from the host, one call each; natively they come from a slice.

use crate::element::{Block, Element, bytes_of};
use crate::host::{Input, Output};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;

mod inout;

pub use inout::{ChunksInOut, Exchange};

/// A streamed input of any element type: what [`Chunks`] gives a type.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    name: &'static str,
    len_elements: usize,
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Host(Input),
}

impl<'a> Reader<'a> {
    pub(crate) fn from_host(name: &'static str, len_elements: usize, host: Input) -> Self {
        Self {
            name,
            len_elements,
            source: Source::Host(host),
        }
    }

    pub(crate) fn from_bytes(name: &'static str, len_elements: usize, bytes: &'a [u8]) -> Self {
        Self {
            name,
            len_elements,
            source: Source::Bytes(bytes),
        }
    }

    /// The host's array, where it is one.
    #[cfg(feature = "gpu")]
    pub(crate) fn host(&self) -> Option<Input> {
        match self.source {
            Source::Bytes(_) => None,
            Source::Host(host) => Some(host),
        }
    }
}

/// An input read by ranges of elements, of any rank, flat in C order.
///
/// ```
/// # use hotcell_guest::prelude::*;
/// let x = [1.0_f32, 2.0, 3.0, 4.0, 5.0];
/// let mut total = 0.0;
/// for block in Chunks::from_slice(&x).blocks(2) {
///     total += math::sum(&block);
/// }
/// assert_eq!(total, 15.0);
/// ```
#[derive(Clone, Copy)]
pub struct Chunks<'a, T> {
    reader: Reader<'a>,
    element: PhantomData<T>,
}

impl<'a, T: Element> Chunks<'a, T> {
    /// Reads from a slice: for native tests and callers.
    pub fn from_slice(elements: &'a [T]) -> Self {
        let bytes = bytes_of(elements);
        Self::from_reader(Reader::from_bytes("chunks", elements.len(), bytes))
    }

    pub(crate) fn from_reader(reader: Reader<'a>) -> Self {
        Self {
            reader,
            element: PhantomData,
        }
    }

    /// The host's array, where it is one.
    #[cfg(feature = "gpu")]
    pub(crate) fn host(&self) -> Option<Input> {
        self.reader.host()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.reader.len_elements
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in `range`, without a second copy.
    ///
    /// # Panics
    /// If the range is not inside the array, or an element of a `bool` array is neither 0 nor 1.
    #[track_caller]
    pub fn block(&self, range: Range<usize>) -> Block<'a, T> {
        check_range(self.reader.name, &range, self.len());
        let bytes = match self.reader.source {
            Source::Bytes(all) => Cow::Borrowed(&all[byte_range::<T>(&range)]),
            Source::Host(host) => Cow::Owned(read_host(host, &range, size_of::<T>())),
        };
        let Some(block) = Block::new(bytes) else {
            panic!(
                "elements {range:?} of `{}` are not {} values",
                self.reader.name,
                T::DTYPE
            );
        };
        block
    }

    /// Copies the elements in `range` into `target`, which has the range's length.
    ///
    /// # Panics
    /// As [`block`](Self::block), and if the lengths disagree.
    #[track_caller]
    pub fn read(&self, range: Range<usize>, target: &mut [T]) {
        assert_eq!(
            range.len(),
            target.len(),
            "a range of `{}` is read into a slice of another length",
            self.reader.name
        );
        target.copy_from_slice(&self.block(range));
    }

    /// All elements in order, `elements` at a time; the last block may be shorter.
    ///
    /// # Panics
    /// If `elements` is 0.
    #[track_caller]
    pub fn blocks(&self, elements: usize) -> Blocks<'a, T> {
        assert!(elements > 0, "blocks have at least one element");
        Blocks {
            chunks: Self::from_reader(self.reader),
            rest: 0..self.len(),
            elements,
        }
    }
}

/// The iterator of [`Chunks::blocks`].
pub struct Blocks<'a, T> {
    chunks: Chunks<'a, T>,
    rest: Range<usize>,
    elements: usize,
}

impl<'a, T: Element> Iterator for Blocks<'a, T> {
    type Item = Block<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let len = self.elements.min(self.rest.len());
        let start = self.rest.start;
        self.rest.start += len;
        Some(self.chunks.block(start..start + len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let blocks = self.rest.len().div_ceil(self.elements);
        (blocks, Some(blocks))
    }
}

/// A streamed output of any element type: what [`ChunksMut`] gives a type.
pub struct Writer<'a> {
    name: &'static str,
    len_elements: usize,
    target: Target<'a>,
}

enum Target<'a> {
    Bytes(&'a mut [u8]),
    Host(Output),
}

impl<'a> Writer<'a> {
    pub(crate) fn from_host(name: &'static str, len_elements: usize, host: Output) -> Self {
        Self {
            name,
            len_elements,
            target: Target::Host(host),
        }
    }

    pub(crate) fn from_bytes(name: &'static str, len_elements: usize, bytes: &'a mut [u8]) -> Self {
        Self {
            name,
            len_elements,
            target: Target::Bytes(bytes),
        }
    }

    pub(crate) fn reborrow(&mut self) -> Writer<'_> {
        Writer {
            name: self.name,
            len_elements: self.len_elements,
            target: match &mut self.target {
                Target::Bytes(bytes) => Target::Bytes(bytes),
                Target::Host(host) => Target::Host(*host),
            },
        }
    }

    #[track_caller]
    fn write<T: Element>(&mut self, range: Range<usize>, elements: &[T]) {
        check_range(self.name, &range, self.len_elements);
        let bytes = bytes_of(elements);
        match &mut self.target {
            Target::Bytes(all) => all[byte_range::<T>(&range)].copy_from_slice(bytes),
            Target::Host(host) => host.write(offset_bytes(range.start, size_of::<T>()), bytes),
        }
    }
}

/// An output written by ranges of elements, of any rank, flat in C order.
///
/// Elements that are never written are zero. Each write reaches the host at once; if the kernel
/// fails afterwards, the host discards the whole output.
pub struct ChunksMut<'a, T> {
    destination: Destination<'a, T>,
}

enum Destination<'a, T> {
    Slice(&'a mut [T]),
    Writer(Writer<'a>),
}

impl<'a, T: Element> ChunksMut<'a, T> {
    /// Writes to a slice: for native tests and callers.
    pub fn from_slice(elements: &'a mut [T]) -> Self {
        Self {
            destination: Destination::Slice(elements),
        }
    }

    pub(crate) fn from_writer(writer: Writer<'a>) -> Self {
        Self {
            destination: Destination::Writer(writer),
        }
    }

    /// The host's array, where it is one.
    #[cfg(feature = "gpu")]
    pub(crate) fn host(&self) -> Option<Output> {
        match self.destination {
            Destination::Writer(Writer {
                target: Target::Host(host),
                ..
            }) => Some(host),
            Destination::Slice(_) | Destination::Writer(_) => None,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match &self.destination {
            Destination::Slice(slice) => slice.len(),
            Destination::Writer(writer) => writer.len_elements,
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `elements` from the element `offset` on.
    ///
    /// # Panics
    /// If they do not lie inside the array.
    #[track_caller]
    pub fn write(&mut self, offset: usize, elements: &[T]) {
        let range = offset..offset.saturating_add(elements.len());
        match &mut self.destination {
            Destination::Slice(slice) => {
                check_range("chunks", &range, slice.len());
                slice[range].copy_from_slice(elements);
            }
            Destination::Writer(writer) => writer.write(range, elements),
        }
    }
}

#[track_caller]
fn check_range(name: &str, range: &Range<usize>, len: usize) {
    assert!(
        range.start <= range.end && range.end <= len,
        "elements {range:?} are out of bounds for `{name}` of {len} elements"
    );
}

fn byte_range<T>(range: &Range<usize>) -> Range<usize> {
    // No overflow: the range was checked against a slice that exists.
    range.start * size_of::<T>()..range.end * size_of::<T>()
}

fn offset_bytes(elements: usize, element_bytes: usize) -> u64 {
    elements as u64 * element_bytes as u64
}

/// One range from the host. The host reads at most 4 GiB − 1 at once, so such a range is a mistake.
#[track_caller]
fn read_host(host: Input, range: &Range<usize>, element_bytes: usize) -> Vec<u8> {
    let len = u32::try_from(offset_bytes(range.len(), element_bytes))
        .expect("a block is smaller than 4 GiB");
    let bytes = host.read(offset_bytes(range.start, element_bytes), len);
    assert_eq!(bytes.len() as u64, u64::from(len), "the host read short");
    bytes
}

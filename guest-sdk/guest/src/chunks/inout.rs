//! [`ChunksInOut`]: a streamed array that is an input and an output.

use super::{Chunks, ChunksMut, Reader, Writer};
use crate::element::Element;
use crate::host::{Input, Output};

/// A streamed in-out array of any element type: what [`ChunksInOut`] gives a type.
pub struct Exchange<'a> {
    name: &'static str,
    len_elements: usize,
    place: Place<'a>,
}

enum Place<'a> {
    Bytes(&'a mut [u8]),
    #[cfg_attr(
        not(any(target_arch = "wasm32", test)),
        expect(dead_code, reason = "natively there is no host")
    )]
    Host(Input, Output),
}

impl<'a> Exchange<'a> {
    #[cfg(any(target_arch = "wasm32", test))]
    pub(crate) fn from_host(
        name: &'static str,
        len_elements: usize,
        given: Input,
        result: Output,
    ) -> Self {
        Self {
            name,
            len_elements,
            place: Place::Host(given, result),
        }
    }

    pub(crate) fn from_bytes(name: &'static str, len_elements: usize, bytes: &'a mut [u8]) -> Self {
        Self {
            name,
            len_elements,
            place: Place::Bytes(bytes),
        }
    }

    pub(crate) fn reborrow(&mut self) -> Exchange<'_> {
        Exchange {
            name: self.name,
            len_elements: self.len_elements,
            place: match &mut self.place {
                Place::Bytes(bytes) => Place::Bytes(bytes),
                Place::Host(given, result) => Place::Host(*given, *result),
            },
        }
    }

    fn reader(&self) -> Reader<'_> {
        match &self.place {
            Place::Bytes(bytes) => Reader::from_bytes(self.name, self.len_elements, bytes),
            Place::Host(given, _) => Reader::from_host(self.name, self.len_elements, *given),
        }
    }

    fn writer(&mut self) -> Writer<'_> {
        match &mut self.place {
            Place::Bytes(bytes) => Writer::from_bytes(self.name, self.len_elements, bytes),
            Place::Host(_, result) => Writer::from_host(self.name, self.len_elements, *result),
        }
    }
}

/// An in-out array read and written by ranges of elements, of any rank, flat in C order.
///
/// In a component the input stays as the caller gave it, and elements that are never written are
/// zero afterwards; natively both sides are one slice. So read a range before it is written, and
/// write all of them.
///
/// ```
/// # use hotcell_guest::prelude::*;
/// let mut x = [1.0_f32, 2.0, 3.0];
/// let mut chunks = ChunksInOut::from_slice(&mut x);
/// let doubled: Vec<f32> = chunks.input().block(0..3).iter().map(|x| 2.0 * x).collect();
/// chunks.output().write(0, &doubled);
/// assert_eq!(x, [2.0, 4.0, 6.0]);
/// ```
pub struct ChunksInOut<'a, T> {
    sides: Sides<'a, T>,
}

enum Sides<'a, T> {
    Slice(&'a mut [T]),
    Exchange(Exchange<'a>),
}

impl<'a, T: Element> ChunksInOut<'a, T> {
    /// Reads from and writes to a slice: for native tests and callers.
    pub fn from_slice(elements: &'a mut [T]) -> Self {
        Self {
            sides: Sides::Slice(elements),
        }
    }

    pub(crate) fn from_exchange(exchange: Exchange<'a>) -> Self {
        Self {
            sides: Sides::Exchange(exchange),
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match &self.sides {
            Sides::Slice(slice) => slice.len(),
            Sides::Exchange(exchange) => exchange.len_elements,
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the caller gave.
    pub fn input(&self) -> Chunks<'_, T> {
        match &self.sides {
            Sides::Slice(slice) => Chunks::from_slice(slice),
            Sides::Exchange(exchange) => Chunks::from_reader(exchange.reader()),
        }
    }

    /// What the caller gets.
    pub fn output(&mut self) -> ChunksMut<'_, T> {
        match &mut self.sides {
            Sides::Slice(slice) => ChunksMut::from_slice(slice),
            Sides::Exchange(exchange) => ChunksMut::from_writer(exchange.writer()),
        }
    }

    /// The host's two sides of the array, where it is one of the host's.
    #[cfg(feature = "gpu")]
    pub(crate) fn host(&self) -> Option<(Input, Output)> {
        match self.sides {
            Sides::Exchange(Exchange {
                place: Place::Host(given, result),
                ..
            }) => Some((given, result)),
            Sides::Slice(_) | Sides::Exchange(_) => None,
        }
    }
}

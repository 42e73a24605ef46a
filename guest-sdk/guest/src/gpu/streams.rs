//! The launch's arrays as sources and destinations of batches, by handle.

use crate::chunks::{Chunks, ChunksInOut, ChunksMut};
use crate::element::Element;
use crate::host::{Input, Output};
use std::marker::PhantomData;

/// An array that a batch fills buffers from: [`Chunks`] and [`ChunksInOut`].
pub trait Source<'a>: sealed::Array {
    /// The host's array, where it is one.
    #[doc(hidden)]
    fn given(&self) -> Given<'a>;
}

/// An array that a batch reads buffers into: [`ChunksMut`] and [`ChunksInOut`].
pub trait Destination<'a>: sealed::Array {
    /// The host's array, where it is one.
    #[doc(hidden)]
    fn wanted(&mut self) -> Wanted<'a>;
}

/// An array of the host's to read, if it is one: a slice of the guest's is not.
#[derive(Clone, Copy)]
pub struct Given<'a>(
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "natively there is no device to hand it to")
    )]
    pub(super) Option<Input>,
    PhantomData<&'a ()>,
);

/// An array of the host's to write, if it is one: a slice of the guest's is not.
#[derive(Clone, Copy)]
pub struct Wanted<'a>(
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "natively there is no device to hand it to")
    )]
    pub(super) Option<Output>,
    PhantomData<&'a ()>,
);

pub(super) use sealed::Array;

/// So that both traits stay this crate's.
mod sealed {
    /// An array's size.
    pub trait Array {
        /// The size of one element.
        const ELEMENT_BYTES: u64;
        /// The number of elements.
        fn elements(&self) -> u64;
        /// The size of the array.
        fn size_bytes(&self) -> u64 {
            // No overflow: the launch has seen that the host's array is this large.
            self.elements().saturating_mul(Self::ELEMENT_BYTES)
        }
    }
}

macro_rules! arrays {
    ($($array:ident),*) => {$(
        impl<T: Element> sealed::Array for $array<'_, T> {
            const ELEMENT_BYTES: u64 = size_of::<T>() as u64;

            fn elements(&self) -> u64 {
                self.len() as u64
            }
        }
    )*};
}

arrays!(Chunks, ChunksMut, ChunksInOut);

impl<'a, T: Element> Source<'a> for Chunks<'a, T> {
    fn given(&self) -> Given<'a> {
        Given(self.host(), PhantomData)
    }
}

impl<'a, T: Element> Source<'a> for ChunksInOut<'a, T> {
    fn given(&self) -> Given<'a> {
        Given(self.host().map(|(given, _)| given), PhantomData)
    }
}

impl<'a, T: Element> Destination<'a> for ChunksMut<'a, T> {
    fn wanted(&mut self) -> Wanted<'a> {
        Wanted(self.host(), PhantomData)
    }
}

impl<'a, T: Element> Destination<'a> for ChunksInOut<'a, T> {
    fn wanted(&mut self) -> Wanted<'a> {
        Wanted(self.host().map(|(_, result)| result), PhantomData)
    }
}

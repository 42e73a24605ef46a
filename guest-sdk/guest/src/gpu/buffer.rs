//! Memory on the device.

use super::{Error, host};
use crate::raw::{self, Block, Element};
use std::borrow::Cow;

/// Memory on the device. Dropping it gives its bytes back once the device is done with it.
pub struct Buffer(pub(super) host::Buffer);

impl Buffer {
    /// Its size.
    pub fn size_bytes(&self) -> u64 {
        host::size_bytes(&self.0)
    }

    /// Writes elements of the guest from the start on; batches that are submitted later see them.
    ///
    /// # Errors
    /// If they are longer than the buffer, or their bytes no multiple of 4.
    pub fn write<T: Element>(&self, elements: &[T]) -> Result<(), Error> {
        self.write_at(0, elements)
    }

    /// [`write`](Self::write) from a byte on, which is a multiple of 4.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_at<T: Element>(&self, offset_bytes: u64, elements: &[T]) -> Result<(), Error> {
        host::write(&self.0, offset_bytes, raw::bytes_of(elements))
    }

    /// Reads all of the buffer into the guest, after everything submitted so far.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    pub fn read<T: Element>(&self) -> Result<Block<'static, T>, Error> {
        let elements = self.size_bytes() / size_of::<T>() as u64;
        self.read_at(0, usize::try_from(elements).unwrap_or(usize::MAX))
    }

    /// Reads so many elements from a byte on, which is a multiple of 4, after everything submitted so far.
    ///
    /// # Errors
    /// If they are not inside the buffer, their bytes are no multiple of 4 or 4 GiB and more, or one
    /// is no value of `T`.
    pub fn read_at<T: Element>(
        &self,
        offset_bytes: u64,
        elements: usize,
    ) -> Result<Block<'static, T>, Error> {
        let len_bytes = (elements as u64).saturating_mul(size_of::<T>() as u64);
        let len = u32::try_from(len_bytes).map_err(|_| Error::OutOfRange {
            offset_bytes,
            len_bytes,
            size_bytes: self.size_bytes(),
        })?;
        let bytes = host::read(&self.0, offset_bytes, len)?;
        Block::new(Cow::Owned(bytes))
            .ok_or_else(|| Error::Misuse(format!("the buffer holds no {} values", T::DTYPE)))
    }
}

/// Four bytes of a uniform: a `u32`, `i32` or `f32` of WGSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u32);

impl Word {
    /// Its bits.
    pub fn to_bits(self) -> u32 {
        self.0
    }
}

impl From<u32> for Word {
    fn from(value: u32) -> Self {
        Self(value)
    }
}

impl From<i32> for Word {
    fn from(value: i32) -> Self {
        Self(value.cast_unsigned())
    }
}

impl From<f32> for Word {
    fn from(value: f32) -> Self {
        Self(value.to_bits())
    }
}

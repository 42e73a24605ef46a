//! Memory on the device.

use super::{Error, host};
use crate::element::{Block, Element, bytes_of};
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
    /// If they are longer than the buffer, or their bytes no multiple of 4 and end before it does.
    pub fn write<T: Element>(&self, elements: &[T]) -> Result<(), Error> {
        self.write_at(0, elements)
    }

    /// [`write`](Self::write) from a byte on, which is a multiple of 4.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_at<T: Element>(&self, offset_bytes: u64, elements: &[T]) -> Result<(), Error> {
        host::write(&self.0, offset_bytes, bytes_of(elements))
    }

    /// Reads all of the buffer into the guest, after everything submitted so far.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at), and if the buffer does not end where an element does.
    pub fn read<T: Element>(&self) -> Result<Block<'static, T>, Error> {
        let elements = whole_elements::<T>(self.size_bytes())?;
        self.read_at(0, usize::try_from(elements).unwrap_or(usize::MAX))
    }

    /// Reads so many elements from a byte on, which is a multiple of 4, after everything submitted so far.
    ///
    /// # Errors
    /// If they are not inside the buffer, their bytes are no multiple of 4 and end before it does, or
    /// are 4 GiB and more, or one is no value of `T`.
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

/// How many elements so many bytes are.
fn whole_elements<T: Element>(size_bytes: u64) -> Result<u64, Error> {
    let of_one = size_of::<T>() as u64;
    if !size_bytes.is_multiple_of(of_one) {
        let dtype = T::DTYPE;
        let wrong = format!(
            "a buffer of {size_bytes} bytes holds no whole number of {dtype} values, of {of_one} each"
        );
        return Err(Error::Misuse(wrong));
    }
    Ok(size_bytes / of_one)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_read_as_whole_elements_or_not_at_all() {
        assert_eq!(whole_elements::<u8>(5).unwrap(), 5);
        assert_eq!(whole_elements::<f64>(0).unwrap(), 0);
        let refused = whole_elements::<u32>(5).unwrap_err().to_string();
        assert!(refused.contains('5') && refused.contains('4'), "{refused}");
    }
}

//! A row of pixels with its border pixels repeated on both sides.
//!
//! With the margin in place a neighbour is a plain offset, and the loops over a row need no special
//! case at its ends.

/// Bytes of a pixel: red, green, blue, alpha.
pub(crate) const CHANNELS: usize = 4;

/// A row with `MARGIN` pixels more at each end.
pub(crate) struct Padded<T, const MARGIN: usize> {
    values: Vec<T>,
}

impl<T: Copy + Default, const MARGIN: usize> Padded<T, MARGIN> {
    const BEFORE: usize = MARGIN * CHANNELS;

    /// A row of `stride` values, at least one pixel.
    pub(crate) fn new(stride: usize) -> Self {
        Self {
            values: vec![T::default(); stride + 2 * Self::BEFORE],
        }
    }

    /// The row itself, to be filled; call [`Self::repeat_border`] afterwards.
    pub(crate) fn inner_mut(&mut self) -> &mut [T] {
        let end = self.values.len() - Self::BEFORE;
        &mut self.values[Self::BEFORE..end]
    }

    /// Sets the margins to the first and the last pixel.
    pub(crate) fn repeat_border(&mut self) {
        let end = self.values.len() - Self::BEFORE;
        for pixel in 0..MARGIN {
            let first = Self::BEFORE..Self::BEFORE + CHANNELS;
            self.values.copy_within(first, pixel * CHANNELS);
            self.values
                .copy_within(end - CHANNELS..end, end + pixel * CHANNELS);
        }
    }

    /// The row shifted by `0 ..= 2 * MARGIN` pixels: `shifted(MARGIN)` is the row itself.
    #[inline]
    pub(crate) fn shifted(&self, pixels: usize) -> &[T] {
        let length = self.values.len() - 2 * Self::BEFORE;
        &self.values[pixels * CHANNELS..][..length]
    }
}

//! The Sobel gradient's magnitude, first down the columns and then along the row.

use crate::row::Padded;

/// Computes rows of the magnitude.
pub(crate) struct Gradient {
    /// Columns weighted 1 2 1, up to 4 × 255.
    smoothed: Padded<u16, 1>,
    /// The row below less the one above.
    slope: Padded<i16, 1>,
}

impl Gradient {
    /// For rows of `stride` bytes.
    pub(crate) fn new(stride: usize) -> Self {
        Self {
            smoothed: Padded::new(stride),
            slope: Padded::new(stride),
        }
    }

    /// Writes |gx| + |gy|, cut at 255, for the row between `above` and `below`.
    pub(crate) fn row(&mut self, above: &[u8], here: &[u8], below: &[u8], to: &mut [u8]) {
        self.combine_columns(above, here, below);
        let [left, right] = [0, 2].map(|pixels| self.smoothed.shifted(pixels));
        let slopes = [0, 1, 2].map(|pixels| self.slope.shifted(pixels));
        let to = &mut to[..left.len()];
        for (j, to) in to.iter_mut().enumerate() {
            let [a, b, c] = slopes.map(|slope| slope[j]);
            // At most 4 × 255 either way; wrapping spares the loop its overflow checks.
            let vertical = a.wrapping_add(c).wrapping_add(b.wrapping_mul(2));
            let horizontal = left[j].abs_diff(right[j]);
            let magnitude = horizontal.wrapping_add(vertical.unsigned_abs());
            *to = magnitude.min(255) as u8;
        }
    }

    fn combine_columns(&mut self, above: &[u8], here: &[u8], below: &[u8]) {
        let smoothed = self.smoothed.inner_mut();
        let slope = &mut self.slope.inner_mut()[..smoothed.len()];
        let [above, here, below] = [above, here, below].map(|row| &row[..smoothed.len()]);
        for (j, smoothed) in smoothed.iter_mut().enumerate() {
            *smoothed = u16::from(above[j]) + 2 * u16::from(here[j]) + u16::from(below[j]);
            slope[j] = i16::from(below[j]) - i16::from(above[j]);
        }
        self.smoothed.repeat_border();
        self.slope.repeat_border();
    }
}

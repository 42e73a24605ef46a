//! The binomial blur, first down the columns and then along the row.

use crate::row::Padded;

/// Blurs the rows of a picture, any of them, in any order.
pub(crate) struct Blur<'a> {
    rows: &'a [&'a [u8]],
    /// The column sums of the row at hand, up to 16 × 255.
    sums: Padded<u16, 2>,
}

impl<'a> Blur<'a> {
    /// Over `rows`, each of `stride` bytes, at least one.
    pub(crate) fn new(rows: &'a [&'a [u8]], stride: usize) -> Self {
        let sums = Padded::new(stride);
        Self { rows, sums }
    }

    /// Blurs row `y`; below the picture, its last row.
    pub(crate) fn row(&mut self, y: usize, to: &mut [u8]) {
        self.add_columns(y.min(self.rows.len() - 1));
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|pixels| self.sums.shifted(pixels));
        let to = &mut to[..a.len()];
        for (j, to) in to.iter_mut().enumerate() {
            // At most 256 × 255 + 128, so the sum fits and its upper byte is the rounded quotient.
            let sum = binomial([a[j], b[j], c[j], d[j], e[j]]).wrapping_add(128);
            *to = sum.to_be_bytes()[0];
        }
    }

    fn add_columns(&mut self, y: usize) {
        let sums = self.sums.inner_mut();
        let last = self.rows.len() - 1;
        let row =
            |offset: usize| &self.rows[(y + offset).saturating_sub(2).min(last)][..sums.len()];
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(row);
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = binomial([a[j], b[j], c[j], d[j], e[j]].map(u16::from));
        }
        self.sums.repeat_border();
    }
}

/// The sum weighted 1 4 6 4 1. Callers keep it below 2¹⁶; wrapping spares the loop its overflow
/// checks.
#[inline]
fn binomial([a, b, c, d, e]: [u16; 5]) -> u16 {
    let near = b.wrapping_add(d).wrapping_mul(4);
    let far = a.wrapping_add(e);
    c.wrapping_mul(6).wrapping_add(near).wrapping_add(far)
}

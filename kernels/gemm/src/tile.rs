//! The innermost loop: one tile of the result, held in registers over all terms.

use hotcell_guest::prelude::*;

/// Rows of a tile.
pub(crate) const ROWS: usize = 4;

/// Columns of a tile: two vectors of four. With `ROWS` that is eight accumulators, two vectors of
/// the right factor and one of the left, within the sixteen vector registers of x86-64.
pub(crate) const COLUMNS: usize = 8;

/// A tile of the result.
pub(crate) type Tile = [[f32; COLUMNS]; ROWS];

/// Terms added between two looks at the clock: a metered loop checks once a turn, and a turn of one term
/// is too short to hide it.
const TERMS: usize = 8;

/// The product of a packed panel of rows and a packed panel of columns.
#[inline]
pub(crate) fn multiply(left: &[[f32; ROWS]], right: &[[f32; COLUMNS]]) -> Tile {
    let mut tile = [[0.0; COLUMNS]; ROWS];
    let (left, left_rest) = left.as_chunks::<TERMS>();
    let (right, right_rest) = right.as_chunks::<TERMS>();
    for (left, right) in left.iter().zip(right) {
        for term in 0..TERMS {
            add_term(&mut tile, &left[term], &right[term]);
        }
    }
    for (left, right) in left_rest.iter().zip(right_rest) {
        add_term(&mut tile, left, right);
    }
    tile
}

/// Adds the outer product of one column of the left factor and one row of the right.
#[inline]
fn add_term(tile: &mut Tile, left: &[f32; ROWS], right: &[f32; COLUMNS]) {
    for (sums, a) in tile.iter_mut().zip(left) {
        for (sum, b) in sums.iter_mut().zip(right) {
            *sum += a * b;
        }
    }
}

/// Adds the part of `tile` that lies within `out` at (`top`, `left`).
#[inline]
pub(crate) fn add_tile(tile: &Tile, top: usize, left: usize, out: &mut ViewMut2<f32>) {
    let [m, _] = out.shape();
    for (row, sums) in (top..m).zip(tile) {
        let out = &mut out.row_mut(row)[left..];
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += sum;
        }
    }
}

//! The innermost loop: one tile of the result, held in registers over all terms.

use hotcell_guest::prelude::*;

/// Rows of a tile.
pub(crate) const ROWS: usize = 4;

/// Columns of a tile: two vectors of four. With `ROWS` that is eight accumulators, two vectors of
/// the right factor and one of the left, within the sixteen vector registers of x86-64.
pub(crate) const COLUMNS: usize = 8;

/// A tile of the result.
pub(crate) type Tile = [[f32; COLUMNS]; ROWS];

/// The product of a packed panel of rows and a packed panel of columns.
#[inline]
pub(crate) fn multiply(left: &[[f32; ROWS]], right: &[[f32; COLUMNS]]) -> Tile {
    let mut tile = [[0.0; COLUMNS]; ROWS];
    for (left, right) in left.iter().zip(right) {
        for (sums, a) in tile.iter_mut().zip(left) {
            for (sum, b) in sums.iter_mut().zip(right) {
                *sum += a * b;
            }
        }
    }
    tile
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

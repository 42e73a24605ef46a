//! Matrix products by register tiles over a packed right-hand side.

use hotcell_guest::prelude::View2;

/// Rows of a tile.
pub(crate) const ROWS: usize = 4;

/// Columns of a tile: with [`ROWS`], eight SIMD registers of sums.
const COLUMNS: usize = 8;

/// A matrix cut into panels of [`COLUMNS`] columns, each stored row after row, filled up with zeros.
pub(crate) struct Panels {
    depth: usize,
    width: usize,
    rows: Vec<[f32; COLUMNS]>,
}

impl Panels {
    /// The matrix itself.
    pub(crate) fn of_columns(matrix: &View2<f32>) -> Self {
        let [depth, columns] = matrix.shape();
        Self::pack(depth, columns, |row, column| matrix[[row, column]])
    }

    /// The transpose of the matrix.
    pub(crate) fn of_rows(matrix: &View2<f32>) -> Self {
        let [columns, depth] = matrix.shape();
        Self::pack(depth, columns, |row, column| matrix[[column, row]])
    }

    fn pack(depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let width = columns.next_multiple_of(COLUMNS);
        let mut rows = vec![[0.0; COLUMNS]; depth * (width / COLUMNS)];
        for column in 0..columns {
            let panel = &mut rows[column / COLUMNS * depth..][..depth];
            for (i, row) in panel.iter_mut().enumerate() {
                row[column % COLUMNS] = at(i, column);
            }
        }
        Self { depth, width, rows }
    }

    /// The number of columns, with those that fill the last panel.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Writes `left` times the matrix to `product`, [`ROWS`] rows of [`width`](Self::width).
    ///
    /// `left` holds its rows side by side: as many elements as the matrix has rows.
    pub(crate) fn multiply(&self, left: &[[f32; ROWS]], product: &mut [f32]) {
        for column in (0..self.width).step_by(COLUMNS) {
            let panel = &self.rows[column / COLUMNS * self.depth..][..self.depth];
            for (r, sums) in tile(left, panel).iter().enumerate() {
                product[r * self.width + column..][..COLUMNS].copy_from_slice(sums);
            }
        }
    }
}

/// One tile of the product.
fn tile(left: &[[f32; ROWS]], panel: &[[f32; COLUMNS]]) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (left, right) in left.iter().zip(panel) {
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
    sums
}

/// Puts rows side by side, as [`Panels::multiply`] takes them.
pub(crate) fn interleave(rows: [&[f32]; ROWS], target: &mut [[f32; ROWS]]) {
    for (r, row) in rows.iter().enumerate() {
        for (element, x) in target.iter_mut().zip(*row) {
            element[r] = *x;
        }
    }
}

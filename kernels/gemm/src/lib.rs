//! gemm: the product of two dense matrices in single precision, bound by arithmetic.
//!
//! The blocking is that of Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication* (2008): panels of both factors are packed so that the innermost loop reads
//! consecutive memory and keeps a tile of the result in registers. An element's terms are always
//! added in the same order, so cutting `m` leaves every bit as it was. The listed sizes are 256,
//! 512 and 1024.

use hotcell_guest::prelude::*;

mod pack;
#[cfg(test)]
mod reference;
mod tile;

use pack::{pack_columns, pack_rows};
use tile::{COLUMNS, ROWS, add_tile, multiply};

/// Terms added per pass: a packed panel of columns is 8 KiB and stays in the first-level cache.
const DEPTH: usize = 256;

/// Rows packed at a time: 128 KiB, for the second-level cache.
const BAND: usize = 128;

/// Multiplies two matrices.
#[kernel(
    sig = "(m,k),(k,n)->(m,n)",
    split = "m",
    cost = "2*m*k*n",
    weight = "heavy"
)]
pub fn gemm(a: View2<f32>, b: View2<f32>, mut out: ViewMut2<f32>) {
    let ([m, k], [_, n]) = (a.shape(), b.shape());
    out.as_mut_slice().fill(0.0);
    let mut left = Vec::new();
    let mut right = Vec::new();
    for first in (0..k).step_by(DEPTH) {
        let terms = first..k.min(first + DEPTH);
        pack_columns(b, terms.clone(), n, &mut right);
        for top in (0..m).step_by(BAND) {
            pack_rows(a, top..m.min(top + BAND), terms.clone(), &mut left);
            add_band(&left, &right, terms.len(), top, &mut out);
        }
    }
}

/// Adds the product of one packed band of rows and all packed columns to the result.
fn add_band(
    left: &[[f32; ROWS]],
    right: &[[f32; COLUMNS]],
    terms: usize,
    top: usize,
    out: &mut ViewMut2<f32>,
) {
    for (column, right) in right.chunks_exact(terms).enumerate() {
        for (row, left) in left.chunks_exact(terms).enumerate() {
            let tile = multiply(left, right);
            add_tile(&tile, top + row * ROWS, column * COLUMNS, out);
        }
    }
}

hotcell_guest::export!(gemm);

#[cfg(test)]
mod tests;

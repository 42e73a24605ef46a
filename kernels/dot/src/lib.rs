//! dot: the inner product of two vectors in single precision, a reduction.
//!
//! Blocks are summed in `f32` with several accumulators, which the SDK's `math::dot` keeps in
//! vector registers; the blocks' results meet in `f64`. So the rounding error grows with a block's
//! length and not with `n`. The listed size, 2²⁴ elements, is the one of Taichi's benchmark suite.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Elements summed in single precision.
const BLOCK: usize = 1024;

/// Multiplies two vectors element by element and adds up the products.
#[kernel(sig = "(n),(n)->()", cost = "2*n")]
pub fn dot(x: &[f32], y: &[f32], out: &mut [f32]) {
    let total: f64 = x
        .chunks(BLOCK)
        .zip(y.chunks(BLOCK))
        .map(|(x, y)| f64::from(math::dot(x, y)))
        // `sum` begins with -0.0, which is what it would give for nothing.
        .fold(0.0, |total, block| total + block);
    out[0] = narrow(total);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
fn narrow(total: f64) -> f32 {
    total as f32
}

hotcell_guest::export!(dot);

#[cfg(test)]
mod tests;

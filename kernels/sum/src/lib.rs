//! sum: the sum of a vector in single precision, a reduction, in two forms.
//!
//! `sum` holds its vector in the guest's memory. `sum_stream` reads it block by block from the
//! host, so that an array far larger than the guest's memory limit can be summed. Both add up
//! blocks in `f32` with several accumulators and the blocks' sums in `f64`, in the same order, and
//! so give the same bits. The listed size, 2²⁴ elements, is the one of Taichi's benchmark suite.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Elements summed in single precision.
const BLOCK: usize = 1024;

/// Elements fetched from the host at once: 1 MiB, a whole number of blocks.
const FETCH: usize = 256 * BLOCK;

/// Adds up a vector.
#[kernel(sig = "(n)->()", cost = "n")]
pub fn sum(x: &[f32], out: &mut [f32]) {
    out[0] = narrow(add_blocks(0.0, x));
}

/// Adds up a vector that need not fit into the guest's memory.
#[kernel(sig = "(n)->()", cost = "n")]
pub fn sum_stream(x: Chunks<f32>, out: &mut [f32]) {
    let mut total = 0.0;
    for fetched in x.blocks(FETCH) {
        total = add_blocks(total, &fetched);
    }
    out[0] = narrow(total);
}

/// `total` and the sums of the blocks of `x`, added one after the other.
fn add_blocks(total: f64, x: &[f32]) -> f64 {
    x.chunks(BLOCK)
        .fold(total, |total, block| total + f64::from(math::sum(block)))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
fn narrow(total: f64) -> f32 {
    total as f32
}

hotcell_guest::export!(sum, sum_stream);

#[cfg(test)]
mod tests;

//! sum on the GPU: the sum of a vector in single precision, in two forms.
//!
//! A workgroup adds up 16384 elements in `f32`, by lanes and then as a tree, and the workgroups' sums
//! meet in `f64` in the guest. `sum` holds its vector on the device whole; `sum_stream` passes it
//! through one buffer of 16 MiB, so that an array larger than the device's memory can be summed.

use hotcell_guest::{gpu, prelude::*};

/// Elements of a workgroup: 256 invocations of 16 times four.
const GROUP: usize = 16_384;

/// Elements on the device at once where the vector is streamed.
const PIECE: usize = 256 * GROUP;

/// Adds up a vector.
#[kernel(sig = "(n)->()", cost = "n")]
pub fn sum(x: Chunks<f32>, out: &mut [f32]) -> Result<(), gpu::Error> {
    out[0] = add_pieces(x, x.len())?;
    Ok(())
}

/// Adds up a vector that need not fit into the device's memory.
#[kernel(sig = "(n)->()", cost = "n")]
pub fn sum_stream(x: Chunks<f32>, out: &mut [f32]) -> Result<(), gpu::Error> {
    out[0] = add_pieces(x, PIECE)?;
    Ok(())
}

/// The sum of the elements, `piece` of which are on the device at once.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
fn add_pieces(x: Chunks<f32>, piece: usize) -> Result<f32, gpu::Error> {
    if x.is_empty() {
        return Ok(0.0);
    }
    let piece = piece.min(x.len());
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("sum.wgsl"), "main")?;
    let terms = device.buffer(4 * piece as u64)?;
    let groups = piece.div_ceil(GROUP);
    let sums = device.buffer(4 * groups as u64)?;
    let bound = kernel.bind(&[(0, &terms), (1, &sums)])?;
    let layout = device.spread(groups)?;
    let mut total = 0.0_f64;
    for first in (0..x.len()).step_by(piece) {
        let range = first..x.len().min(first + piece);
        let mut batch = device.batch();
        if range.len() < piece {
            // What the piece before has left would be added again.
            batch = batch.clear(&terms);
        }
        batch
            .fill_range(&x, range, &terms, 0)
            .dispatch(&bound, layout)
            .run()?;
        let sums = sums.read_at::<f32>(0, groups)?;
        total += sums.iter().copied().map(f64::from).sum::<f64>();
    }
    Ok(total as f32)
}

hotcell_guest::export!(sum, sum_stream);

#[cfg(test)]
mod tests;

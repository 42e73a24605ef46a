//! dot on the GPU: the inner product of two vectors in single precision.
//!
//! A workgroup multiplies and adds up 16384 pairs in `f32`, by lanes and then as a tree; the
//! workgroups' sums meet in `f64` in the guest. So the rounding error does not grow with `n`.

use hotcell_guest::{gpu, prelude::*};

/// Pairs of a workgroup: 256 invocations of 16 times four.
const GROUP: usize = 16_384;

/// Multiplies two vectors element by element and adds up the products.
#[kernel(sig = "(n),(n)->()", cost = "2*n")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
pub fn dot(x: Chunks<f32>, y: Chunks<f32>, out: &mut [f32]) -> Result<(), gpu::Error> {
    if x.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("dot.wgsl"), "main")?;
    let groups = x.len().div_ceil(GROUP);
    let (left, right) = (device.buffer_for(&x)?, device.buffer_for(&y)?);
    let sums = device.buffer(4 * groups as u64)?;
    let bound = kernel.bind(&[(0, &left), (1, &right), (2, &sums)])?;
    device
        .batch()
        .fill(&x, &left)
        .fill(&y, &right)
        .dispatch(&bound, device.spread(groups)?)
        .run()?;
    let sums = sums.read_at::<f32>(0, groups)?;
    out[0] = sums.iter().copied().map(f64::from).sum::<f64>() as f32;
    Ok(())
}

hotcell_guest::export!(dot);

#[cfg(test)]
mod tests;

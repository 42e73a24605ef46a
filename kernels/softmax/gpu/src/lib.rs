//! Softmax on the GPU over the last axis of a rank-4 array: exp(x − max) / Σ exp(x − max).
//!
//! A workgroup of 64 invocations takes one row at a time, however long. Signature, cases and check are
//! those of the form for the CPU; what becomes of NaN and of infinities is the device's affair, as
//! WGSL allows.

use hotcell_guest::{gpu, prelude::*};

/// Turns each row of `x` into weights that add up to 1.
#[kernel(sig = "(n,h,r,c)->(n,h,r,c)", cost = "20*n*h*r*c")]
pub fn softmax(c: usize, x: Chunks<f32>, mut out: ChunksMut<f32>) -> Result<(), gpu::Error> {
    if x.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("softmax.wgsl"), "main")?;
    let rows = x.len() / c;
    let shape = device.parameters(&[gpu::extent(rows)?.into(), gpu::extent(c)?.into()])?;
    let (scores, weights) = (device.buffer_for(&x)?, device.buffer_for(&x)?);
    let bound = kernel.bind(&[(0, &shape), (1, &scores), (2, &weights)])?;
    device
        .batch()
        .fill(&x, &scores)
        .dispatch(&bound, device.spread(rows)?)
        .read(&weights, &mut out)
        .run()
}

hotcell_guest::export!(softmax);

#[cfg(test)]
mod tests;

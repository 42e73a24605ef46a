//! saxpy on the GPU: `out = a·x + y` in single precision, bound by memory and by the way to the device.
//!
//! The result takes `y`'s place on the device, so that two buffers are enough. Signature, cases and
//! check are those of the form for the CPU.

use hotcell_guest::{gpu, prelude::*};

/// Elements of a workgroup: 256 invocations of four.
const GROUP: usize = 1024;

/// Adds `a` times `x` to `y`, element by element.
#[kernel(sig = "(n),(n)->(n)", cost = "2*n", weight = "light")]
pub fn saxpy(
    a: f32,
    x: Chunks<f32>,
    y: Chunks<f32>,
    mut out: ChunksMut<f32>,
) -> Result<(), gpu::Error> {
    if out.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("saxpy.wgsl"), "main")?;
    let parameters = device.parameters(&[a.into()])?;
    // The shader counts vectors of four: zeros complete the last one.
    let whole_bytes = (4 * out.len() as u64).next_multiple_of(16);
    let (addend, factor) = (device.buffer(whole_bytes)?, device.buffer(whole_bytes)?);
    let bound = kernel.bind(&[(0, &parameters), (1, &factor), (2, &addend)])?;
    let groups = device.spread(out.len().div_ceil(GROUP))?;
    device
        .batch()
        .fill(&x, &factor)
        .fill(&y, &addend)
        .dispatch(&bound, groups)
        .read(&addend, &mut out)
        .run()
}

hotcell_guest::export!(saxpy);

#[cfg(test)]
mod tests;

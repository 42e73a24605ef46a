//! edges on the GPU: a 5 × 5 binomial blur and the Sobel gradient's magnitude, all in integers.
//!
//! One dispatch: a workgroup reads 22 × 22 pixels, blurs what its gradient needs of them in workgroup
//! memory and writes 16 × 16. So the picture is that of the form for the CPU to the bit.

use hotcell_guest::{gpu, prelude::*};

/// Columns and rows of a workgroup.
const TILE: usize = 16;

/// Finds edges: a Gaussian blur and the magnitude of the Sobel gradient, for each colour.
#[kernel(sig = "(h,w,4)->(h,w,4)", cost = "42*h*w*4")]
pub fn edges(
    h: usize,
    w: usize,
    image: Chunks<u8>,
    mut out: ChunksMut<u8>,
) -> Result<(), gpu::Error> {
    if image.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("edges.wgsl"), "main")?;
    let shape = device.parameters(&[gpu::extent(h)?.into(), gpu::extent(w)?.into()])?;
    let (picture, found) = (device.buffer_for(&image)?, device.buffer_for(&image)?);
    let bound = kernel.bind(&[(0, &shape), (1, &picture), (2, &found)])?;
    let columns = gpu::extent(w.div_ceil(TILE))?;
    device
        .batch()
        .fill(&image, &picture)
        .dispatch(&bound, [columns, gpu::extent(h.div_ceil(TILE))?, 1])
        .read(&found, &mut out)
        .run()
}

hotcell_guest::export!(edges);

#[cfg(test)]
mod tests;

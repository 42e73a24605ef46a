//! jacobi_2d on the GPU: a five-point stencil swept over two grids in turn.
//!
//! Both grids stay on the device; each sweep is one dispatch, and the listed size's 158 are one batch.
//! Signature, cases and check are those of the form for the CPU.

use hotcell_guest::{gpu, prelude::*};

/// Columns and rows of a workgroup.
const GROUP: [usize; 2] = [64, 4];

/// Time steps of a batch, so that a batch is of bounded size.
const STEPS: u32 = 100;

/// Averages every inner point with its four neighbours, there and back between two grids.
#[kernel(
    sig = "(h,w),(h,w)->(h,w),(h,w)",
    default(steps = 80),
    cost = "10*(steps-1)*(h-2)*(w-2)"
)]
pub fn jacobi_2d(
    steps: u32,
    h: usize,
    w: usize,
    mut a: ChunksInOut<f32>,
    mut b: ChunksInOut<f32>,
) -> Result<(), gpu::Error> {
    if a.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("sweep.wgsl"), "main")?;
    let shape = device.parameters(&[gpu::extent(h)?.into(), gpu::extent(w)?.into()])?;
    let (grid_a, grid_b) = (device.buffer_for(&a)?, device.buffer_for(&b)?);
    let there = kernel.bind(&[(0, &shape), (1, &grid_a), (2, &grid_b)])?;
    let back = kernel.bind(&[(0, &shape), (1, &grid_b), (2, &grid_a)])?;
    let columns = gpu::extent(w.div_ceil(GROUP[0]))?;
    let groups = [columns, gpu::extent(h.div_ceil(GROUP[1]))?, 1];
    let mut batch = device.batch().fill(&a, &grid_a).fill(&b, &grid_b);
    for step in 1..steps {
        if step % STEPS == 0 {
            batch.run()?;
            batch = device.batch();
        }
        batch = batch.dispatch(&there, groups).dispatch(&back, groups);
    }
    batch.read(&grid_a, &mut a).read(&grid_b, &mut b).run()
}

hotcell_guest::export!(jacobi_2d);

#[cfg(test)]
mod tests;

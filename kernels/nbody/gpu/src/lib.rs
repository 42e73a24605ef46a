//! One step of the gravitational n-body problem on the GPU, over all pairs.
//!
//! An invocation moves one body; a workgroup brings 256 sources at a time into workgroup memory, as
//! in L. Nyland, M. Harris and J. Prins, *Fast N-Body Simulation with CUDA* (GPU Gems 3, 2007).
//! Model, signature, cases and check are those of the form for the CPU.

use hotcell_guest::{gpu, prelude::*};

/// Bodies of a workgroup.
const GROUP: usize = 256;

/// Moves bodies by one step under their mutual gravity.
///
/// `positions` and `velocities` are of the same bodies, so `m` must equal `n`.
#[kernel(
    sig = "(m,3),(n,3)->(n,3),(n,3)",
    cost = "18*m*n + 12*n",
    default(dt = 0.01, softening = 1e-9)
)]
#[expect(clippy::too_many_arguments, reason = "the entry's parameters")]
pub fn nbody(
    dt: f32,
    softening: f32,
    m: usize,
    n: usize,
    positions: Chunks<f32>,
    velocities: Chunks<f32>,
    mut new_positions: ChunksMut<f32>,
    mut new_velocities: ChunksMut<f32>,
) -> Result<(), String> {
    if m != n {
        return Err(format!("{m} positions but {n} velocities"));
    }
    if n == 0 {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("nbody.wgsl"), "main")?;
    let count = gpu::extent(n)?;
    let step = device.parameters(&[count.into(), dt.into(), softening.into()])?;
    let (x, v) = (
        device.buffer_for(&positions)?,
        device.buffer_for(&velocities)?,
    );
    let new_x = device.buffer_for(&positions)?;
    let bound = kernel.bind(&[(0, &step), (1, &x), (2, &v), (3, &new_x)])?;
    device
        .batch()
        .fill(&positions, &x)
        .fill(&velocities, &v)
        .dispatch(&bound, device.spread(n.div_ceil(GROUP))?)
        .read(&new_x, &mut new_positions)
        .read(&v, &mut new_velocities)
        .run()?;
    Ok(())
}

hotcell_guest::export!(nbody);

#[cfg(test)]
mod tests;

//! gemm on the GPU: the product of two dense matrices in single precision, bound by arithmetic.
//!
//! Two shaders. `tiled.wgsl` stages panels of both factors in workgroup memory; each invocation keeps
//! 4 × 4 elements of the result in registers. `subgroups.wgsl` needs no workgroup memory and no
//! barrier: a subgroup passes elements of the left factor from lane to lane. It serves where the
//! device has subgroups of one size. Signature, cases and check are those of the form for the CPU.

use hotcell_guest::{gpu, prelude::*};

/// Rows and columns of a workgroup's part of the result in `tiled.wgsl`.
const TILE: usize = 64;

/// Invocations of a workgroup in both shaders.
const LANES: u32 = 256;

/// Rows and columns of an invocation's part of the result in `subgroups.wgsl`.
const ROWS: u32 = 8;
const COLUMNS: u32 = 4;

/// Multiplies two matrices.
#[kernel(sig = "(m,k),(k,n)->(m,n)", cost = "2*m*k*n", weight = "heavy")]
pub fn gemm(
    m: usize,
    k: usize,
    n: usize,
    a: Chunks<f32>,
    b: Chunks<f32>,
    mut out: ChunksMut<f32>,
) -> Result<(), gpu::Error> {
    if a.is_empty() || b.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let (kernel, rows, columns) = choose(&device)?;
    let [height, depth, width] = [gpu::extent(m)?, gpu::extent(k)?, gpu::extent(n)?];
    let shape = device.parameters(&[height.into(), depth.into(), width.into()])?;
    let (left, right) = (device.buffer_for(&a)?, device.buffer_for(&b)?);
    let product = device.buffer(4 * out.len() as u64)?;
    let bound = kernel.bind(&[(0, &shape), (1, &left), (2, &right), (3, &product)])?;
    let groups = [
        gpu::extent(n.div_ceil(columns))?,
        gpu::extent(m.div_ceil(rows))?,
        1,
    ];
    device
        .batch()
        .fill(&a, &left)
        .fill(&b, &right)
        .dispatch(&bound, groups)
        .read(&product, &mut out)
        .run()
}

/// The kernel for this device, with the rows and columns of a workgroup.
fn choose(device: &gpu::Device) -> Result<(gpu::Kernel, usize, usize), gpu::Error> {
    let offered = device.properties();
    let lanes = offered.min_subgroup_size;
    let is_fixed = lanes == offered.max_subgroup_size && (4..=128).contains(&lanes);
    if !offered.has_subgroups || !is_fixed {
        let kernel = device.kernel(gpu::wgsl!("tiled.wgsl"), "main")?;
        return Ok((kernel, TILE, TILE));
    }
    let shader = gpu::wgsl!("subgroups.wgsl").with("LANES", lanes);
    let (rows, columns) = (ROWS * (LANES / lanes), COLUMNS * lanes);
    Ok((
        device.kernel(shader, "main")?,
        rows as usize,
        columns as usize,
    ))
}

hotcell_guest::export!(gemm);

#[cfg(test)]
mod tests;

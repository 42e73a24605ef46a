//! prefix_scan on the GPU: running sums of unsigned integers, modulo 2³².
//!
//! Reduce, then scan: the sums of blocks of 4096 elements are scanned first, in the same way, and then
//! each block starts from the sum of those before it. No workgroup waits for another, so that the
//! kernel ends on any device. Signature, cases and check are those of the form for the CPU.

use hotcell_guest::{gpu, prelude::*};

/// Elements of a workgroup: 256 invocations of four times four.
const BLOCK: usize = 4096;

/// Adds up all elements as far as each, modulo 2³².
#[kernel(sig = "(n)->(n)", cost = "2*n", weight = "light")]
pub fn prefix_scan(x: Chunks<u32>, mut out: ChunksMut<u32>) -> Result<(), gpu::Error> {
    if x.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let reduce = device.kernel(gpu::wgsl!("scan.wgsl"), "reduce")?;
    let scan = device.kernel(gpu::wgsl!("scan.wgsl"), "scan")?;
    // The vector, the sums of its blocks, the sums of blocks of those, down to one block; then the
    // nothing before that one.
    let mut lens = vec![x.len()];
    while let Some(&len) = lens.last().filter(|&&len| len > BLOCK) {
        lens.push(len.div_ceil(BLOCK));
    }
    let buffer = |&len: &usize| device.buffer(4 * len as u64);
    let mut levels = lens.iter().map(buffer).collect::<Result<Vec<_>, _>>()?;
    levels.push(device.buffer(4)?);
    let mut steps = Vec::new();
    for (pair, &len) in levels.windows(2).zip(&lens) {
        let buffers = [(0, &pair[0]), (1, &pair[1])];
        let groups = device.spread(len.div_ceil(BLOCK))?;
        steps.push((reduce.bind(&buffers)?, scan.bind(&buffers)?, groups));
    }
    let mut batch = device.batch().fill(&x, &levels[0]);
    for (reduce, _, groups) in &steps[..steps.len() - 1] {
        batch = batch.dispatch(reduce, *groups);
    }
    for (_, scan, groups) in steps.iter().rev() {
        batch = batch.dispatch(scan, *groups);
    }
    batch.read(&levels[0], &mut out).run()
}

hotcell_guest::export!(prefix_scan);

#[cfg(test)]
mod tests;

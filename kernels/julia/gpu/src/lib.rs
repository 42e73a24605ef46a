//! Frames of an animated Julia set on the GPU, one pixel to an invocation.
//!
//! The pictures are those of the form for the CPU to the bit: each product is kept from being fused
//! with the addition after it, which a driver may otherwise do. What depends on a frame alone, its
//! constant and the palette, is computed here in `f64`.

use hotcell_guest::{gpu, prelude::*};

#[path = "../../src/scene.rs"]
mod scene;

/// Columns and rows of a workgroup.
const GROUP: [usize; 2] = [16, 16];

/// Pixels on the device at once: 64 MiB of them, one frame at least.
const PIXELS: usize = 1 << 24;

/// Draws `t` frames of RGBA pixels; frame i is the set at time `start + i·step`.
#[kernel(
    sig = "->(t,h,w,4)",
    cost = "10*limit*t*h*w",
    weight = "heavy",
    default(limit = 50, start = 0.0, step = 0.03)
)]
pub fn julia(
    limit: u32,
    start: f64,
    step: f64,
    t: usize,
    h: usize,
    w: usize,
    mut frames: ChunksMut<u8>,
) -> Result<(), gpu::Error> {
    if frames.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let kernel = device.kernel(gpu::wgsl!("julia.wgsl"), "main")?;
    let palette = scene::palette(limit);
    let palette = device.buffer_of(palette.as_flattened())?;
    let at_once = (PIXELS / (h * w)).clamp(1, t);
    let pixels = device.buffer(4 * (at_once * h * w) as u64)?;
    let groups = |frames| -> Result<[u32; 3], gpu::Error> {
        let [columns, rows] = [w.div_ceil(GROUP[0]), h.div_ceil(GROUP[1])];
        Ok([
            gpu::extent(columns)?,
            gpu::extent(rows)?,
            gpu::extent(frames)?,
        ])
    };
    let scale = 2.0 / h as f32;
    let shape = [
        gpu::extent(h)?.into(),
        gpu::extent(w)?.into(),
        limit.into(),
        scale.into(),
        0_u32.into(),
    ];
    let shape = device.parameters(&shape)?;
    for first in (0..t).step_by(at_once) {
        if control::should_stop() {
            return Ok(());
        }
        let drawn = first..t.min(first + at_once);
        let constants = drawn
            .clone()
            .map(|i| scene::constant_at(start + step * i as f64));
        let constants = device.buffer_of(&constants.collect::<Vec<f32>>())?;
        let buffers = [(0, &shape), (1, &palette), (2, &constants), (3, &pixels)];
        let bound = kernel.bind(&buffers)?;
        let bytes = 4 * h * w * drawn.start..4 * h * w * drawn.end;
        device
            .batch()
            .dispatch(&bound, groups(drawn.len())?)
            .read_range(&pixels, 0, &mut frames, bytes)
            .run()?;
        control::progress(drawn.end as u64, t as u64);
    }
    Ok(())
}

hotcell_guest::export!(julia);

#[cfg(test)]
mod tests;

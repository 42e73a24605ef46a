//! A falling block of fluid on the GPU, by the moving-least-squares material point method in 2D.
//!
//! Model, constants, signature, cases and check are those of the form for the CPU. A step is three
//! dispatches: particles to grid, grid, grid to particles. Where many particles add to one node, they
//! add 64-bit fixed-point numbers, whose sum is one whatever the order: so mass and momentum on the
//! grid are what the particles brought, and a launch gives the same bits every time on a device.

use hotcell_guest::{gpu, prelude::*};

/// Cells along each side of the unit square.
const GRID: u32 = 128;

/// Particles of a workgroup.
const GROUP: usize = 64;

/// Steps of a batch, so that a batch is of bounded size and the kernel can stop between two.
const STEPS: u32 = 50;

/// Words of a node: momentum along x and y and mass, each in two words.
const NODE_WORDS: u32 = 6;

/// Advances particles by `steps` steps of `dt` seconds.
///
/// `x` and `v` are positions in the unit square and velocities, `c` the affine velocity fields and
/// `j` the volume ratios. Asked to stop, it returns the state of the last whole batch of steps.
#[kernel(
    sig = "(n,2),(n,2),(n,2,2),(n)->(n,2),(n,2),(n,2,2),(n)",
    cost = "steps*(320*n + 8*16384)",
    weight = "heavy",
    default(dt = 2e-4, steps = 50)
)]
pub fn mpm88(
    dt: f32,
    steps: u32,
    mut x: ChunksInOut<f32>,
    mut v: ChunksInOut<f32>,
    mut c: ChunksInOut<f32>,
    mut j: ChunksInOut<f32>,
) -> Result<(), String> {
    if j.is_empty() {
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let [at, velocity, field, volume] = [
        device.buffer_for(&x)?,
        device.buffer_for(&v)?,
        device.buffer_for(&c)?,
        device.buffer_for(&j)?,
    ];
    let particles = [&at, &velocity, &field, &volume];
    let simulation = Simulation::new(&device, dt, j.len(), particles)?;
    let batch = device.batch().fill(&x, &at).fill(&v, &velocity);
    batch.fill(&c, &field).fill(&j, &volume).run()?;
    for first in (0..steps).step_by(STEPS as usize) {
        if control::should_stop() {
            break;
        }
        simulation.advance(STEPS.min(steps - first))?;
        control::progress(u64::from(first + STEPS).min(steps.into()), steps.into());
    }
    let batch = device.batch().read(&at, &mut x).read(&velocity, &mut v);
    batch.read(&field, &mut c).read(&volume, &mut j).run()?;
    Ok(())
}

/// The three kernels, bound to particles and a grid.
struct Simulation<'a> {
    device: &'a gpu::Device,
    positions: &'a gpu::Buffer,
    /// The number of the first particle known to have left the grid, from 1.
    lost: gpu::Buffer,
    /// Particles to grid, grid, grid to particles: what to run and how much of it.
    passes: [(gpu::BindSet, [u32; 3]); 3],
}

impl<'a> Simulation<'a> {
    fn new(
        device: &'a gpu::Device,
        dt: f32,
        particles: usize,
        [x, v, c, j]: [&'a gpu::Buffer; 4],
    ) -> Result<Self, gpu::Error> {
        let step = device.parameters(&[gpu::extent(particles)?.into(), dt.into()])?;
        let nodes = device.buffer(u64::from(4 * NODE_WORDS * GRID * GRID))?;
        let velocities = device.buffer(u64::from(8 * GRID * GRID))?;
        let lost = device.buffer(4)?;
        let groups = device.spread(particles.div_ceil(GROUP))?;
        let pass = |entry, buffers: &[(u32, &gpu::Buffer)], groups| {
            let kernel = device.kernel(gpu::wgsl!("mpm88.wgsl"), entry)?;
            kernel.bind(buffers).map(|bound| (bound, groups))
        };
        let (step, grid, all) = (
            (0, &step),
            [(5, &nodes), (6, &velocities)],
            [(1, x), (2, v), (3, c), (4, j)],
        );
        let [x, v, c, j] = all;
        let passes = [
            pass("collect", &[step, x, v, c, j, grid[0], (7, &lost)], groups)?,
            pass("push", &[step, grid[0], grid[1]], [GRID * GRID / 64, 1, 1])?,
            pass("carry", &[step, x, v, c, j, grid[1]], groups)?,
        ];
        Ok(Self {
            device,
            positions: all[0].1,
            lost,
            passes,
        })
    }

    /// Makes so many steps in one batch.
    fn advance(&self, steps: u32) -> Result<(), String> {
        let mut batch = self.device.batch();
        for _ in 0..steps {
            for (bound, groups) in &self.passes {
                batch = batch.dispatch(bound, *groups);
            }
        }
        batch.run()?;
        match self.lost.read_at::<u32>(0, 1)?.first() {
            None | Some(0) => Ok(()),
            Some(&lost) => {
                let place = self.positions.read_at::<f32>(8 * u64::from(lost - 1), 2)?;
                Err(format!(
                    "a particle has left the grid at ({}, {})",
                    place[0], place[1]
                ))
            }
        }
    }
}

hotcell_guest::export!(mpm88);

#[cfg(test)]
mod tests;

//! A falling block of fluid by the moving-least-squares material point method in 2D.
//!
//! Model, constants and sizes are those of Taichi's `mpm88.py` (after Y. Hu et al., *A Moving Least
//! Squares Material Point Method*, SIGGRAPH 2018): 8192 particles on a grid of 128² cells over the
//! unit square, a step of 2·10⁻⁴ s, an equation of state that resists compression, affine transfers
//! (APIC) with quadratic B-splines, and walls that let go.
//!
//! [`mpm88`] advances a given state; [`frames`] starts from Taichi's block and draws an animation.

#[cfg(test)]
mod reference;

mod picture;
mod simulation;

use hotcell_guest::prelude::*;
use simulation::{Grid, Particle};

hotcell_guest::export!(mpm88, frames);

/// Cells along each side of the unit square.
pub const GRID: usize = 128;

/// Mass of one particle: density 1 times a quarter of a cell.
pub const PARTICLE_MASS: f32 = 0.25 / (GRID * GRID) as f32;

/// Downward acceleration.
pub const GRAVITY: f32 = 9.8;

/// Stiffness of the equation of state.
pub const STIFFNESS: f32 = 400.0;

/// Nodes at each wall that nothing passes through.
pub const BOUND: usize = 3;

/// Particles of an animation.
pub const PARTICLES: usize = 8192;

/// Steps between two frames of an animation.
pub const STEPS_PER_FRAME: u32 = 50;

/// Advances particles by `steps` steps of `dt` seconds.
///
/// `x` and `v` are positions in the unit square and velocities, `c` the affine velocity fields and
/// `j` the volume ratios. Asked to stop, it returns the state of the last whole step.
#[kernel(
    sig = "(n,2),(n,2),(n,2,2),(n)->(n,2),(n,2),(n,2,2),(n)",
    inout = "x,v,c,j",
    cost = "steps*(320*n + 8*16384)",
    weight = "heavy",
    default(dt = 2e-4, steps = 50)
)]
pub fn mpm88(
    dt: f32,
    steps: u32,
    x: &mut [f32],
    v: &mut [f32],
    c: &mut [f32],
    j: &mut [f32],
) -> Result<(), String> {
    let mut particles = gather(x, v, c, j);
    let mut grid = Grid::new();
    for step in 0..steps {
        if control::should_stop() {
            break;
        }
        grid.advance(&mut particles, dt)?;
        control::progress(u64::from(step) + 1, u64::from(steps));
    }
    scatter(&particles, x, v, c, j);
    Ok(())
}

/// Draws the fall of a block of 8192 particles as `t` frames of RGBA pixels, 50 steps apart.
///
/// The particles start at random places of the square [0.2, 0.6]², moving down at speed 1.
#[kernel(
    sig = "->(t,h,w,4)",
    cost = "t*(50*(320*8192 + 8*16384) + 2*h*w + 40*8192)",
    weight = "heavy",
    default(dt = 2e-4, seed = 1)
)]
pub fn frames(
    dt: f32,
    seed: u64,
    t: usize,
    h: usize,
    w: usize,
    out: &mut [u8],
) -> Result<(), String> {
    if h * w == 0 {
        return Ok(());
    }
    let mut particles = simulation::block(seed);
    let mut grid = Grid::new();
    for (i, frame) in out.chunks_exact_mut(4 * h * w).enumerate() {
        if control::should_stop() {
            break;
        }
        picture::draw(&particles, h, w, frame);
        for _ in 0..STEPS_PER_FRAME {
            grid.advance(&mut particles, dt)?;
        }
        control::progress(i as u64 + 1, t as u64);
    }
    Ok(())
}

/// Collects each particle's quantities in one place.
fn gather(x: &[f32], v: &[f32], c: &[f32], j: &[f32]) -> Vec<Particle> {
    let vectors = x.as_chunks().0.iter().zip(v.as_chunks().0);
    let scalars = c.as_chunks().0.iter().zip(j);
    vectors
        .zip(scalars)
        .map(|((&x, &v), (&c, &j))| Particle { x, v, c, j })
        .collect()
}

/// Writes the particles back to their arrays.
fn scatter(particles: &[Particle], x: &mut [f32], v: &mut [f32], c: &mut [f32], j: &mut [f32]) {
    let vectors = x.as_chunks_mut().0.iter_mut().zip(v.as_chunks_mut().0);
    let scalars = c.as_chunks_mut().0.iter_mut().zip(j);
    for (particle, ((x, v), (c, j))) in particles.iter().zip(vectors.zip(scalars)) {
        (*x, *v, *c, *j) = (particle.x, particle.v, particle.c, particle.j);
    }
}

#[cfg(test)]
mod tests;

//! Particles, the grid, and the transfers between them that make one step.
//!
//! A node is four floats, momentum or velocity (x, y), mass and a zero, so that each transfer to or
//! from a node is one SIMD operation.

use crate::{BOUND, GRAVITY, GRID, PARTICLE_MASS, PARTICLES, STIFFNESS};

/// Cells per unit of length.
const CELLS: f32 = GRID as f32;

/// A node: x and y of momentum, then of velocity; mass; nothing.
type Node = [f32; 4];

/// One particle's state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Particle {
    /// Position in the unit square.
    pub(crate) x: [f32; 2],
    /// Velocity.
    pub(crate) v: [f32; 2],
    /// Velocity gradient, row by row.
    pub(crate) c: [f32; 4],
    /// Volume over volume at rest.
    pub(crate) j: f32,
}

/// The block that Taichi's example starts from.
pub(crate) fn block(seed: u64) -> Vec<Particle> {
    let mut counter = seed;
    let mut random = || {
        counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        unit(counter)
    };
    let mut particle = || {
        let x = [0.2 + 0.4 * random(), 0.2 + 0.4 * random()];
        Particle {
            x,
            v: [0.0, -1.0],
            c: [0.0; 4],
            j: 1.0,
        }
    };
    (0..PARTICLES).map(|_| particle()).collect()
}

/// The upper 24 bits of SplitMix64's output function (Steele, Lea and Flood, 2014) as a fraction.
fn unit(mut z: u64) -> f32 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
}

/// The nodes, x-major.
pub(crate) struct Grid(Vec<[Node; GRID]>);

impl Grid {
    pub(crate) fn new() -> Self {
        Self(vec![[[0.0; 4]; GRID]; GRID])
    }

    /// Moves the particles by one step of `dt`.
    pub(crate) fn advance(&mut self, particles: &mut [Particle], dt: f32) -> Result<(), String> {
        self.0.as_flattened_mut().fill([0.0; 4]);
        for particle in &*particles {
            self.collect(particle, dt)?;
        }
        self.push(dt);
        for particle in particles {
            self.carry(particle, dt)?;
        }
        Ok(())
    }

    /// Particle to grid: adds a particle's mass, momentum and stress to the nine nodes around it.
    fn collect(&mut self, particle: &Particle, dt: f32) -> Result<(), String> {
        let Particle { v, c, j, .. } = particle;
        let stencil = Stencil::around(particle)?;
        // −dt · volume · 4E(J−1)/dx², where a particle's volume is dx²/4.
        let stress = -dt * STIFFNESS * (j - 1.0);
        let mass = PARTICLE_MASS;
        let cell = 1.0 / CELLS;
        let along_x = [(stress + mass * c[0]) * cell, mass * c[2] * cell, 0.0, 0.0];
        let along_y = [mass * c[1] * cell, (stress + mass * c[3]) * cell, 0.0, 0.0];
        let at_rest = [mass * v[0], mass * v[1], mass, 0.0];
        for (i, column) in self.columns(&stencil).iter_mut().enumerate() {
            let x = stencil.offset(0, i);
            let base: Node = std::array::from_fn(|k| at_rest[k] + along_x[k] * x);
            for (j, node) in column[stencil.base[1]..][..3].iter_mut().enumerate() {
                let (y, weight) = (stencil.offset(1, j), stencil.weight(i, j));
                for k in 0..4 {
                    node[k] += weight * (base[k] + along_y[k] * y);
                }
            }
        }
        Ok(())
    }

    /// Momentum to velocity, gravity, and walls.
    fn push(&mut self, dt: f32) {
        for (i, column) in self.0.iter_mut().enumerate() {
            for (j, node) in column.iter_mut().enumerate() {
                let [px, py, mass, _] = *node;
                if mass > 0.0 {
                    let velocity = [px / mass, py / mass - dt * GRAVITY];
                    *node = [inward(i, velocity[0]), inward(j, velocity[1]), mass, 0.0];
                }
            }
        }
    }

    /// Grid to particle: takes the velocity field of the nine nodes and moves along.
    fn carry(&mut self, particle: &mut Particle, dt: f32) -> Result<(), String> {
        let stencil = Stencil::around(particle)?;
        let [mut v, mut along_x, mut along_y] = [[0.0; 4]; 3];
        for (i, column) in self.columns(&stencil).iter().enumerate() {
            let x = stencil.offset(0, i);
            for (j, node) in column[stencil.base[1]..][..3].iter().enumerate() {
                let (y, weight) = (stencil.offset(1, j), stencil.weight(i, j));
                for k in 0..4 {
                    let share = weight * node[k];
                    v[k] += share;
                    along_x[k] += share * x;
                    along_y[k] += share * y;
                }
            }
        }
        let scale = 4.0 * CELLS;
        particle.v = [v[0], v[1]];
        particle.c = [along_x[0], along_y[0], along_x[1], along_y[1]].map(|sum| sum * scale);
        particle.x = [particle.x[0] + dt * v[0], particle.x[1] + dt * v[1]];
        particle.j *= 1.0 + dt * (particle.c[0] + particle.c[3]);
        Ok(())
    }

    fn columns(&mut self, stencil: &Stencil) -> &mut [[Node; GRID]; 3] {
        let columns = self.0[stencil.base[0]..].first_chunk_mut();
        columns.expect("a stencil lies inside the grid")
    }

    /// Total mass and momentum on the nodes, for tests.
    #[cfg(test)]
    pub(crate) fn totals(&mut self, particles: &[Particle], dt: f32) -> [f64; 3] {
        self.0.as_flattened_mut().fill([0.0; 4]);
        particles
            .iter()
            .for_each(|particle| self.collect(particle, dt).unwrap());
        let sum = |k: usize| {
            self.0
                .as_flattened()
                .iter()
                .map(|node| f64::from(node[k]))
                .sum()
        };
        [sum(0), sum(1), sum(2)]
    }
}

/// A wall's nodes keep only velocities that lead away from it.
fn inward(node: usize, velocity: f32) -> f32 {
    let blocked = (node < BOUND && velocity < 0.0) || (node > GRID - BOUND && velocity > 0.0);
    if blocked { 0.0 } else { velocity }
}

/// The 3×3 nodes that a particle touches, with the weights of the quadratic B-spline.
struct Stencil {
    base: [usize; 2],
    /// The particle's place relative to the base node, in cells: between 0.5 and 1.5.
    place: [f32; 2],
    weights: [[f32; 3]; 2],
}

impl Stencil {
    /// # Errors
    /// Where the particle is so near the edge, or beyond it, that it has no nine nodes.
    fn around(particle: &Particle) -> Result<Self, String> {
        let [x, y] = particle.x.map(|x| x * CELLS);
        let (Some(i), Some(j)) = (base_node(x), base_node(y)) else {
            let [x, y] = particle.x;
            return Err(format!("a particle has left the grid at ({x}, {y})"));
        };
        let place = [x - i as f32, y - j as f32];
        Ok(Self {
            base: [i, j],
            place,
            weights: place.map(spline),
        })
    }

    /// Node `i`'s distance from the particle along an axis, in cells.
    fn offset(&self, axis: usize, i: usize) -> f32 {
        i as f32 - self.place[axis]
    }

    fn weight(&self, i: usize, j: usize) -> f32 {
        self.weights[0][i] * self.weights[1][j]
    }
}

/// The lowest of the three nodes around a coordinate in cells, if all three exist.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked before"
)]
fn base_node(x: f32) -> Option<usize> {
    let inside = (0.5..CELLS - 1.5).contains(&x);
    inside.then_some((x - 0.5) as usize)
}

/// The quadratic B-spline at the three nodes, for a place between 0.5 and 1.5.
fn spline(place: f32) -> [f32; 3] {
    let (near, middle, far) = (1.5 - place, place - 1.0, place - 0.5);
    [0.5 * near * near, 0.75 - middle * middle, 0.5 * far * far]
}

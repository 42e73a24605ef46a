//! The same step in f64 as the method is written down: nodes by index, vectors and matrices whole.

use crate::{BOUND, GRAVITY, GRID, STIFFNESS};

/// The state after `steps` steps of `dt`.
pub(crate) fn mpm88(dt: f64, steps: u32, mut state: State) -> State {
    (0..steps).for_each(|_| state.step(dt));
    state
}

/// The particles' state: positions, velocities, velocity gradients and volume ratios, flat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// Positions, two to a particle.
    pub(crate) x: Vec<f64>,
    /// Velocities, two to a particle.
    pub(crate) v: Vec<f64>,
    /// Velocity gradients, four to a particle, row by row.
    pub(crate) c: Vec<f64>,
    /// Volume ratios.
    pub(crate) j: Vec<f64>,
}

const DX: f64 = 1.0 / GRID as f64;
const VOLUME: f64 = 0.25 * DX * DX;
const MASS: f64 = VOLUME;

impl State {
    /// The state that single-precision arrays hold.
    pub(crate) fn new(x: &[f32], v: &[f32], c: &[f32], j: &[f32]) -> Self {
        let widen = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        Self {
            x: widen(x),
            v: widen(v),
            c: widen(c),
            j: widen(j),
        }
    }

    /// Moves all particles by one step: to the grid, on the grid, and back.
    fn step(&mut self, dt: f64) {
        let mut nodes = vec![[0.0; 3]; GRID * GRID];
        for p in 0..self.j.len() {
            let stress = -dt * VOLUME * 4.0 * f64::from(STIFFNESS) * (self.j[p] - 1.0) / (DX * DX);
            let c: [f64; 4] = std::array::from_fn(|i| MASS * self.c[4 * p + i]);
            let affine = [c[0] + stress, c[1], c[2], c[3] + stress];
            for (node, weight, [dx, dy]) in self.neighbours(p) {
                let push = [
                    affine[0] * dx + affine[1] * dy,
                    affine[2] * dx + affine[3] * dy,
                ];
                nodes[node][0] += weight * (MASS * self.v[2 * p] + push[0]);
                nodes[node][1] += weight * (MASS * self.v[2 * p + 1] + push[1]);
                nodes[node][2] += weight * MASS;
            }
        }
        for (index, node) in nodes.iter_mut().enumerate() {
            *node = velocity(index, *node, dt);
        }
        for p in 0..self.j.len() {
            self.follow(p, &nodes, dt);
        }
    }

    fn follow(&mut self, p: usize, nodes: &[[f64; 3]], dt: f64) {
        let (mut v, mut c) = ([0.0; 2], [0.0; 4]);
        for (node, weight, offset) in self.neighbours(p) {
            for axis in 0..2 {
                let share = weight * nodes[node][axis];
                v[axis] += share;
                c[2 * axis] += 4.0 * share * offset[0] / (DX * DX);
                c[2 * axis + 1] += 4.0 * share * offset[1] / (DX * DX);
            }
        }
        for (axis, v) in v.into_iter().enumerate() {
            self.v[2 * p + axis] = v;
            self.x[2 * p + axis] += dt * v;
        }
        self.c[4 * p..4 * p + 4].copy_from_slice(&c);
        self.j[p] *= 1.0 + dt * (c[0] + c[3]);
    }

    /// The nine nodes around a particle: index, weight and offset from the particle.
    fn neighbours(&self, p: usize) -> Vec<(usize, f64, [f64; 2])> {
        let position = [self.x[2 * p], self.x[2 * p + 1]];
        let mut found = Vec::with_capacity(9);
        for i in 0..GRID {
            let dx = i as f64 * DX - position[0];
            if dx.abs() >= 1.5 * DX {
                continue;
            }
            for j in 0..GRID {
                let dy = j as f64 * DX - position[1];
                if dy.abs() < 1.5 * DX {
                    found.push((i * GRID + j, spline(dx / DX) * spline(dy / DX), [dx, dy]));
                }
            }
        }
        found
    }
}

/// The quadratic B-spline as a function of the distance in cells.
fn spline(distance: f64) -> f64 {
    let distance = distance.abs();
    if distance < 0.5 {
        0.75 - distance * distance
    } else {
        0.5 * (1.5 - distance).powi(2)
    }
}

/// A node's velocity from its momentum and mass, after gravity and the walls.
fn velocity(index: usize, [px, py, mass]: [f64; 3], dt: f64) -> [f64; 3] {
    if mass == 0.0 {
        return [0.0; 3];
    }
    let mut v = [px / mass, py / mass - dt * f64::from(GRAVITY)];
    for (axis, node) in [index / GRID, index % GRID].into_iter().enumerate() {
        if node < BOUND {
            v[axis] = v[axis].max(0.0);
        }
        if node > GRID - BOUND {
            v[axis] = v[axis].min(0.0);
        }
    }
    [v[0], v[1], mass]
}

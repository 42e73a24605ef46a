//! The same step in f64, pair by pair, and the energy that it should conserve.

/// One step: new positions and velocities.
pub(crate) fn nbody(
    dt: f64,
    softening: f64,
    positions: &[f32],
    velocities: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let bodies = widen(positions);
    let mut new_positions = Vec::with_capacity(positions.len());
    let mut new_velocities = Vec::with_capacity(velocities.len());
    for (x, v) in bodies.iter().zip(widen(velocities)) {
        let mut a = [0.0; 3];
        for y in &bodies {
            let weight = (distance_squared(x, y) + softening).powf(-1.5);
            for axis in 0..3 {
                a[axis] += (y[axis] - x[axis]) * weight;
            }
        }
        for axis in 0..3 {
            new_velocities.push(v[axis] + dt * a[axis]);
            new_positions.push(x[axis] + dt * (v[axis] + dt * a[axis]));
        }
    }
    (new_positions, new_velocities)
}

/// Kinetic and softened potential energy together.
pub(crate) fn energy(positions: &[f32], velocities: &[f32], softening: f64) -> f64 {
    let kinetic: f64 = velocities.iter().map(|v| f64::from(*v).powi(2) / 2.0).sum();
    let bodies = widen(positions);
    let mut potential = 0.0;
    for (i, x) in bodies.iter().enumerate() {
        for y in &bodies[..i] {
            potential -= (distance_squared(x, y) + softening).sqrt().recip();
        }
    }
    kinetic + potential
}

fn widen(vectors: &[f32]) -> Vec<[f64; 3]> {
    vectors
        .as_chunks::<3>()
        .0
        .iter()
        .map(|v| v.map(f64::from))
        .collect()
}

fn distance_squared(x: &[f64; 3], y: &[f64; 3]) -> f64 {
    (0..3).map(|axis| (y[axis] - x[axis]).powi(2)).sum()
}

//! One step of the gravitational n-body problem, over all pairs.
//!
//! Every body has unit mass and G is 1. The force is Plummer-softened and the step is
//! semi-implicit Euler: v += dt·a(x), then x += dt·v. Sizes, softening and step are those of the
//! n-body entry of the Taichi benchmark (after M. Harris's *mini-nbody*).
//!
//! The bodies to move are taken `LANES` at a time, one to a lane, and each lane meets the sources
//! one after the other. So a body's sum has the same order wherever the launch is cut.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(nbody);

/// Bodies moved at once.
const LANES: usize = 8;

/// Moves bodies by one step under their mutual gravity.
///
/// `positions` holds all bodies, since each one attracts; `velocities` and the outputs hold the
/// bodies of this chunk, so `m` must equal the whole extent of `n`.
#[kernel(
    sig = "(m,3),(n,3)->(n,3),(n,3)",
    split = "n",
    cost = "18*m*n + 12*n",
    default(dt = 0.01, softening = 1e-9)
)]
pub fn nbody(
    dt: f32,
    softening: f32,
    chunk: Chunk,
    positions: &[f32],
    velocities: &[f32],
    new_positions: &mut [f32],
    new_velocities: &mut [f32],
) -> Result<(), String> {
    let (sources, _) = positions.as_chunks::<3>();
    if sources.len() != chunk.total {
        return Err(format!(
            "{} positions but {} velocities",
            sources.len(),
            chunk.total
        ));
    }
    let own = &sources[chunk.start..][..chunk.len];
    let (velocities, _) = velocities.as_chunks::<3>();
    let (new_positions, _) = new_positions.as_chunks_mut::<3>();
    let (new_velocities, _) = new_velocities.as_chunks_mut::<3>();
    let blocks = own.chunks(LANES).zip(velocities.chunks(LANES)).zip(
        new_positions
            .chunks_mut(LANES)
            .zip(new_velocities.chunks_mut(LANES)),
    );
    for ((x, v), (new_x, new_v)) in blocks {
        let a = accelerations(x, sources, softening);
        for lane in 0..x.len() {
            for axis in 0..3 {
                new_v[lane][axis] = v[lane][axis] + dt * a[axis][lane];
                new_x[lane][axis] = x[lane][axis] + dt * new_v[lane][axis];
            }
        }
    }
    Ok(())
}

/// Σ d / (|d|² + softening)^(3/2) over all sources, for at most `LANES` bodies; axis by lane.
///
/// A body is among its own sources: there d is zero and adds nothing.
fn accelerations(bodies: &[[f32; 3]], sources: &[[f32; 3]], softening: f32) -> [[f32; LANES]; 3] {
    let [mut px, mut py, mut pz] = [[0.0; LANES]; 3];
    for (lane, &[x, y, z]) in bodies.iter().enumerate() {
        (px[lane], py[lane], pz[lane]) = (x, y, z);
    }
    let [mut ax, mut ay, mut az] = [[0.0; LANES]; 3];
    for &[x, y, z] in sources {
        for lane in 0..LANES {
            let (dx, dy, dz) = (x - px[lane], y - py[lane], z - pz[lane]);
            let squared = dx * dx + dy * dy + dz * dz + softening;
            let weight = 1.0 / (squared * squared.sqrt());
            ax[lane] += dx * weight;
            ay[lane] += dy * weight;
            az[lane] += dz * weight;
        }
    }
    [ax, ay, az]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;
    use reference::energy;

    /// `n` bodies spread over [-1, 1]³ by an additive recurrence, at rest.
    fn bodies(n: usize) -> (Vec<f32>, Vec<f32>) {
        let ratios = [0.819_172_5, 0.671_043_6, 0.549_700_5_f32];
        let spread = (0..n).flat_map(|i| ratios.map(|r| (i as f32 * r).fract() * 2.0 - 1.0));
        (spread.collect(), vec![0.0; 3 * n])
    }

    fn moved(x: &[f32], v: &[f32], dt: f32, softening: f32) -> (Vec<f32>, Vec<f32>) {
        let n = x.len() / 3;
        let whole = Chunk {
            start: 0,
            len: n,
            total: n,
        };
        let (mut new_x, mut new_v) = (vec![0.0; x.len()], vec![0.0; v.len()]);
        nbody(dt, softening, whole, x, v, &mut new_x, &mut new_v).unwrap();
        (new_x, new_v)
    }

    #[test]
    fn agrees_with_the_reference_at_every_remainder_of_the_lanes() {
        for n in [0, 1, 2, 7, 8, 9, 1024] {
            let (x, v) = bodies(n);
            let (new_x, new_v) = moved(&x, &v, 0.01, 1e-9);
            let (want_x, want_v) = reference::nbody(0.01, 1e-9, &x, &v);
            for (got, want) in new_x.iter().chain(&new_v).zip(want_x.iter().chain(&want_v)) {
                let error = (f64::from(*got) - want).abs();
                assert!(
                    error <= 1e-5 * want.abs().max(1.0),
                    "n {n}: {got} for {want}"
                );
            }
        }
    }

    #[test]
    fn agrees_with_numpy() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let (x, v) = (
            case.input::<f32>("positions"),
            case.input::<f32>("velocities"),
        );
        let (new_x, new_v) = moved(&x, &v, 0.01, 0.01);
        let want_x = case.output::<f32>("new_positions");
        let want_v = case.output::<f32>("new_velocities");
        for (got, want) in new_x.iter().chain(&new_v).zip(want_x.iter().chain(&want_v)) {
            assert!((got - want).abs() < 2e-6, "{got} for {want}");
        }
    }

    #[test]
    fn energy_and_momentum_are_conserved() {
        let (mut x, mut v) = bodies(64);
        let before = energy(&x, &v, 1e-2);
        for _ in 0..200 {
            (x, v) = moved(&x, &v, 1e-4, 1e-2);
        }
        let after = energy(&x, &v, 1e-2);
        assert!(
            ((after - before) / before).abs() < 1e-3,
            "{before} became {after}"
        );
        for axis in 0..3 {
            let momentum: f32 = v.iter().skip(axis).step_by(3).sum();
            assert!(momentum.abs() < 1e-3, "axis {axis}: {momentum}");
        }
        assert!(v.iter().any(|v| v.abs() > 0.1), "nothing moved");
    }

    #[test]
    fn a_cut_launch_gives_the_bits_of_a_whole_one() {
        let (x, v) = bodies(29);
        let (want_x, want_v) = moved(&x, &v, 0.01, 1e-9);
        for (start, len) in [(0, 11), (11, 18)] {
            let (from, to) = (3 * start, 3 * (start + len));
            let (mut new_x, mut new_v) = (vec![0.0; 3 * len], vec![0.0; 3 * len]);
            let chunk = Chunk {
                start,
                len,
                total: 29,
            };
            nbody(0.01, 1e-9, chunk, &x, &v[from..to], &mut new_x, &mut new_v).unwrap();
            assert_eq!(
                (&new_x[..], &new_v[..]),
                (&want_x[from..to], &want_v[from..to])
            );
        }
    }

    #[test]
    fn positions_and_velocities_must_be_of_the_same_bodies() {
        let chunk = Chunk {
            start: 0,
            len: 1,
            total: 1,
        };
        let refused = nbody(
            0.01,
            0.0,
            chunk,
            &[0.0; 6],
            &[0.0; 3],
            &mut [0.0; 3],
            &mut [0.0; 3],
        );
        assert_eq!(refused.unwrap_err(), "2 positions but 1 velocities");
    }
}

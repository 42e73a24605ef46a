//! The factors `exp(∓2πi·j/n)` for `j` below `n / 2`.
//!
//! Computed in double precision from square roots and products alone, which are exactly rounded
//! everywhere: so natively and in Wasm they are the same bits, and no library's sine is involved.

use crate::planes::Planes;

/// The factors of a transform of length `n`, a power of two; conjugated for the inverse.
///
/// Starting from `exp(0)`, each turn doubles the table: the factors from `j` to `2j` are those
/// below `j`, rotated by the angle of `j`. An error grows with the number of turns, log₂ `n`.
pub(crate) fn twiddles(n: usize, inverse: bool) -> Planes {
    let half = (n / 2).max(1);
    let (mut cos, mut sin) = (Vec::with_capacity(half), Vec::with_capacity(half));
    cos.push(1.0);
    sin.push(0.0);
    for (c, s) in halved_angles(half).into_iter().rev() {
        for j in 0..cos.len() {
            let (x, y): (f64, f64) = (cos[j], sin[j]);
            cos.push(x * c - y * s);
            sin.push(x * s + y * c);
        }
    }
    let sign = if inverse { 1.0 } else { -1.0 };
    Planes {
        re: cos.into_iter().map(narrow).collect(),
        im: sin.into_iter().map(|sin| narrow(sign * sin)).collect(),
    }
}

/// Cosine and sine of π/2, π/4, … π/`half`, by the half-angle formulas.
fn halved_angles(half: usize) -> Vec<(f64, f64)> {
    let (mut cos, mut sin) = (-1.0_f64, 0.0_f64);
    let mut angles = Vec::new();
    for turn in 0..half.ilog2() {
        let halved = f64::midpoint(1.0, cos).sqrt();
        // sin(x/2) = sin x / (2 cos(x/2)), which at x = π would be 0 / 0.
        sin = if turn == 0 { 1.0 } else { sin / (2.0 * halved) };
        cos = halved;
        angles.push((cos, sin));
    }
    angles
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the transform works in single precision"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

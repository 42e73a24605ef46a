//! Softmax in f64.

/// The weights of each row of `c` numbers.
pub(crate) fn softmax(c: usize, x: &[f32]) -> Vec<f64> {
    x.chunks_exact(c.max(1)).flat_map(row).collect()
}

fn row(x: &[f32]) -> Vec<f64> {
    let greatest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponential = |x: &f32| (f64::from(*x) - f64::from(greatest)).exp();
    let sum: f64 = x.iter().map(exponential).sum();
    x.iter().map(|x| exponential(x) / sum).collect()
}

//! Layer normalisation in f64.

/// Each row of `c` numbers normalised to scale `gamma` and offset `beta`.
pub(crate) fn layernorm(
    epsilon: f64,
    c: usize,
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
) -> Vec<f64> {
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(c.max(1)) {
        let mean = row.iter().copied().map(f64::from).sum::<f64>() / c as f64;
        let squares = row.iter().map(|x| (f64::from(*x) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / c as f64 + epsilon).sqrt();
        for (x, (gamma, beta)) in row.iter().zip(gamma.iter().zip(beta)) {
            out.push((f64::from(*x) - mean) / deviation * f64::from(*gamma) + f64::from(*beta));
        }
    }
    out
}

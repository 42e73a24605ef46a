//! Attention in f64, straight from the formula.

/// softmax(Q·Kᵀ/√d)·V, row by row; `extents` are m, n, d and e of the signature.
pub(crate) fn attention(q: &[f32], k: &[f32], v: &[f32], extents: [usize; 4]) -> Vec<f64> {
    let [m, n, d, e] = extents;
    let mut out = Vec::with_capacity(m * e);
    for i in 0..m {
        let score = |j: usize| {
            let products = (0..d).map(|p| f64::from(q[i * d + p]) * f64::from(k[j * d + p]));
            products.sum::<f64>() / (d as f64).sqrt()
        };
        let weights = softmax((0..n).map(score).collect());
        for column in 0..e {
            let shares = (0..n).map(|j| weights[j] * f64::from(v[j * e + column]));
            out.push(shares.sum());
        }
    }
    out
}

fn softmax(scores: Vec<f64>) -> Vec<f64> {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores
        .iter()
        .map(|score| (score - greatest).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

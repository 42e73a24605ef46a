//! Layer normalisation: each row shifted and scaled to mean 0 and variance 1, then to γ and β.
//!
//! y = γ·(x − μ)/√(σ² + ε) + β with the biased variance (J. L. Ba, J. R. Kiros and G. E. Hinton,
//! *Layer Normalization*, 2016; ε as in PyTorch). The variance is taken of the shifted row, in a
//! second pass: the one-pass formula cancels.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(layernorm);

/// Normalises each row of `x` to scale `gamma` and offset `beta`.
#[kernel(
    sig = "(r,c),(c),(c)->(r,c)",
    split = "r",
    cost = "7*r*c + 5*r",
    default(epsilon = 1e-5)
)]
pub fn layernorm(epsilon: f32, c: usize, x: &[f32], gamma: &[f32], beta: &[f32], out: &mut [f32]) {
    if c == 0 {
        return;
    }
    for (row, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
        let mean = math::sum(row) / c as f32;
        for (shifted, x) in out.iter_mut().zip(row) {
            *shifted = x - mean;
        }
        let variance = math::dot(out, out) / c as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((y, gamma), beta) in out.iter_mut().zip(gamma).zip(beta) {
            *y = *y * scale * gamma + beta;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    /// `n` numbers around `centre` by an additive recurrence.
    fn numbers(n: usize, centre: f32) -> Vec<f32> {
        (0..n)
            .map(|i| (i as f32 * 0.618_034).fract() * 2.0 - 1.0 + centre)
            .collect()
    }

    fn normalised(c: usize, x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; x.len()];
        layernorm(1e-5, c, x, gamma, beta, &mut out);
        out
    }

    #[test]
    fn agrees_with_the_reference_at_odd_sizes() {
        for (rows, c, centre) in [
            (256, 64, 0.0),
            (32_768, 128, 0.0),
            (3, 1, 2.0),
            (5, 7, -1.0),
            (2, 1001, 50.0),
        ] {
            let x = numbers(rows * c, centre);
            let (gamma, beta) = (numbers(c, 1.0), numbers(c, -0.5));
            let want = reference::layernorm(1e-5, c, &x, &gamma, &beta);
            for (got, want) in normalised(c, &x, &gamma, &beta).iter().zip(want) {
                let error = (f64::from(*got) - want).abs();
                // What a mean far from 0 loses of the row's digits cannot come back.
                let bound = 4e-6 * (1.0 + f64::from(centre).abs());
                assert!(error <= bound, "{rows}×{c}: {got} for {want}");
            }
        }
    }

    #[test]
    fn agrees_with_numpy() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let [x, gamma, beta] = ["x", "gamma", "beta"].map(|name| case.input::<f32>(name));
        let want = case.output::<f32>("out");
        for (got, want) in normalised(5, &x, &gamma, &beta).iter().zip(want) {
            assert!((got - want).abs() <= 5e-6, "{got} for {want}");
        }
    }

    #[test]
    fn rows_get_mean_zero_and_variance_one() {
        let c = 64;
        let out = normalised(c, &numbers(c * 8, 3.0), &vec![1.0; c], &vec![0.0; c]);
        for row in out.chunks(c) {
            let mean = row.iter().copied().map(f64::from).sum::<f64>() / c as f64;
            let square = row.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / c as f64;
            assert!(
                mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-4,
                "{mean}, {square}"
            );
        }
    }

    #[test]
    fn a_constant_row_becomes_beta() {
        let beta = [1.0, 2.0, 3.0];
        assert_eq!(normalised(3, &[4.0; 3], &[5.0; 3], &beta), beta);
    }

    #[test]
    fn no_rows_and_empty_rows_are_left_alone() {
        assert!(normalised(2, &[], &[1.0; 2], &[0.0; 2]).is_empty());
        assert!(normalised(0, &[], &[], &[]).is_empty());
    }
}

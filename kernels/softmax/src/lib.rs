//! Softmax over the last axis of a rank-4 array: exp(x − max) / Σ exp(x − max), row by row.
//!
//! Shape and formula are those of NPBench's `softmax` (deep learning): 16×16×128×128, f32.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(softmax);

/// Turns each row of `x` into weights that add up to 1.
#[kernel(sig = "(n,h,r,c)->(n,h,r,c)", split = "n", cost = "20*n*h*r*c")]
pub fn softmax(c: usize, x: &[f32], out: &mut [f32]) {
    if c == 0 {
        return;
    }
    for (row, weights) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
        normalise(row, weights);
    }
}

/// One row. The greatest weight is exp(0) before the division, so nothing overflows.
fn normalise(row: &[f32], weights: &mut [f32]) {
    let Some(greatest) = math::max_of(row) else {
        return;
    };
    for (weight, x) in weights.iter_mut().zip(row) {
        *weight = math::exp(x - greatest);
    }
    let scale = 1.0 / math::sum(weights);
    weights.iter_mut().for_each(|weight| *weight *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    /// `n` numbers between −`reach` and `reach` by an additive recurrence.
    fn numbers(n: usize, reach: f32) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f32 * 0.618_034).fract() * 2.0 - 1.0) * reach)
            .collect()
    }

    fn weights(c: usize, x: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; x.len()];
        softmax(c, x, &mut out);
        out
    }

    #[test]
    fn agrees_with_the_reference_at_odd_sizes() {
        for (rows, c, reach) in [
            (32_768, 128, 1.0),
            (3, 1, 1.0),
            (5, 7, 20.0),
            (2, 1001, 80.0),
        ] {
            let x = numbers(rows * c, reach);
            for (got, want) in weights(c, &x).iter().zip(reference::softmax(c, &x)) {
                let error = (f64::from(*got) - want).abs();
                assert!(error <= 2e-6 * want + 1e-37, "{rows}×{c}: {got} for {want}");
            }
        }
    }

    #[test]
    fn agrees_with_numpy() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let want = case.output::<f32>("out");
        for (got, want) in weights(5, &case.input::<f32>("x")).iter().zip(want) {
            assert!((got - want).abs() <= 2e-6 * want, "{got} for {want}");
        }
    }

    #[test]
    fn weights_of_a_row_add_up_to_one() {
        for row in weights(128, &numbers(128 * 64, 30.0)).chunks(128) {
            let sum: f64 = row.iter().copied().map(f64::from).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        assert_eq!(weights(2, &[f32::MAX, f32::MIN]), [1.0, 0.0]);
        assert_eq!(weights(2, &[-1000.0, -1000.0]), [0.5, 0.5]);
        assert_eq!(
            weights(3, &[f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY]),
            [0.0, 1.0, 0.0]
        );
    }

    #[test]
    fn a_row_with_a_nan_is_all_nan() {
        for at in [0, 5, 18] {
            let mut x = numbers(19, 1.0);
            x[at] = f32::NAN;
            assert!(
                weights(19, &x).iter().all(|weight| weight.is_nan()),
                "at {at}"
            );
        }
    }

    #[test]
    fn no_rows_and_empty_rows_are_left_alone() {
        assert!(weights(4, &[]).is_empty());
        assert!(weights(0, &[]).is_empty());
    }
}

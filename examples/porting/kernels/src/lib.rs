//! The kernels of the porting guide that `kernels/` does not have: [`dense`], a layer of a neural
//! network as JAX programs write it, and [`smooth`], a `jax.lax.scan` under `jax.vmap`.
//!
//! `docs/porting.md` shows both beside their JAX forms, `examples/porting/compare.py` runs both and
//! compares.

use hotcell_guest::prelude::*;

hotcell_guest::export!(dense, smooth);

/// A dense layer with a rectifier: `max(x·w + b, 0)`.
///
/// Each row of the output is built from rows of `w`, so the inner loop walks both in memory order. The
/// sum over `k` has the same order in every row and on every machine.
#[kernel(sig = "(m,k),(k,n),(n)->(m,n)", split = "m", cost = "2*m*k*n + 2*m*n")]
pub fn dense(x: View2<f32>, w: View2<f32>, b: &[f32], mut out: ViewMut2<f32>) {
    let [m, k] = x.shape();
    for i in 0..m {
        let row = out.row_mut(i);
        row.copy_from_slice(b);
        for p in 0..k {
            add_scaled(x[[i, p]], w.row(p), row);
        }
        row.iter_mut().for_each(|y| *y = math::max(*y, 0.0));
    }
}

/// `out += a·x`. As slice parameters the two are known not to overlap, so the loop vectorises.
fn add_scaled(a: f32, x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += a * x;
    }
}

/// Exponential smoothing along `t`: `y[0] = x[0]`, then `y[i] = y[i-1] + alpha·(x[i] − y[i-1])`.
///
/// A series is a chain of dependent steps, but series are independent of each other: `s` is split.
#[kernel(
    sig = "(s,t)->(s,t)",
    split = "s",
    cost = "3*s*t",
    default(alpha = 0.1)
)]
pub fn smooth(alpha: f32, t: usize, x: &[f32], out: &mut [f32]) {
    if t == 0 {
        return;
    }
    for (x, out) in x.chunks_exact(t).zip(out.chunks_exact_mut(t)) {
        let mut level = x[0];
        for (x, out) in x.iter().zip(out) {
            level += alpha * (x - level);
            *out = level;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` numbers in [−1, 1) by an additive recurrence.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| (i as f32 * 0.618_034).fract() * 2.0 - 1.0)
            .collect()
    }

    fn layer(shape: [usize; 3], x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        let [m, k, n] = shape;
        let mut out = vec![f32::NAN; m * n];
        dense(
            View2::new(x, [m, k]),
            View2::new(w, [k, n]),
            b,
            ViewMut2::new(&mut out, [m, n]),
        );
        out
    }

    #[test]
    fn dense_agrees_with_double_precision_at_odd_sizes() {
        for [m, k, n] in [[1, 1, 1], [3, 5, 7], [17, 64, 33], [2, 0, 3]] {
            let (x, w, b) = (numbers(m * k), numbers(k * n), numbers(n));
            let got = layer([m, k, n], &x, &w, &b);
            for (at, got) in got.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let product = |p| f64::from(x[i * k + p]) * f64::from(w[p * n + j]);
                let want = ((0..k).map(product).sum::<f64>() + f64::from(b[j])).max(0.0);
                assert!(
                    (f64::from(*got) - want).abs() < 1e-5,
                    "{m}×{k}×{n} at {i},{j}"
                );
            }
        }
    }

    #[test]
    fn dense_rows_do_not_depend_on_where_the_launch_is_cut() {
        let [m, k, n] = [7, 30, 11];
        let (x, w, b) = (numbers(m * k), numbers(k * n), numbers(n));
        let whole = layer([m, k, n], &x, &w, &b);
        let tail = layer([4, k, n], &x[3 * k..], &w, &b);
        assert_eq!(tail, whole[3 * n..]);
    }

    #[test]
    fn dense_is_never_negative() {
        assert_eq!(
            layer([1, 1, 2], &[1.0], &[-2.0, 2.0], &[1.0, 1.0]),
            [0.0, 3.0]
        );
    }

    #[test]
    fn smooth_follows_its_recurrence_in_every_series() {
        let mut out = [0.0; 6];
        smooth(0.5, 3, &[1.0, 3.0, 3.0, 4.0, 0.0, 0.0], &mut out);
        assert_eq!(out, [1.0, 2.0, 2.5, 4.0, 2.0, 1.0]);
    }

    #[test]
    fn smooth_of_nothing_is_nothing() {
        smooth(0.5, 0, &[], &mut []);
        smooth(0.5, 3, &[], &mut []);
    }
}

//! The same product in double precision: what the kernel's results are held against.

use hotcell_guest::prelude::*;

/// The product of `a` and `b` in C order, each row as a sum of scaled rows of `b`.
#[must_use]
pub(crate) fn gemm(a: View2<f32>, b: View2<f32>) -> Vec<f64> {
    let ([m, _], [_, n]) = (a.shape(), b.shape());
    let mut out = vec![0.0; m * n];
    for row in 0..m {
        let out = &mut out[row * n..][..n];
        for (term, &a) in a.row(row).iter().enumerate() {
            for (out, &b) in out.iter_mut().zip(b.row(term)) {
                *out += f64::from(a) * f64::from(b);
            }
        }
    }
    out
}

//! Single-head scaled dot-product attention: softmax(Q·Kᵀ/√d)·V.
//!
//! Formula of A. Vaswani et al., *Attention Is All You Need*, 2017, section 3.2.1. Queries are taken
//! `ROWS` at a time; their scores never leave the cache. Keys and values are packed once, into
//! panels that one register tile of the product reads from front to back.

#[cfg(test)]
mod reference;

mod panels;

use hotcell_guest::prelude::*;
use panels::{Panels, ROWS, interleave};
use std::array;

hotcell_guest::export!(attention);

/// Mixes the rows of `v` for each query, by how well the query agrees with the rows of `k`.
#[kernel(
    sig = "(m,d),(n,d),(n,e)->(m,e)",
    split = "m",
    cost = "2*m*n*d + 2*m*n*e + 21*m*n"
)]
pub fn attention(q: View2<f32>, k: View2<f32>, v: View2<f32>, mut out: ViewMut2<f32>) {
    let ([m, d], [n, e]) = (q.shape(), v.shape());
    let (keys, values) = (Panels::of_rows(&k), Panels::of_columns(&v));
    let scale = 1.0 / (d.max(1) as f32).sqrt();
    let (mut queries, mut weights) = (vec![[0.0; ROWS]; d], vec![[0.0; ROWS]; n]);
    let mut scores = vec![0.0; ROWS * keys.width()];
    let mut mixed = vec![0.0; ROWS * values.width()];
    for first in (0..m).step_by(ROWS) {
        // The last block repeats its last query rather than being narrower.
        interleave(
            array::from_fn(|r| q.row((first + r).min(m - 1))),
            &mut queries,
        );
        keys.multiply(&queries, &mut scores);
        for r in 0..ROWS {
            softmax(&mut scores[r * keys.width()..][..n], scale);
        }
        interleave(
            array::from_fn(|r| &scores[r * keys.width()..][..n]),
            &mut weights,
        );
        values.multiply(&weights, &mut mixed);
        for r in first..m.min(first + ROWS) {
            out.row_mut(r)
                .copy_from_slice(&mixed[(r - first) * values.width()..][..e]);
        }
    }
}

/// Turns scores, times `scale`, into weights that add up to 1.
#[inline(never)]
fn softmax(row: &mut [f32], scale: f32) {
    let Some(greatest) = math::max_of(row) else {
        return;
    };
    for score in &mut *row {
        *score = math::exp((*score - greatest) * scale);
    }
    let share = 1.0 / math::sum(row);
    row.iter_mut().for_each(|weight| *weight *= share);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    /// `rows` × `columns` numbers between −1 and 1 by an additive recurrence.
    fn matrix(rows: usize, columns: usize, ratio: f32) -> Vec<f32> {
        (0..rows * columns)
            .map(|i| (i as f32 * ratio).fract() * 2.0 - 1.0)
            .collect()
    }

    fn attended(q: &[f32], k: &[f32], v: &[f32], [m, n, d, e]: [usize; 4]) -> Vec<f32> {
        let mut out = vec![f32::NAN; m * e];
        let (q, k, v) = (
            View2::new(q, [m, d]),
            View2::new(k, [n, d]),
            View2::new(v, [n, e]),
        );
        attention(q, k, v, ViewMut2::new(&mut out, [m, e]));
        out
    }

    fn assert_agrees(q: &[f32], k: &[f32], v: &[f32], extents: [usize; 4], bound: f64) {
        let got = attended(q, k, v, extents);
        for (got, want) in got.iter().zip(reference::attention(q, k, v, extents)) {
            let error = (f64::from(*got) - want).abs();
            assert!(error <= bound, "{extents:?}: {got} for {want}");
        }
    }

    #[test]
    fn agrees_with_the_reference_at_odd_sizes() {
        let sizes = [
            [256, 256, 64, 64],
            [1, 1, 1, 1],
            [5, 9, 3, 7],
            [3, 8, 4, 1],
            [4, 17, 65, 16],
        ];
        for extents @ [m, n, d, e] in sizes {
            let (q, k) = (matrix(m, d, 0.618_034), matrix(n, d, 0.754_878));
            assert_agrees(&q, &k, &matrix(n, e, 0.569_84), extents, 2e-6);
        }
    }

    #[test]
    fn agrees_with_numpy() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let [q, k, v] = ["q", "k", "v"].map(|name| case.input::<f32>(name));
        let want = case.output::<f32>("out");
        for (got, want) in attended(&q, &k, &v, [3, 5, 4, 2]).iter().zip(want) {
            assert!((got - want).abs() <= 2e-6, "{got} for {want}");
        }
    }

    #[test]
    fn large_scores_neither_overflow_nor_lose_the_winner() {
        let (q, k) = (vec![300.0; 8], [vec![300.0; 8], vec![-300.0; 8]].concat());
        assert_agrees(&q, &k, &[2.0, 5.0], [1, 2, 8, 1], 0.0);
    }

    #[test]
    fn without_features_every_row_weighs_the_same() {
        let out = attended(&[], &[], &[1.0, 2.0, 3.0, 4.0], [2, 4, 0, 1]);
        assert_eq!(out, [2.5, 2.5]);
    }

    #[test]
    fn nothing_to_attend_to_and_no_queries_are_well_defined() {
        assert_eq!(attended(&[1.0, 2.0], &[], &[], [1, 0, 2, 3]), [0.0; 3]);
        assert!(attended(&[], &[1.0], &[1.0], [0, 1, 1, 1]).is_empty());
    }
}

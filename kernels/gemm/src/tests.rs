//! Checks of the native form.

use hotcell_guest::prelude::*;
use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{BAND, DEPTH, gemm, reference};

fn run(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let mut out = vec![f32::NAN; m * n];
    gemm(
        View2::new(a, [m, k]),
        View2::new(b, [k, n]),
        ViewMut2::new(&mut out, [m, n]),
    );
    out
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let (a, b) = (floats(&case["inputs"]["a"]), floats(&case["inputs"]["b"]));
    // Quarters of small integers: every partial sum is exact.
    assert_eq!(run(&a, &b, [5, 3, 9]), floats(&case["outputs"]["out"]));
}

#[test]
fn every_shape_agrees_with_double_precision() {
    let shapes = [
        [1, 1, 1],
        [3, 5, 7],
        [4, 1, 8],
        [5, DEPTH, 9],
        [BAND + 1, 17, 16],
        [BAND - 1, DEPTH + 3, 33],
        [64, 2 * DEPTH, 64],
    ];
    for shape @ [m, k, n] in shapes {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let want = reference::gemm(View2::new(&a, [m, k]), View2::new(&b, [k, n]));
        for (got, want) in run(&a, &b, shape).iter().zip(want) {
            let error = f64::from(*got) - want;
            assert!(error.abs() <= 2e-5, "{got} for {want} in {shape:?}");
        }
    }
}

#[test]
fn a_product_without_terms_is_zero() {
    let bits: Vec<u32> = run(&[], &[], [2, 0, 3])
        .into_iter()
        .map(f32::to_bits)
        .collect();
    assert_eq!(bits, [0.0_f32.to_bits(); 6]);
    assert!(run(&[], &numbers(6, 1), [0, 2, 3]).is_empty());
    assert!(run(&numbers(6, 1), &[], [3, 2, 0]).is_empty());
}

#[test]
fn bands_of_rows_agree_with_the_whole_to_the_bit() {
    let [m, k, n] = [70, 300, 19];
    let (a, b) = (numbers(m * k, 3), numbers(k * n, 4));
    let mut parts = Vec::new();
    for rows in [0..33, 33..34, 34..70] {
        parts.extend(run(
            &a[rows.start * k..rows.end * k],
            &b,
            [rows.len(), k, n],
        ));
    }
    assert_eq!(run(&a, &b, [m, k, n]), parts);
}

#[test]
fn infinities_stay_in_their_rows_and_columns() {
    let mut a = vec![1.0; 6 * 2];
    a[0] = f32::INFINITY;
    let out = run(&a, &[1.0; 2 * 9], [6, 2, 9]);
    assert!(out[..9].iter().all(|x| *x == f32::INFINITY));
    assert!(out[9..].iter().all(|x| *x == 2.0));
}

#[test]
fn the_listed_sizes_agree_with_double_precision() {
    for shape @ [m, k, n] in [[256; 3], [512; 3], [1024; 3], [1000, 1200, 1100]] {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let want = reference::gemm(View2::new(&a, [m, k]), View2::new(&b, [k, n]));
        for (got, want) in run(&a, &b, shape).iter().zip(want) {
            let error = f64::from(*got) - want;
            assert!(error.abs() <= 1e-4, "{got} for {want} in {shape:?}");
        }
    }
}

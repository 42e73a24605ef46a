//! Checks of the native form.

use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{BLOCK, dot, reference};

fn run(x: &[f32], y: &[f32]) -> f32 {
    let mut out = [f32::NAN];
    dot(x, y, &mut out);
    out[0]
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let (x, y) = (floats(&case["inputs"]["x"]), floats(&case["inputs"]["y"]));
    assert_eq!(vec![run(&x, &y)], floats(&case["outputs"]["out"]));
}

#[test]
fn every_length_agrees_with_double_precision() {
    for n in [
        1,
        2,
        31,
        33,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        5 * BLOCK + 7,
        1 << 24,
    ] {
        let (x, y) = (numbers(n, 1), numbers(n, 2));
        let magnitude: f64 = x.iter().zip(&y).map(|(x, y)| f64::from(x * y).abs()).sum();
        let error = f64::from(run(&x, &y)) - reference::dot(&x, &y);
        assert!(error.abs() <= 1e-6 * magnitude, "{error} at n = {n}");
    }
}

#[test]
fn empty_vectors_have_the_product_zero() {
    assert_eq!(run(&[], &[]).to_bits(), 0.0_f32.to_bits());
}

#[test]
fn the_error_does_not_grow_with_the_length() {
    let x = vec![0.1_f32; 1 << 22];
    let exact = f64::from(0.1_f32) * f64::from(0.1_f32) * f64::from(1 << 22);
    let error = f64::from(run(&x, &x)) / exact - 1.0;
    // A block's own error, which for equal elements is no average but a bias.
    assert!(error.abs() < 1e-5, "{error}");
}

//! Checks of the native form.

use hotcell_guest::prelude::Chunks;
use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{BLOCK, FETCH, reference, sum, sum_stream};

fn run(x: &[f32]) -> f32 {
    let mut out = [f32::NAN];
    sum(x, &mut out);
    out[0]
}

fn run_streamed(x: &[f32]) -> f32 {
    let mut out = [f32::NAN];
    sum_stream(Chunks::from_slice(x), &mut out);
    out[0]
}

#[test]
fn results_agree_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let x = floats(&case["inputs"]["x"]);
    assert_eq!(vec![run(&x)], floats(&case["outputs"]["out"]));
    assert_eq!(vec![run_streamed(&x)], floats(&case["outputs"]["out"]));
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
        let x = numbers(n, 1);
        let magnitude: f64 = x.iter().map(|&x| f64::from(x).abs()).sum();
        let error = f64::from(run(&x)) - reference::sum(&x);
        assert!(error.abs() <= 1e-6 * magnitude, "{error} at n = {n}");
    }
}

#[test]
fn the_empty_sum_is_zero() {
    // Not -0.0, which `Iterator::sum` begins with.
    for sum in [run(&[]), run_streamed(&[])] {
        assert_eq!(sum.to_bits(), 0.0_f32.to_bits());
    }
}

#[test]
fn the_stream_gives_the_same_bits() {
    for n in [1, BLOCK + 1, FETCH - 1, FETCH, 2 * FETCH + BLOCK + 3] {
        let x = numbers(n, 3);
        assert_eq!(run(&x).to_bits(), run_streamed(&x).to_bits(), "n = {n}");
    }
}

#[test]
fn the_error_does_not_grow_with_the_length() {
    let exact = f64::from(0.1_f32) * f64::from(1 << 22);
    let error = f64::from(run(&vec![0.1; 1 << 22])) / exact - 1.0;
    // A block's own error, which for equal elements is no average but a bias.
    assert!(error.abs() < 1e-5, "{error}");
}

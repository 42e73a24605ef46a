//! Checks of the native form.

use hotcell_values::{integers, words};
use serde_json::Value;

use super::{prefix_scan, reference};

fn run(x: &[u32]) -> Vec<u32> {
    let mut out = vec![7; x.len()];
    prefix_scan(x, &mut out);
    out
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let out = run(&integers(&case["inputs"]["x"]));
    assert_eq!(out, integers(&case["outputs"]["out"]));
}

#[test]
fn every_length_agrees_with_sums_of_64_bits() {
    for n in (0..=17).chain([1000, 10_007, 1 << 22]) {
        let x = words(n, 1);
        assert_eq!(run(&x), reference::prefix_scan(&x), "n = {n}");
    }
}

#[test]
fn sums_wrap() {
    assert_eq!(run(&[u32::MAX, 1, u32::MAX, 5]), [u32::MAX, 0, u32::MAX, 4]);
    assert_eq!(run(&[u32::MAX; 20])[19], 0_u32.wrapping_sub(20));
}

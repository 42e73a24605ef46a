//! Checks of the native form.

use serde_json::Value;

use super::{prefix_scan, reference};

fn integers(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("an array of integers")
}

/// Numbers of 32 bits from a linear congruential generator.
fn numbers(n: usize, seed: u64) -> Vec<u32> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    })
    .take(n)
    .collect()
}

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
        let x = numbers(n, 1);
        assert_eq!(run(&x), reference::prefix_scan(&x), "n = {n}");
    }
}

#[test]
fn sums_wrap() {
    assert_eq!(run(&[u32::MAX, 1, u32::MAX, 5]), [u32::MAX, 0, u32::MAX, 4]);
    assert_eq!(run(&[u32::MAX; 20])[19], 0_u32.wrapping_sub(20));
}

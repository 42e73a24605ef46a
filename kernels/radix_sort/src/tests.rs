//! Checks of the native form.

use serde_json::Value;

use super::{radix_sort, reference};

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
    radix_sort(x, &mut out);
    out
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let out = run(&integers(&case["inputs"]["x"]));
    assert_eq!(out, integers(&case["outputs"]["out"]));
}

#[test]
fn every_length_agrees_with_the_standard_library() {
    for n in [0, 1, 2, 3, 255, 256, 257, 70_000, 1 << 20] {
        let x = numbers(n, 1);
        assert_eq!(run(&x), reference::radix_sort(&x), "n = {n}");
    }
}

#[test]
fn keys_that_differ_in_one_digit_are_ordered_by_it() {
    for shift in [0, 8, 16, 24] {
        let x: Vec<u32> = (0..=255).rev().map(|digit| digit << shift).collect();
        assert_eq!(run(&x), reference::radix_sort(&x), "shift = {shift}");
    }
}

#[test]
fn ordered_reversed_and_equal_keys_are_sorted() {
    let ordered = reference::radix_sort(&numbers(500, 2));
    let reversed: Vec<u32> = ordered.iter().rev().copied().collect();
    assert_eq!(run(&ordered), ordered);
    assert_eq!(run(&reversed), ordered);
    assert_eq!(run(&[u32::MAX, 0, u32::MAX]), [0, u32::MAX, u32::MAX]);
}

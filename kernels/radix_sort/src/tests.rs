//! Checks of the native form.

use hotcell_values::{integers, words};
use serde_json::Value;

use super::{radix_sort, reference};

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
        let x = words(n, 1);
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
    let ordered = reference::radix_sort(&words(500, 2));
    let reversed: Vec<u32> = ordered.iter().rev().copied().collect();
    assert_eq!(run(&ordered), ordered);
    assert_eq!(run(&reversed), ordered);
    assert_eq!(run(&[u32::MAX, 0, u32::MAX]), [0, u32::MAX, u32::MAX]);
}

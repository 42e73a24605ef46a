//! Checks of the native form.

use hotcell_guest::prelude::*;
use serde_json::Value;

use super::{edges, reference};

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::from_value(value.clone()).expect("an array of bytes")
}

/// Bytes from a linear congruential generator.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(n)
    .collect()
}

fn run(image: &[u8], [height, width]: [usize; 2]) -> Vec<u8> {
    let mut out = vec![0; image.len()];
    let shape = [height, width, 4];
    edges(View3::new(image, shape), ViewMut3::new(&mut out, shape));
    out
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let out = run(&bytes(&case["inputs"]["image"]), [5, 6]);
    assert_eq!(out, bytes(&case["outputs"]["out"]));
}

#[test]
fn every_size_agrees_with_the_definition() {
    for size @ [height, width] in [
        [1, 1],
        [1, 9],
        [9, 1],
        [2, 3],
        [7, 5],
        [33, 41],
        [1080, 1920],
    ] {
        let image = noise(height * width * 4, 5);
        assert_eq!(
            run(&image, size),
            reference::edges(&image, size),
            "{size:?}"
        );
    }
}

#[test]
fn the_largest_contrast_agrees_with_the_definition() {
    let checks = (0..24 * 24).map(|at| {
        if (at / 24 / 6 + at % 24 / 6) % 2 == 0 {
            255
        } else {
            0
        }
    });
    let image: Vec<u8> = checks.flat_map(|value| [value; 4]).collect();
    let out = run(&image, [24, 24]);
    assert!(out.contains(&255));
    assert_eq!(out, reference::edges(&image, [24, 24]));
}

#[test]
fn an_even_picture_has_no_edges_and_keeps_its_alpha() {
    let image = [200, 100, 50, 130].repeat(12);
    assert_eq!(run(&image, [3, 4]), [0, 0, 0, 130].repeat(12));
}

#[test]
fn empty_pictures_are_accepted() {
    assert!(run(&[], [0, 7]).is_empty());
    assert!(run(&[], [7, 0]).is_empty());
}

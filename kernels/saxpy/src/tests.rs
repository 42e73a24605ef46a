//! Checks of the native form.

use serde_json::Value;

use super::{reference, saxpy};

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("an array of numbers")
}

/// Numbers in [-1, 1) from a linear congruential generator.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f32::from((state >> 48) as u16) / 32768.0 - 1.0
    })
    .take(n)
    .collect()
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let inputs = &case["inputs"];
    let mut out = vec![0.0; 7];
    saxpy(2.5, &floats(&inputs["x"]), &floats(&inputs["y"]), &mut out);
    assert_eq!(out, floats(&case["outputs"]["out"]));
}

#[test]
fn every_length_agrees_with_double_precision() {
    for n in [0, 1, 2, 3, 15, 16, 17, 1000, 1 << 22] {
        let (x, y) = (numbers(n, 1), numbers(n, 2));
        let mut out = vec![f32::NAN; n];
        saxpy(1.5, &x, &y, &mut out);
        for (got, want) in out.iter().zip(reference::saxpy(1.5, &x, &y)) {
            // Two roundings of values below 2.5.
            assert!((f64::from(*got) - want).abs() <= 3e-7, "{got} for {want}");
        }
    }
}

#[test]
fn parts_of_the_vector_agree_with_the_whole() {
    let (x, y) = (numbers(101, 3), numbers(101, 4));
    let (mut whole, mut parts) = (vec![0.0; 101], vec![0.0; 101]);
    saxpy(-0.75, &x, &y, &mut whole);
    for range in [0..40, 40..41, 41..101] {
        saxpy(
            -0.75,
            &x[range.clone()],
            &y[range.clone()],
            &mut parts[range],
        );
    }
    assert_eq!(whole, parts);
}

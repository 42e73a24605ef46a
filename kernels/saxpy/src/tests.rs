//! Checks of the native form.

use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{reference, saxpy};

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

//! Checks of the native form.

use hotcell_guest::prelude::*;
use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{jacobi_2d, reference};

fn run(steps: u32, a: &[f32], b: &[f32], shape: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    jacobi_2d(
        steps,
        ViewMut2::new(&mut a, shape),
        ViewMut2::new(&mut b, shape),
    );
    (a, b)
}

fn assert_close(got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() <= 1e-6, "{got} for {want}");
    }
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let (a, b) = (floats(&case["inputs"]["a"]), floats(&case["inputs"]["b"]));
    let (a, b) = run(4, &a, &b, [5, 6]);
    let want = |name: &str| -> Vec<f64> {
        let grid = case["outputs"][name].as_array().expect("an array");
        grid.iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    assert_close(&a, &want("a"));
    assert_close(&b, &want("b"));
}

#[test]
fn every_shape_agrees_with_double_precision() {
    for shape in [[3, 3], [3, 17], [17, 3], [20, 37]] {
        let n = shape[0] * shape[1];
        let (a, b) = (numbers(n, 1), numbers(n, 2));
        let (want_a, want_b) = reference::jacobi_2d(30, &a, &b, shape);
        let (got_a, got_b) = run(30, &a, &b, shape);
        assert_close(&got_a, &want_a);
        assert_close(&got_b, &want_b);
    }
}

#[test]
fn grids_without_an_interior_stay_as_they_are() {
    for shape in [[0, 0], [0, 4], [4, 0], [1, 1], [2, 5], [5, 2]] {
        let n = shape[0] * shape[1];
        let (a, b) = (numbers(n, 1), numbers(n, 2));
        assert_eq!(run(9, &a, &b, shape), (a, b), "{shape:?}");
    }
}

#[test]
fn no_time_step_changes_nothing() {
    let (a, b) = (numbers(30, 1), numbers(30, 2));
    assert_eq!(run(0, &a, &b, [5, 6]), (a.clone(), b.clone()));
    assert_eq!(run(1, &a, &b, [5, 6]), (a, b));
}

#[test]
fn many_sweeps_approach_the_harmonic_function_of_the_border() {
    // (i + j) is harmonic on the grid, so it is where sweeps over any interior end.
    let border = |at: usize| f32::from(u8::try_from(at / 9 + at % 9).unwrap());
    let harmonic: Vec<f32> = (0..81).map(border).collect();
    let mut start = harmonic.clone();
    for row in start.chunks_exact_mut(9).skip(1).take(7) {
        row[1..8].fill(0.0);
    }
    let (a, _) = run(200, &start, &start, [9, 9]);
    for (got, want) in a.iter().zip(harmonic) {
        assert!((got - want).abs() < 1e-4, "{got} for {want}");
    }
}

#[test]
fn the_listed_size_agrees_with_double_precision() {
    let shape = [350, 350];
    let (a, b) = (numbers(350 * 350, 1), numbers(350 * 350, 2));
    let (want_a, want_b) = reference::jacobi_2d(80, &a, &b, shape);
    let (got_a, got_b) = run(80, &a, &b, shape);
    for (got, want) in got_a.iter().chain(&got_b).zip(want_a.iter().chain(&want_b)) {
        assert!((f64::from(*got) - want).abs() <= 5e-6, "{got} for {want}");
    }
}

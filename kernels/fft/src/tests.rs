//! Checks of the native form.

use hotcell_guest::prelude::*;
use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{fft, reference};

fn pairs(value: &Value) -> Vec<Complex<f32>> {
    paired(&floats(value))
}

fn paired(flat: &[f32]) -> Vec<Complex<f32>> {
    let pairs = flat.as_chunks().0;
    pairs.iter().map(|&[re, im]| Complex::new(re, im)).collect()
}

/// Numbers in the square from -1 - i to 1 + i, from a linear congruential generator.
fn drawn(n: usize) -> Vec<Complex<f32>> {
    paired(&numbers(2 * n, 1))
}

fn run(inverse: bool, x: &[Complex<f32>]) -> Vec<Complex<f32>> {
    let mut out = vec![Complex::default(); x.len()];
    fft(inverse, x, &mut out).expect("the length is a power of two");
    out
}

/// The largest distance between two numbers at the same place.
fn distance(got: &[Complex<f32>], want: &[Complex<f64>]) -> f64 {
    assert_eq!(got.len(), want.len());
    let wide = |x: &Complex<f32>| Complex::new(f64::from(x.re), f64::from(x.im));
    let distances = got.iter().zip(want).map(|(x, y)| (wide(x) - *y).norm_sqr());
    distances.fold(0.0, f64::max).sqrt()
}

#[test]
fn results_agree_with_numpy() {
    let files = [
        (false, include_str!("../expected/numpy.json")),
        (true, include_str!("../expected/numpy-inverse.json")),
    ];
    for (inverse, file) in files {
        let case: Value = serde_json::from_str(file).unwrap();
        let want = pairs(&case["outputs"]["out"]);
        for (got, want) in run(inverse, &pairs(&case["inputs"]["x"])).iter().zip(want) {
            assert!(
                (*got - want).norm_sqr().sqrt() < 2e-6,
                "{got:?} for {want:?}"
            );
        }
    }
}

#[test]
fn every_small_length_agrees_with_the_definition() {
    for n in [1, 2, 4, 8, 16, 32, 64, 512] {
        let x = drawn(n);
        for inverse in [false, true] {
            let want: Vec<_> = (0..n).map(|k| reference::term(inverse, &x, k)).collect();
            assert!(distance(&run(inverse, &x), &want) < 2e-5, "n = {n}");
            assert!(distance(&run(inverse, &x), &reference::fft(inverse, &x)) < 2e-5);
        }
    }
}

#[test]
fn samples_of_a_listed_length_agree_with_the_definition() {
    let x = drawn(1 << 15);
    let spectrum = run(false, &x);
    for k in [0, 1, 2, 777, 1 << 14, (1 << 14) + 1, (1 << 15) - 1] {
        let error = distance(&spectrum[k..=k], &[reference::term(false, &x, k)]);
        // The numbers of the spectrum are about 150 in size.
        assert!(error < 5e-4, "{error} at {k}");
    }
}

#[test]
fn the_inverse_leads_back() {
    for n in [1, 2, 1 << 15, 1 << 18] {
        let x = drawn(n);
        let want = x
            .iter()
            .map(|x| Complex::new(f64::from(x.re), f64::from(x.im)));
        let error = distance(&run(true, &run(false, &x)), &want.collect::<Vec<_>>());
        assert!(error < 3e-6, "{error} at n = {n}");
    }
}

#[test]
fn other_lengths_are_refused_with_their_number() {
    for n in [0, 3, 12, 1000] {
        let refusal = fft(false, &drawn(n), &mut drawn(n)).unwrap_err();
        let want = format!("n is {n}, but a radix-2 transform needs a power of two");
        assert_eq!(refusal, want);
    }
}

#[test]
fn the_listed_lengths_agree_with_double_precision() {
    for (n, inverse, bound) in [
        (1 << 15, false, 2e-4),
        (1 << 18, false, 1e-3),
        (1 << 15, true, 1e-8),
        (1 << 18, true, 4e-9),
    ] {
        let x = drawn(n);
        let error = distance(&run(inverse, &x), &reference::fft(inverse, &x));
        assert!(error <= bound, "{error} at n = {n}, inverse: {inverse}");
    }
}

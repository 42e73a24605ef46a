//! Checks of the native form.

use hotcell_values::{floats, numbers};
use serde_json::Value;

use super::{histogram, reference};

/// Means, as bits so that NaN equals NaN, and counts.
type Bits = (Vec<u32>, Vec<u32>);

fn bits((mean, counts): (Vec<f32>, Vec<u32>)) -> Bits {
    (mean.into_iter().map(f32::to_bits).collect(), counts)
}

fn run(data: &[f32], radius: &[f32], bins: usize) -> Result<(Vec<f32>, Vec<u32>), String> {
    let (mut mean, mut counts) = (vec![0.0; bins], vec![7; bins]);
    histogram(data, radius, &mut mean, &mut counts)?;
    Ok((mean, counts))
}

fn assert_exact(data: &[f32], radius: &[f32], bins: usize) {
    let got = bits(run(data, radius, bins).unwrap());
    assert_eq!(got, bits(reference::histogram(data, radius, bins)));
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let (inputs, outputs) = (&case["inputs"], &case["outputs"]);
    let (mean, counts) = run(&floats(&inputs["data"]), &floats(&inputs["radius"]), 8).unwrap();
    assert_eq!(mean, floats(&outputs["mean"]));
    assert_eq!(counts.len(), 8);
    assert!(
        counts
            .iter()
            .zip(outputs["counts"].as_array().unwrap())
            .all(|(a, b)| b == a)
    );
}

#[test]
fn every_size_agrees_with_bisection_of_the_edges() {
    for (n, bins) in [
        (1, 1),
        (1, 5),
        (2, 1),
        (2, 3),
        (1001, 7),
        (20_000, 1000),
        (400_000, 1000),
    ] {
        assert_exact(&numbers(n, 1), &numbers(n, 2), bins);
    }
}

#[test]
fn radii_on_the_edges_agree_with_bisection_of_the_edges() {
    for bins in [3, 7, 10, 1000] {
        let radius: Vec<f32> = (0..=bins).map(|i| i as f32 / bins as f32).collect();
        assert_exact(&numbers(bins + 1, 1), &radius, bins);
        let far: Vec<f32> = radius.iter().map(|x| 1.0e6 + x * 1.0e-2).collect();
        assert_exact(&numbers(bins + 1, 1), &far, bins);
    }
}

#[test]
fn the_largest_radius_is_in_the_last_bin_and_empty_bins_have_no_mean() {
    let (mean, counts) = run(&[1.0, 2.0, 4.0], &[0.0, 3.0, 3.0], 3).unwrap();
    assert_eq!(counts, [1, 0, 2]);
    assert_eq!((mean[0], mean[2]), (1.0, 3.0));
    assert!(mean[1].is_nan());
}

#[test]
fn equal_radii_are_in_the_middle_and_no_samples_in_no_bin() {
    assert_eq!(run(&[2.0, 4.0], &[5.0, 5.0], 3).unwrap().1, [0, 2, 0]);
    assert_eq!(run(&[], &[], 3).unwrap().1, [0, 0, 0]);
}

#[test]
fn what_cannot_be_binned_is_refused() {
    for (radius, name) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        let refusal = run(&[1.0; 3], &[0.0, radius, 1.0], 4).unwrap_err();
        assert_eq!(refusal, format!("radius[1] is {name}, which no bin holds"));
    }
    let refusal = run(&[1.0], &[1.0], 0).unwrap_err();
    assert_eq!(refusal, "bins is 0, but samples need one bin at least");
}

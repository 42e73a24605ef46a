//! Numbers for the kernels' own tests: read from their `expected/`, or drawn, the same on every machine.

use serde_json::Value;

/// An array of floats.
///
/// # Panics
/// If it is none.
pub fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("an array of numbers")
}

/// An array of unsigned integers.
///
/// # Panics
/// If it is none.
pub fn integers(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("an array of integers")
}

/// Numbers in [-1, 1) from a linear congruential generator.
pub fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let drawn = states(seed).take(n);
    drawn
        .map(|state| f32::from((state >> 48) as u16) / 32768.0 - 1.0)
        .collect()
}

/// Numbers of 32 bits from the same generator.
pub fn words(n: usize, seed: u64) -> Vec<u32> {
    states(seed)
        .take(n)
        .map(|state| (state >> 32) as u32)
        .collect()
}

/// The generator's states; the constants are Knuth's for MMIX.
fn states(seed: u64) -> impl Iterator<Item = u64> {
    let next = |state: &u64| {
        let product = state.wrapping_mul(6_364_136_223_846_793_005);
        Some(product.wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), next).skip(1)
}

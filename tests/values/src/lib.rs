//! Numbers for the kernels' own tests: read from their `expected/`, or drawn, the same on every machine.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kernel's stored case: inputs, and the outputs that another implementation had for them.
pub struct Case(Value);

impl Case {
    /// Reads the text of a file of `expected/`.
    ///
    /// # Panics
    /// If it is no JSON.
    pub fn of(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("a case in JSON"))
    }

    /// An input's elements.
    ///
    /// # Panics
    /// If there is no such input, or its elements are of another type.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        self.array("inputs", name)
    }

    /// An output's elements.
    ///
    /// # Panics
    /// If there is no such output, or its elements are of another type.
    pub fn output<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        self.array("outputs", name)
    }

    fn array<T: DeserializeOwned>(&self, side: &str, name: &str) -> Vec<T> {
        let elements = serde_json::from_value(self.0[side][name].clone());
        elements.unwrap_or_else(|error| panic!("`{name}` of the case's {side}: {error}"))
    }
}

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

//! Arithmetic that vectorises.
//!
//! LLVM keeps the order of floating-point additions that a program states, so a plain loop over a sum
//! runs one lane at a time. The reductions here state an order with [`LANES`] accumulators instead:
//! the same on every machine, in a component and natively, and usually nearer to the exact result.
//! Minimum and maximum are selects, since `f32::max` has rules for NaN that no vector unit has.

use std::ops::{Add, Mul};

/// How many accumulators a reduction has: four vectors of `f32`, eight of `f64`.
pub const LANES: usize = 16;

/// `f32` or `f64`.
pub trait Real:
    Copy + PartialOrd + Add<Output = Self> + Mul<Output = Self> + sealed::Sealed
{
    /// Zero.
    const ZERO: Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Real for f32 {
    const ZERO: Self = 0.0;
}

impl Real for f64 {
    const ZERO: Self = 0.0;
}

/// The sum of all elements; of nothing it is 0, where `Iterator::sum` gives -0.
#[inline]
pub fn sum<T: Real>(x: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = *lane + x;
        }
    }
    rest.iter().fold(fold(lanes), |sum, &x| sum + x)
}

/// The sum of the products of corresponding elements.
///
/// # Panics
/// If the lengths differ.
#[inline]
#[track_caller]
pub fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    assert_eq!(
        x.len(),
        y.len(),
        "a dot product of slices of different lengths"
    );
    let mut lanes = [T::ZERO; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in xs.iter().zip(ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = *lane + x * y;
        }
    }
    let rest = x_rest.iter().zip(y_rest);
    rest.fold(fold(lanes), |sum, (&x, &y)| sum + x * y)
}

/// The least element, or `None` of nothing. NaNs are passed over unless a lane starts with one.
#[inline]
pub fn min_of<T: Real>(x: &[T]) -> Option<T> {
    reduce(x, min)
}

/// The greatest element, or `None` of nothing. NaNs are passed over unless a lane starts with one.
#[inline]
pub fn max_of<T: Real>(x: &[T]) -> Option<T> {
    reduce(x, max)
}

#[inline]
fn reduce<T: Real>(x: &[T], pick: impl Fn(T, T) -> T) -> Option<T> {
    let mut lanes = [*x.first()?; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = pick(*lane, x);
        }
    }
    lanes.iter().chain(rest).copied().reduce(pick)
}

/// The lanes' sum, in order: a balanced tree would lead LLVM to vectors of half the width.
#[inline]
fn fold<T: Real>(lanes: [T; LANES]) -> T {
    lanes.iter().fold(T::ZERO, |sum, &lane| sum + lane)
}

/// The lesser; `a` if they cannot be compared. One `pmin` instruction, where `f32::min` is several.
#[inline]
pub fn min<T: PartialOrd>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// The greater; `a` if they cannot be compared. One `pmax` instruction, where `f32::max` is several.
#[inline]
pub fn max<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { b } else { a }
}

/// `x` moved into `low..=high`; a NaN stays.
#[inline]
pub fn clamp<T: PartialOrd>(x: T, low: T, high: T) -> T {
    min(max(x, low), high)
}

/// `a * b + c`, rounded twice. `f32::mul_add` rounds once, which in Wasm is a call into a library.
#[inline]
pub fn mul_add<T: Add<Output = T> + Mul<Output = T>>(a: T, b: T, c: T) -> T {
    a * b + c
}

/// e^x without a call, in instructions that vectorise.
///
/// At most 1.03 units in the last place from the exact value, subnormal results included: measured
/// against `f64` over every `f32`. Above 88.73 it is infinite, below −103.98 zero; a NaN stays a NaN.
///
/// Method: Cody and Waite, *Software Manual for the Elementary Functions*, 1980, chapter 6. x =
/// n·ln 2 + r with |r| ≤ ½ ln 2, ln 2 split in two so that n·(upper part) is exact; e^r by its Taylor
/// polynomial of degree 7, whose remainder is below 0.1 ulp; then two scalings by powers of two,
/// which reach the subnormals.
#[inline]
pub fn exp(x: f32) -> f32 {
    /// Adding it rounds to an integer, which then stands in the low bits: 1.5 · 2²³.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 rounded to 15 bits, and the rest of it.
    const LN2_HIGH: f32 = 0.693_145_75;
    const LN2_LOW: f32 = 1.428_606_8e-6;
    let x = clamp(x, -104.0, 89.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    let n = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .cast_signed();
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 2^n for n from −126 to 127.
#[inline]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(n.wrapping_add(127).cast_unsigned() << 23)
}

/// [`exp`] of every element, in place.
#[inline]
pub fn exp_slice(x: &mut [f32]) {
    for x in x {
        *x = exp(*x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence in [−1, 1).
    fn sequence(len: u32) -> Vec<f32> {
        let next = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
        (0..len).map(next).collect()
    }

    #[test]
    fn reductions_agree_with_f64_at_every_remainder() {
        for len in (0..70).chain([1000, 65_537]) {
            let (x, y) = (sequence(len), sequence(len + 3));
            let y = &y[3..];
            let exact: f64 = x.iter().map(|&x| f64::from(x)).sum();
            assert!((f64::from(sum(&x)) - exact).abs() <= 1e-6 * f64::from(len.max(1)));
            let exact: f64 = x
                .iter()
                .zip(y)
                .map(|(&x, &y)| f64::from(x) * f64::from(y))
                .sum();
            assert!((f64::from(dot(&x, y)) - exact).abs() <= 1e-6 * f64::from(len.max(1)));
            assert_eq!(min_of(&x), x.iter().copied().reduce(f32::min));
            assert_eq!(max_of(&x), x.iter().copied().reduce(f32::max));
        }
    }

    #[test]
    fn every_element_counts_once() {
        for len in 0..70_u32 {
            let x: Vec<f64> = (0..len).map(f64::from).collect();
            assert_eq!(sum(&x), f64::from(len * len.saturating_sub(1) / 2));
            assert_eq!(dot(&x, &vec![2.0; x.len()]), 2.0 * sum(&x));
        }
    }

    #[test]
    fn nothing_adds_up_to_zero_without_a_sign() {
        for nothing in [sum::<f32>(&[]), dot::<f32>(&[], &[])] {
            assert_eq!(nothing.to_bits(), 0.0_f32.to_bits());
        }
        assert_eq!(dot(&[-0.0_f64], &[1.0]).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    #[should_panic(expected = "different lengths")]
    fn a_dot_product_needs_equal_lengths() {
        dot(&[1.0_f32], &[]);
    }

    #[test]
    fn selects_keep_their_first_argument_when_unordered() {
        assert_eq!((min(2, 1), max(2, 1), clamp(7, 0, 5)), (1, 2, 5));
        assert_eq!((min(1.0, f32::NAN), max(1.0, f32::NAN)), (1.0, 1.0));
        assert!(min(f32::NAN, 1.0).is_nan() && clamp(f32::NAN, 0.0, 1.0).is_nan());
        assert_eq!(mul_add(2, 3, 4), 10);
    }

    /// The distance in units of the last place of the (normal) exact value.
    fn ulps(x: f32) -> f64 {
        let exact = f64::from(x).exp();
        let exponent = exact.log2().floor();
        (f64::from(exp(x)) - exact).abs() / (exponent - 23.0).exp2()
    }

    #[test]
    fn exp_is_within_its_stated_error_of_f64() {
        let mut worst = (0.0, 0.0);
        let (low, high) = (-87.33, 88.72);
        let steps = 1 << 22;
        for i in 0..=steps {
            // Exact in f32: the position is a multiple of 2⁻²² below 2.
            let x = low + (high - low) * (i as f32 / steps as f32);
            let error = ulps(x);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        for bits in (0..0x4200_0000_u32).step_by(997) {
            let x = f32::from_bits(bits);
            worst.0 = worst.0.max(ulps(x)).max(ulps(-x));
        }
        assert!(worst.0 <= 1.03, "{worst:?}");
    }

    #[test]
    fn exp_has_the_right_ends() {
        assert_eq!(
            (exp(0.0), exp(-0.0), exp(1.0)),
            (1.0, 1.0, std::f32::consts::E)
        );
        assert_eq!(
            (exp(89.0), exp(f32::INFINITY)),
            (f32::INFINITY, f32::INFINITY)
        );
        assert_eq!((exp(-104.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(88.72).is_finite() && exp(88.73).is_infinite());
        let subnormal = exp(-100.0);
        assert!((f64::from(subnormal) - (-100.0_f64).exp()).abs() <= 2f64.powi(-149));
        let mut x = [0.0, 1.0];
        exp_slice(&mut x);
        assert_eq!(x, [1.0, exp(1.0)]);
    }
}

//! The same sum in double precision: what the kernel's results are held against.

/// The sum of `x`, one element after the other.
#[must_use]
pub(crate) fn sum(x: &[f32]) -> f64 {
    x.iter().fold(0.0, |sum, &x| sum + f64::from(x))
}

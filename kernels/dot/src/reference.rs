//! The same product in double precision: what the kernel's results are held against.

/// The inner product of `x` and `y`. Each product is exact in `f64`.
#[must_use]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .fold(0.0, |sum, product| sum + product)
}

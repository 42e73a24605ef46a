//! The same sum in double precision: what the kernel's results are held against.

/// `a·x + y` for each element, rounded once in `f64`.
#[must_use]
pub(crate) fn saxpy(a: f32, x: &[f32], y: &[f32]) -> Vec<f64> {
    let a = f64::from(a);
    x.iter()
        .zip(y)
        .map(|(&x, &y)| a.mul_add(f64::from(x), f64::from(y)))
        .collect()
}

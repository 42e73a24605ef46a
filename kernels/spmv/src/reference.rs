//! The same product in double precision: what the kernel's results are held against.

/// The product of the matrix with `x`, entry by entry.
///
/// # Panics
/// Where offsets or columns lie outside of the arrays.
#[must_use]
pub(crate) fn spmv(offsets: &[u32], columns: &[u32], values: &[f32], x: &[f32]) -> Vec<f64> {
    let rows = offsets.len().saturating_sub(1);
    (0..rows)
        .map(|row| {
            (offsets[row] as usize..offsets[row + 1] as usize)
                .map(|at| f64::from(values[at]) * f64::from(x[columns[at] as usize]))
                .fold(0.0, |sum, product| sum + product)
        })
        .collect()
}

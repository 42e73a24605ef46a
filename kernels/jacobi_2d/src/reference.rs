//! The same sweeps in double precision, point by point: what the kernel's results are held against.

/// Both grids, `[h, w]` in C order, after `steps − 1` time steps.
#[must_use]
pub(crate) fn jacobi_2d(
    steps: u32,
    a: &[f32],
    b: &[f32],
    shape: [usize; 2],
) -> (Vec<f64>, Vec<f64>) {
    let mut a: Vec<f64> = a.iter().copied().map(f64::from).collect();
    let mut b: Vec<f64> = b.iter().copied().map(f64::from).collect();
    for _ in 1..steps {
        sweep(&a, &mut b, shape);
        sweep(&b, &mut a, shape);
    }
    (a, b)
}

fn sweep(from: &[f64], to: &mut [f64], [height, width]: [usize; 2]) {
    for i in 1..height.saturating_sub(1) {
        for j in 1..width.saturating_sub(1) {
            let at = |i: usize, j: usize| from[i * width + j];
            let sum = at(i, j) + at(i, j - 1) + at(i, j + 1) + at(i + 1, j) + at(i - 1, j);
            to[i * width + j] = sum / 5.0;
        }
    }
}

//! NPBench's formulation one point at a time, in the kernel's precision or in f64.

use std::ops::{Add, Mul, Sub};

/// A real type that the iteration can run in.
pub(crate) trait Real:
    Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// The nearest value to `x`.
    fn nearest(x: f64) -> Self;
}

impl Real for f64 {
    fn nearest(x: f64) -> Self {
        x
    }
}

impl Real for f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding is what it is for"
    )]
    fn nearest(x: f64) -> Self {
        x as Self
    }
}

/// N and Z of an `h` × `w` grid over `[xmin, xmax, ymin, ymax]`, row by row.
pub(crate) fn mandelbrot<R: Real>(
    limit: u32,
    horizon: f64,
    [xmin, xmax, ymin, ymax]: [f64; 4],
    h: usize,
    w: usize,
) -> (Vec<u32>, Vec<(R, R)>) {
    let (xs, ys) = (linspace::<R>(xmin, xmax, w), linspace::<R>(ymin, ymax, h));
    let points = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y)));
    points
        .map(|c| follow(c, R::nearest(horizon), limit))
        .unzip()
}

fn linspace<R: Real>(first: f64, last: f64, n: usize) -> Vec<R> {
    let step = (last - first) / (n.max(2) - 1) as f64;
    let mut points: Vec<R> = (0..n)
        .map(|i| R::nearest(i as f64 * step + first))
        .collect();
    if n > 1 {
        points[n - 1] = R::nearest(last);
    }
    points
}

fn follow<R: Real>(c: (R, R), horizon: R, limit: u32) -> (u32, (R, R)) {
    let (mut re, mut im) = (R::nearest(0.0), R::nearest(0.0));
    let mut count = 0;
    for n in 0..limit {
        if re * re + im * im < horizon * horizon {
            count = n;
            (re, im) = (re * re - im * im + c.0, R::nearest(2.0) * re * im + c.1);
        }
    }
    (if count + 1 == limit { 0 } else { count }, (re, im))
}

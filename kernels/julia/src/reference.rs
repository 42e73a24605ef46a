//! The same picture one pixel at a time, in the kernel's precision or in f64.

use std::ops::{Add, Mul, Range, Sub};

/// The frames that the kernel draws: RGBA, pixel by pixel, in single precision.
pub(crate) fn julia(
    limit: u32,
    start: f64,
    step: f64,
    frames: Range<usize>,
    h: usize,
    w: usize,
) -> Vec<u8> {
    let palette = crate::scene::palette(limit);
    let counts = frames.flat_map(|i| counts::<f32>(limit, start + step * i as f64, h, w));
    counts.flat_map(|count| palette[count as usize]).collect()
}

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

/// The iteration counts of the frame at `time`, row by row from the top.
pub(crate) fn counts<R: Real>(limit: u32, time: f64, h: usize, w: usize) -> Vec<u32> {
    let c = (R::nearest(-0.8), R::nearest(0.2 * time.cos()));
    let scale = R::nearest(2.0) * R::nearest(1.0 / h as f64);
    let centred = |i: usize, n: usize| R::nearest(i as f64 - n as f64 / 2.0) * scale;
    let points = (0..h).rev().flat_map(|y| (0..w).map(move |x| (x, y)));
    points
        .map(|(x, y)| escape(centred(x, w), centred(y, h), c, limit))
        .collect()
}

fn escape<R: Real>(mut re: R, mut im: R, c: (R, R), limit: u32) -> u32 {
    let mut count = 0;
    while count < limit && re * re + im * im < R::nearest(400.0) {
        (re, im) = (re * re - im * im + c.0, R::nearest(2.0) * re * im + c.1);
        count += 1;
    }
    count
}

//! The Mandelbrot set as NPBench's `mandelbrot1` computes it: counts N and last iterates Z.
//!
//! C is the grid of `w` × `h` points, ends included. While |Z| is below the horizon, Z ← Z² + C; N
//! is the last iteration at which Z still was, and 0 where it always was.
//!
//! Pixels of a row are iterated `LANES` at a time. Escaped ones are frozen by selects, as their
//! iterate is part of the result.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(mandelbrot);

/// Pixels iterated at once.
const LANES: usize = 8;

/// Iterations between two looks at whether any pixel of a block is left.
const STRIDE: u32 = 4;

/// Iterates every point of a grid: `counts` is NPBench's N and `last` its Z.
#[kernel(
    sig = "->(h,w),(h,w)",
    split = "h",
    cost = "10*limit*h*w",
    default(
        limit = 60, horizon = 2.0, xmin = -1.75, xmax = 0.25, ymin = -1.0, ymax = 1.0
    )
)]
#[expect(clippy::too_many_arguments, reason = "the window and its grid")]
pub fn mandelbrot(
    limit: u32,
    horizon: f32,
    xmin: f64,
    xmax: f64,
    ymin: f64,
    ymax: f64,
    chunk: Chunk,
    w: usize,
    counts: &mut [u32],
    last: &mut [Complex<f32>],
) {
    if w == 0 {
        return;
    }
    let columns: Vec<f32> = (0..w).map(|i| grid_point(xmin, xmax, i, w)).collect();
    let rows = counts.chunks_exact_mut(w).zip(last.chunks_exact_mut(w));
    for (i, (counts, last)) in rows.enumerate() {
        let c_im = grid_point(ymin, ymax, chunk.start + i, chunk.total);
        let blocks = columns.chunks(LANES).zip(counts.chunks_mut(LANES));
        for ((points, counts), last) in blocks.zip(last.chunks_mut(LANES)) {
            let mut c_re = [0.0; LANES];
            c_re[..points.len()].copy_from_slice(points);
            let orbit = iterate(&c_re, c_im, horizon, limit);
            for lane in 0..points.len() {
                counts[lane] = npbench_count(orbit.counts[lane], limit);
                last[lane] = Complex {
                    re: orbit.re[lane],
                    im: orbit.im[lane],
                };
            }
        }
    }
}

/// Point `i` of `n` from `first` to `last`, both included, rounded once as NumPy's `linspace` does.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounds to the precision of the iteration"
)]
fn grid_point(first: f64, last: f64, i: usize, n: usize) -> f32 {
    match i {
        0 => first as f32,
        _ if i + 1 == n => last as f32,
        _ => (i as f64 * ((last - first) / (n - 1) as f64) + first) as f32,
    }
}

/// N from the number of iterates below the horizon.
fn npbench_count(below: u32, limit: u32) -> u32 {
    if below == limit {
        0
    } else {
        below.saturating_sub(1)
    }
}

/// Follows the orbits of 0 under z² + c for `LANES` values of c.
fn iterate(c_re: &[f32; LANES], c_im: f32, horizon: f32, limit: u32) -> Orbit {
    let squared = horizon * horizon;
    let mut orbit = Orbit {
        re: [0.0; LANES],
        im: [0.0; LANES],
        counts: [0; LANES],
    };
    let mut done = 0;
    while done + STRIDE <= limit {
        for _ in 0..STRIDE {
            orbit.advance(c_re, c_im, squared);
        }
        done += STRIDE;
        if orbit.counts.iter().fold(true, |all, &n| all & (n < done)) {
            return orbit;
        }
    }
    for _ in done..limit {
        orbit.advance(c_re, c_im, squared);
    }
    orbit
}

/// The pixels of one block on their way.
struct Orbit {
    re: [f32; LANES],
    im: [f32; LANES],
    /// How many iterates lay below the horizon.
    counts: [u32; LANES],
}

impl Orbit {
    /// Counts and moves the lanes that are below the horizon.
    #[inline(always)]
    fn advance(&mut self, c_re: &[f32; LANES], c_im: f32, horizon_squared: f32) {
        for (lane, c_re) in c_re.iter().enumerate() {
            let (re, im) = (self.re[lane], self.im[lane]);
            let (re2, im2) = (re * re, im * im);
            // All ones below the horizon: selects by masks vectorise where selects by `if` do not.
            let below = u32::from(re2 + im2 < horizon_squared).wrapping_neg();
            self.counts[lane] = self.counts[lane].wrapping_sub(below);
            self.re[lane] = select(below, re2 - im2 + c_re, re);
            self.im[lane] = select(below, 2.0 * re * im + c_im, im);
        }
    }
}

/// `a` where the mask is all ones, `b` where it is zero.
#[inline(always)]
fn select(mask: u32, a: f32, b: f32) -> f32 {
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    /// The window of NPBench's size S.
    const WINDOW: [f64; 4] = [-1.75, 0.25, -1.0, 1.0];

    fn computed(limit: u32, chunk: Chunk, w: usize) -> (Vec<u32>, Vec<Complex<f32>>) {
        let [xmin, xmax, ymin, ymax] = WINDOW;
        let mut counts = vec![0; chunk.len * w];
        let mut last = vec![Complex { re: 0.0, im: 0.0 }; chunk.len * w];
        mandelbrot(
            limit,
            2.0,
            xmin,
            xmax,
            ymin,
            ymax,
            chunk,
            w,
            &mut counts,
            &mut last,
        );
        (counts, last)
    }

    fn whole(h: usize) -> Chunk {
        Chunk {
            start: 0,
            len: h,
            total: h,
        }
    }

    #[test]
    fn counts_and_iterates_are_those_of_the_scalar_iteration() {
        for (limit, h, w) in [(60, 125, 125), (7, 3, 8), (1, 2, 9), (0, 1, 1), (60, 1, 0)] {
            let (counts, last) = computed(limit, whole(h), w);
            let (want, want_last) = reference::mandelbrot::<f32>(limit, 2.0, WINDOW, h, w);
            assert_eq!(counts, want, "{h}×{w}, limit {limit}");
            let last: Vec<_> = last.iter().map(|z| (z.re, z.im)).collect();
            assert_eq!(last, want_last, "{h}×{w}, limit {limit}");
        }
    }

    #[test]
    fn counts_are_numpys() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let (counts, _) = computed(60, whole(6), 11);
        assert_eq!(counts, case.output::<u32>("counts"));
    }

    #[test]
    fn npbench_size_s_adds_up_as_in_numpy() {
        let (counts, _) = computed(60, whole(125), 125);
        let zeros = counts.iter().filter(|&&n| n == 0).count();
        assert_eq!((counts.iter().sum::<u32>(), zeros), (57_794, 5683));
    }

    #[test]
    fn single_precision_moves_few_pixels() {
        let (single, _) = reference::mandelbrot::<f32>(60, 2.0, WINDOW, 125, 125);
        let (double, _) = reference::mandelbrot::<f64>(60, 2.0, WINDOW, 125, 125);
        let different = single.iter().zip(&double).filter(|(a, b)| a != b).count();
        assert!(different < single.len() / 100, "{different} pixels");
    }

    #[test]
    fn a_chunk_computes_its_own_rows() {
        let (all, _) = computed(60, whole(20), 33);
        let (some, _) = computed(
            60,
            Chunk {
                start: 7,
                len: 13,
                total: 20,
            },
            33,
        );
        assert_eq!(some, all[7 * 33..]);
    }

    #[test]
    fn the_origin_never_escapes_and_a_far_point_escapes_at_once() {
        let mut counts = [9];
        let mut last = [Complex { re: 9.0, im: 9.0 }];
        mandelbrot(
            60,
            2.0,
            0.0,
            0.0,
            0.0,
            0.0,
            whole(1),
            1,
            &mut counts,
            &mut last,
        );
        assert_eq!((counts[0], last[0].re, last[0].im), (0, 0.0, 0.0));
        mandelbrot(
            60,
            2.0,
            3.0,
            3.0,
            0.0,
            0.0,
            whole(1),
            1,
            &mut counts,
            &mut last,
        );
        assert_eq!((counts[0], last[0].re, last[0].im), (0, 3.0, 0.0));
    }
}

//! Frames of an animated Julia set: how long z ← z² + c stays below 20, for c = −0.8 + 0.2i·cos t.
//!
//! Mapping, constants and brightness are those of Taichi's first example (`fractal.py`, 640×320, at
//! most 50 iterations); the tint is ours.
//!
//! Pixels of a row are iterated `LANES` at a time. A pixel that has escaped needs no freezing: it
//! can only grow until it overflows, and neither an infinity nor a NaN compares as below the horizon.

#[cfg(test)]
mod reference;
mod scene;

use hotcell_guest::prelude::*;
use scene::{constant_at, palette};

hotcell_guest::export!(julia);

/// Pixels iterated at once.
const LANES: usize = 8;

/// Iterations between two looks at whether any pixel of a block is left.
const STRIDE: u32 = 5;

/// |z|² from which a point counts as escaped.
const HORIZON_SQUARED: f32 = 400.0;

/// Draws `t` frames of RGBA pixels; frame i is the set at time `start + i·step`.
#[kernel(
    sig = "->(t,h,w,4)",
    split = "t",
    cost = "10*limit*t*h*w",
    weight = "heavy",
    default(limit = 50, start = 0.0, step = 0.03)
)]
pub fn julia(
    limit: u32,
    start: f64,
    step: f64,
    chunk: Chunk,
    h: usize,
    w: usize,
    frames: &mut [u8],
) {
    let frame_bytes = 4 * h * w;
    if frame_bytes == 0 {
        return;
    }
    let palette = palette(limit);
    for (i, frame) in frames.chunks_exact_mut(frame_bytes).enumerate() {
        if control::should_stop() {
            return;
        }
        let time = start + step * (chunk.start + i) as f64;
        draw(constant_at(time), limit, &palette, h, w, frame);
        control::progress(i as u64 + 1, chunk.len as u64);
    }
}

/// Draws one frame; the row at the top has the greatest imaginary part.
fn draw(c_im: f32, limit: u32, palette: &[[u8; 4]], h: usize, w: usize, frame: &mut [u8]) {
    let scale = 2.0 / h as f32;
    let (pixels, _) = frame.as_chunks_mut::<4>();
    for (row, pixels) in pixels.chunks_exact_mut(w).enumerate() {
        let im = ((h - 1 - row) as f32 - 0.5 * h as f32) * scale;
        for (block, pixels) in pixels.chunks_mut(LANES).enumerate() {
            let re = |lane| ((block * LANES + lane) as f32 - 0.5 * w as f32) * scale;
            let re = std::array::from_fn(re);
            let counts = iterate(re, [im; LANES], c_im, limit);
            for (pixel, count) in pixels.iter_mut().zip(counts) {
                *pixel = palette[count as usize];
            }
        }
    }
}

/// How many of the first `limit` iterates of each lane lie below the horizon.
fn iterate(re: [f32; LANES], im: [f32; LANES], c_im: f32, limit: u32) -> [u32; LANES] {
    let mut orbit = Orbit {
        re,
        im,
        counts: [0; LANES],
    };
    let mut done = 0;
    while done + STRIDE <= limit {
        for _ in 0..STRIDE {
            orbit.advance(c_im);
        }
        done += STRIDE;
        if orbit.counts.iter().fold(true, |all, &n| all & (n < done)) {
            return orbit.counts;
        }
    }
    for _ in done..limit {
        orbit.advance(c_im);
    }
    orbit.counts
}

/// The pixels of one block on their way.
struct Orbit {
    re: [f32; LANES],
    im: [f32; LANES],
    counts: [u32; LANES],
}

impl Orbit {
    /// Counts the lanes that are below the horizon and moves them all by one iteration.
    #[inline(always)]
    fn advance(&mut self, c_im: f32) {
        for lane in 0..LANES {
            let (re, im) = (self.re[lane], self.im[lane]);
            let (re2, im2) = (re * re, im * im);
            let below = u32::from(re2 + im2 < HORIZON_SQUARED);
            self.counts[lane] = self.counts[lane].wrapping_add(below);
            self.re[lane] = re2 - im2 - 0.8;
            self.im[lane] = 2.0 * re * im + c_im;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(limit: u32, chunk: Chunk, h: usize, w: usize) -> Vec<u8> {
        let mut frames = vec![0; chunk.len * h * w * 4];
        julia(limit, 0.5, 0.03, chunk, h, w, &mut frames);
        frames
    }

    fn whole(t: usize) -> Chunk {
        Chunk {
            start: 0,
            len: t,
            total: t,
        }
    }

    #[test]
    fn frames_are_those_of_the_scalar_iteration() {
        for (limit, t, h, w) in [
            (50, 2, 320, 640),
            (50, 1, 33, 71),
            (3, 1, 5, 9),
            (0, 1, 1, 1),
        ] {
            let want = reference::julia(limit, 0.5, 0.03, 0..t, h, w);
            assert!(
                drawn(limit, whole(t), h, w) == want,
                "{t}×{h}×{w}, limit {limit}"
            );
        }
    }

    #[test]
    fn the_first_frame_is_the_stored_picture() {
        let stored = std::io::Cursor::new(include_bytes!("../expected/julia.png"));
        let mut reader = png::Decoder::new(stored).read_info().unwrap();
        let mut picture = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut picture).unwrap();
        let mut frame = vec![0; 320 * 640 * 4];
        julia(50, 0.0, 0.03, whole(1), 320, 640, &mut frame);
        assert!(frame == picture);
    }

    #[test]
    fn single_precision_moves_few_pixels() {
        let (single, double) = (
            reference::counts::<f32>(50, 1.0, 320, 640),
            reference::counts::<f64>(50, 1.0, 320, 640),
        );
        let different = single.iter().zip(&double).filter(|(a, b)| a != b).count();
        assert!(different < single.len() / 1000, "{different} pixels");
    }

    #[test]
    fn a_chunk_draws_its_own_frames() {
        let all = drawn(50, whole(5), 20, 40);
        let some = drawn(
            50,
            Chunk {
                start: 3,
                len: 2,
                total: 5,
            },
            20,
            40,
        );
        assert_eq!(some, all[3 * 20 * 40 * 4..]);
    }

    #[test]
    fn empty_frames_are_drawn_at_once() {
        assert!(drawn(50, whole(3), 0, 7).is_empty());
        assert!(drawn(50, whole(0), 4, 4).is_empty());
    }
}

//! edges: the edges of an RGBA picture, all in integers.
//!
//! A 5 × 5 binomial blur (the weights 1 4 6 4 1, an approximation of the Gaussian with variance 1)
//! takes out noise; the Sobel gradient follows, its magnitude as |gx| + |gy|, cut at 255. Red, green
//! and blue are treated alike, alpha is kept, and beyond the border the nearest pixel counts. Rows
//! are blurred as the gradient needs them, so three of them are all that is stored. A chunk of rows
//! has the three rows around it that its edges reach. The listed size is a picture of 1920 × 1080.

use hotcell_guest::prelude::*;

mod blur;
mod gradient;
#[cfg(test)]
mod reference;
mod row;

use blur::Blur;
use gradient::Gradient;
use row::CHANNELS;

/// Rows that an edge reaches: one for the gradient and two more for the blur of that one.
const REACH: usize = 3;

/// Finds edges: a Gaussian blur and the magnitude of the Sobel gradient, for each colour.
#[kernel(
    sig = "(h,w,4)->(h,w,4)",
    split = "h",
    halo(image = 3),
    cost = "42*h*w*4"
)]
pub fn edges(image: View3<u8>, chunk: Chunk, mut out: ViewMut3<u8>) {
    let [_, width, _] = image.shape();
    let stride = width * CHANNELS;
    if image.as_slice().is_empty() {
        return;
    }
    let rows: Vec<&[u8]> = image.as_slice().chunks_exact(stride).collect();
    let mut blur = Blur::new(&rows, stride);
    let mut gradient = Gradient::new(stride);
    let first = chunk.before(REACH);
    // The blurred rows above, at and below the row at hand; above the first, itself.
    let mut window = [first.saturating_sub(1), first, first + 1].map(|y| {
        let mut row = vec![0; stride];
        blur.row(y, &mut row);
        row
    });
    for (y, out) in (first..).zip(out.as_mut_slice().chunks_exact_mut(stride)) {
        let [above, here, below] = &window;
        gradient.row(above, here, below, out);
        keep_alpha(rows[y], out);
        window.rotate_left(1);
        blur.row(y + 2, &mut window[2]);
    }
}

/// Copies the fourth channel of each pixel.
fn keep_alpha(from: &[u8], to: &mut [u8]) {
    let pixels = from.as_chunks::<CHANNELS>().0;
    for (to, from) in to.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(pixels) {
        to[3] = from[3];
    }
}

hotcell_guest::export!(edges);

#[cfg(test)]
mod tests;

//! The same picture from the definitions, pixel by pixel: the kernel must agree to the bit.

/// Blur weights along one axis; their sum is 16.
const BINOMIAL: [i64; 5] = [1, 4, 6, 4, 1];

/// Weights of the horizontal derivative; the vertical one's are these, transposed.
const SOBEL: [[i64; 3]; 3] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]];

/// The edges of `image`, `[h, w, 4]` in C order.
#[must_use]
pub(crate) fn edges(image: &[u8], [height, width]: [usize; 2]) -> Vec<u8> {
    let blurred = map(image, [height, width], |pixel| {
        let mut sum = 128;
        for (dy, wy) in (-2..).zip(BINOMIAL) {
            for (dx, wx) in (-2..).zip(BINOMIAL) {
                sum += wy * wx * pixel(dy, dx);
            }
        }
        sum / 256
    });
    let mut out = map(&blurred, [height, width], |pixel| {
        let (mut gx, mut gy) = (0, 0);
        for (dy, i) in (-1..).zip(0..3) {
            for (dx, j) in (-1..).zip(0..3) {
                gx += SOBEL[i][j] * pixel(dy, dx);
                gy += SOBEL[j][i] * pixel(dy, dx);
            }
        }
        (gx.abs() + gy.abs()).min(255)
    });
    for (out, pixel) in out.chunks_exact_mut(4).zip(image.chunks_exact(4)) {
        out[3] = pixel[3];
    }
    out
}

/// Computes each byte of a picture from the bytes around it, given by their offset `(dy, dx)`.
fn map(
    image: &[u8],
    [height, width]: [usize; 2],
    value: impl Fn(&dyn Fn(isize, isize) -> i64) -> i64,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(image.len());
    for (y, x, channel) in
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..4).map(move |c| (y, x, c))))
    {
        let pixel = |dy, dx| {
            let y = y.saturating_add_signed(dy).min(height - 1);
            let x = x.saturating_add_signed(dx).min(width - 1);
            i64::from(image[(y * width + x) * 4 + channel])
        };
        out.push(u8::try_from(value(&pixel)).expect("both filters stay within a byte"));
    }
    out
}

//! One pass of the transform.
//!
//! With blocks of `stride` numbers, block `p` of the first half (`a`) and of the second half (`b`)
//! become the blocks `2p` and `2p + 1` of the result: `a + b`, and `(a − b)` times the factor of `p`.

use crate::planes::Planes;

/// Runs the pass for blocks of `stride` numbers, a power of two below the length.
pub(crate) fn run(from: &Planes, to: &mut Planes, factors: &Planes, stride: usize) {
    match stride {
        1 => short::<1>(from, to, factors),
        2 => short::<2>(from, to, factors),
        4 => short::<4>(from, to, factors),
        8 => short::<8>(from, to, factors),
        16 => short::<16>(from, to, factors),
        _ => long(from, to, factors, stride),
    }
}

/// Blocks too short for a loop of their own.
fn short<const STRIDE: usize>(from: &Planes, to: &mut Planes, factors: &Planes) {
    let half = from.re.len() / 2;
    let blocks = half / STRIDE;
    let (a_re, b_re) = from.re.split_at(half);
    let (a_im, b_im) = from.im.split_at(half);
    let [a_re, a_im, b_re, b_im, w_re, w_im] = [a_re, a_im, b_re, b_im, &factors.re, &factors.im]
        .map(|plane| &plane.as_chunks::<STRIDE>().0[..blocks]);
    let [to_re, to_im] = [&mut to.re, &mut to.im].map(|plane| {
        let pairs = plane.as_chunks_mut::<STRIDE>().0.as_chunks_mut::<2>().0;
        &mut pairs[..blocks]
    });
    for p in 0..blocks {
        let (w_re, w_im) = (w_re[p][0], w_im[p][0]);
        let ([sum_re, turned_re], [sum_im, turned_im]) = (&mut to_re[p], &mut to_im[p]);
        for q in 0..STRIDE {
            let (re, im) = (a_re[p][q] - b_re[p][q], a_im[p][q] - b_im[p][q]);
            sum_re[q] = a_re[p][q] + b_re[p][q];
            sum_im[q] = a_im[p][q] + b_im[p][q];
            turned_re[q] = re * w_re - im * w_im;
            turned_im[q] = re * w_im + im * w_re;
        }
    }
}

/// Blocks of whole vectors, each with one factor.
fn long(from: &Planes, to: &mut Planes, factors: &Planes, stride: usize) {
    let half = from.re.len() / 2;
    let to_re = to.re.chunks_exact_mut(2 * stride);
    let to_im = to.im.chunks_exact_mut(2 * stride);
    for (p, (to_re, to_im)) in to_re.zip(to_im).enumerate() {
        let a = p * stride;
        let b = half + a;
        butterflies(
            [&from.re[a..][..stride], &from.im[a..][..stride]],
            [&from.re[b..][..stride], &from.im[b..][..stride]],
            (factors.re[a], factors.im[a]),
            to_re.split_at_mut(stride),
            to_im.split_at_mut(stride),
        );
    }
}

#[inline]
fn butterflies(
    [a_re, a_im]: [&[f32]; 2],
    [b_re, b_im]: [&[f32]; 2],
    (w_re, w_im): (f32, f32),
    (sum_re, turned_re): (&mut [f32], &mut [f32]),
    (sum_im, turned_im): (&mut [f32], &mut [f32]),
) {
    let stride = a_re.len();
    let (a_im, b_re, b_im) = (&a_im[..stride], &b_re[..stride], &b_im[..stride]);
    let (sum_re, sum_im) = (&mut sum_re[..stride], &mut sum_im[..stride]);
    let (turned_re, turned_im) = (&mut turned_re[..stride], &mut turned_im[..stride]);
    for q in 0..stride {
        let (re, im) = (a_re[q] - b_re[q], a_im[q] - b_im[q]);
        sum_re[q] = a_re[q] + b_re[q];
        sum_im[q] = a_im[q] + b_im[q];
        turned_re[q] = re * w_re - im * w_im;
        turned_im[q] = re * w_im + im * w_re;
    }
}

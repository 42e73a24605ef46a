//! jacobi_2d: a five-point stencil swept over two grids in turn, as PolyBench and NPBench have it.
//!
//! Each time step computes the interior of `b` from `a`, then the interior of `a` from `b`; borders
//! stay as they are. Like NPBench's loop over `range(1, TSTEPS)` a launch makes `steps − 1` time
//! steps. The listed size, 350 × 350 with 80 steps, is NPBench's M, in single precision.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Averages every inner point with its four neighbours, there and back between two grids.
#[kernel(
    sig = "(h,w),(h,w)->(h,w),(h,w)",
    inout = "a,b",
    default(steps = 80),
    cost = "10*(steps-1)*(h-2)*(w-2)"
)]
pub fn jacobi_2d(steps: u32, mut a: ViewMut2<f32>, mut b: ViewMut2<f32>) {
    let [_, width] = a.shape();
    let (a, b) = (a.as_mut_slice(), b.as_mut_slice());
    for _ in 1..steps {
        sweep(a, b, width);
        sweep(b, a, width);
    }
}

/// Writes the average of each point's neighbourhood in `from` to the interior of `to`.
fn sweep(from: &[f32], to: &mut [f32], width: usize) {
    if width < 3 {
        return;
    }
    let above = from.chunks_exact(width);
    let here = from.chunks_exact(width).skip(1);
    let below = from.chunks_exact(width).skip(2);
    let to = to.chunks_exact_mut(width).skip(1);
    for (((above, here), below), to) in above.zip(here).zip(below).zip(to) {
        average(above, here, below, to);
    }
}

/// Computes one row. All four slices are one grid's width, three at least.
#[inline]
fn average(above: &[f32], here: &[f32], below: &[f32], to: &mut [f32]) {
    let inner = to.len() - 2;
    let (left, centre, right) = (&here[..inner], &here[1..][..inner], &here[2..][..inner]);
    let (above, below) = (&above[1..][..inner], &below[1..][..inner]);
    for (j, to) in to[1..][..inner].iter_mut().enumerate() {
        *to = 0.2 * (centre[j] + left[j] + right[j] + below[j] + above[j]);
    }
}

hotcell_guest::export!(jacobi_2d);

#[cfg(test)]
mod tests;

//! saxpy: `out = a·x + y` in single precision, the smallest kernel that is bound by memory.
//!
//! Every element stands alone, so the host may cut `n` where it likes. The listed size, 2²²
//! elements, is the one of Taichi's benchmark suite.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Adds `a` times `x` to `y`, element by element.
#[kernel(sig = "(n),(n)->(n)", split = "n", cost = "2*n", weight = "light")]
pub fn saxpy(a: f32, x: &[f32], y: &[f32], out: &mut [f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = a * x + y;
    }
}

hotcell_guest::export!(saxpy);

#[cfg(test)]
mod tests;

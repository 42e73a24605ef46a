//! prefix_scan: running sums of unsigned integers, a chain of dependent additions.
//!
//! Inclusive: `out[i] = x[0] + … + x[i]`, modulo 2³². A plain loop: at one addition for each element
//! it keeps up with memory, and scanning blocks in vectors was measured to be no faster natively and
//! slower in Wasm, for its shuffles. The listed size, 2²² elements, is the one of Taichi's benchmark
//! suite.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Adds up all elements as far as each, modulo 2³².
#[kernel(sig = "(n)->(n)", cost = "n", weight = "light")]
pub fn prefix_scan(x: &[u32], out: &mut [u32]) {
    let mut total = 0_u32;
    for (out, x) in out.iter_mut().zip(x) {
        total = total.wrapping_add(*x);
        *out = total;
    }
}

hotcell_guest::export!(prefix_scan);

#[cfg(test)]
mod tests;

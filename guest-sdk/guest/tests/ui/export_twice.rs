//! Two kernels of one name.

#![allow(unused)]

use hotcell_guest::prelude::*;

mod a {
    use hotcell_guest::prelude::*;
    #[kernel(sig = "(n)->(n)")]
    pub fn f(x: &[f32], out: &mut [f32]) {}
}

#[kernel(sig = "(n)->(n)")]
pub fn f(x: &[f32], out: &mut [f32]) {}

hotcell_guest::export!(f, a::f);

fn main() {}

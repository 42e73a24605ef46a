//! A function that returns what is no result.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(x: &[f32], out: &mut [f32]) -> u32 {
    0
}

fn main() {}

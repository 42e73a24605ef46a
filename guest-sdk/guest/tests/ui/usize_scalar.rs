//! A usize that is no dimension.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(steps: usize, x: &[f32], out: &mut [f32]) {}

fn main() {}

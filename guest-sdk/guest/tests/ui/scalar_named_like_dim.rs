//! A scalar with the name of a dimension.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(n: u32, x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A generic function.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f<T: Copy>(x: &[f32], out: &mut [f32]) {}

fn main() {}

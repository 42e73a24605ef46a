//! An array of elements that are no dtype.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(x: &[char], out: &mut [f32]) {}

fn main() {}

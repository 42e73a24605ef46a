//! A default for an array.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", default(x = 1.0))]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

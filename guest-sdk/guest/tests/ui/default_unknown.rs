//! A default for a scalar that there is none of.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", default(b = 1.0))]
fn f(a: f32, x: &[f32], out: &mut [f32]) {}

fn main() {}

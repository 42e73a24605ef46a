//! A default of the wrong type.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", default(steps = 1.5))]
fn f(steps: u32, x: &[f32], out: &mut [f32]) {}

fn main() {}

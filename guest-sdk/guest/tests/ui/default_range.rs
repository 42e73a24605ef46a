//! A default that its type cannot hold.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", default(steps = -1))]
fn f(steps: u32, x: &[f32], out: &mut [f32]) {}

fn main() {}

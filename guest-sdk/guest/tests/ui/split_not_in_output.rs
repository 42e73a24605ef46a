//! A split that an output does not have.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->()", split = "n")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

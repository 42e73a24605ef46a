//! An amount of memory in a unit that is refused.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", memory = "512MB")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

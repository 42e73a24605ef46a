//! No signature.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(cost = "1")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A split that is not the first dimension of an input.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(k,n)->(n)", split = "n")]
fn f(x: View2<f32>, out: &mut [f32]) {}

fn main() {}

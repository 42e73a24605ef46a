//! A split that is no dimension.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", split = "m")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

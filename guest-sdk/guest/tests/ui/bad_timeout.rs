//! A duration without a unit.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", timeout = "30")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

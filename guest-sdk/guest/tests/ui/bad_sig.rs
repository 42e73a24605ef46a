//! A signature that does not parse.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A key that there is none of.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", splits = "n")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

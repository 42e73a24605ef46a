//! A parameter without a name.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(x: &[f32], _: &mut [f32]) {}

fn main() {}

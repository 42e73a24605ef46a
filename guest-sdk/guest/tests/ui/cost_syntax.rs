//! A cost that does not parse.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", cost = "2*n*")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A cost over a name that is neither dimension nor integer scalar.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", cost = "2*n*a")]
fn f(a: f32, x: &[f32], out: &mut [f32]) {}

fn main() {}

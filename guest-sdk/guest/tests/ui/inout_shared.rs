//! An in-out array that cannot be written.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n),(n)->(n)", inout = "x")]
fn f(x: &[f32], y: &mut [f32]) {}

fn main() {}

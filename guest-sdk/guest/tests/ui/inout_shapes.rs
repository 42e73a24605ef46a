//! An in-out array with two shapes.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(m)", inout = "x")]
fn f(x: &mut [f32]) {}

fn main() {}

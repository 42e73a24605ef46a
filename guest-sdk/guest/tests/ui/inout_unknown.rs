//! An in-out name that is no parameter.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", inout = "z")]
fn f(x: &mut [f32]) {}

fn main() {}

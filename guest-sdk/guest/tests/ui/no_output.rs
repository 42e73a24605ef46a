//! A kernel without an output.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->")]
fn f(x: &[f32]) {}

fn main() {}

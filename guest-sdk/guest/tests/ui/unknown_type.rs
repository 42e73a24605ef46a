//! A parameter of a type that kernels do not take.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(x: &Vec<f32>, out: &mut [f32]) {}

fn main() {}

//! An input more than the signature has.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(x: &[f32], y: &[f32], out: &mut [f32]) {}

fn main() {}

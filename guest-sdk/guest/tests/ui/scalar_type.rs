//! A scalar of a type that only elements have.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
fn f(a: u8, x: &[f32], out: &mut [f32]) {}

fn main() {}

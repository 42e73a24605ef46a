//! An unsafe function.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)")]
unsafe fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A count with an unknown suffix.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n)->(n)", fuel = "1X")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

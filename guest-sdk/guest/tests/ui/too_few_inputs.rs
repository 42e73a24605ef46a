//! An input fewer than the signature has.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(n),(n)->(n)")]
fn f(x: &[f32], out: &mut [f32]) {}

fn main() {}

//! A method.

#![allow(unused)]

use hotcell_guest::prelude::*;

struct S;

impl S {
    #[kernel(sig = "(n)->(n)")]
    fn f(&self, x: &[f32], out: &mut [f32]) {}
}

fn main() {}

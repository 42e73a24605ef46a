//! A view of another rank than the signature gives.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[kernel(sig = "(h,w,4)->(h,w)")]
fn f(x: View2<f32>, out: ViewMut2<f32>) {}

fn main() {}

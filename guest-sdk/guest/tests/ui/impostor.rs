//! A type of the author that is spelled like one of the SDK.

#![allow(unused)]

use hotcell_guest::prelude::*;

#[derive(Clone, Copy, Default)]
struct F16(u16);

#[kernel(sig = "(n)->(n)")]
fn f(x: &[F16], out: &mut [f32]) {}

fn main() {}

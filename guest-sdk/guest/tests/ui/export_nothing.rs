//! An export of nothing.

#![allow(unused)]

use hotcell_guest::prelude::*;

hotcell_guest::export!();

fn main() {}

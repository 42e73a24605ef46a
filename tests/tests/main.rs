//! Tests that cross crates and processes.

mod cli {
    mod build;
}
mod command;
mod fuzz;
mod guest_code;
mod kernels;

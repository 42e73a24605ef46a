//! Tests that cross crates and processes.

#![expect(
    clippy::duplicate_mod,
    reason = "the guests' tests run in process and in confined workers"
)]

mod attack;
mod bombs;
mod cli {
    mod build;
    mod objects;
}
mod command;
/// Every guest in both isolations.
mod differential;
mod documents;
mod escapes;
mod fairness;
mod files;
mod fuzz;
/// Kernels on a GPU, in process.
#[path = "gpu/mod.rs"]
mod gpu;
/// The same in confined workers.
#[path = "gpu/mod.rs"]
mod gpu_confined;
/// What hostile kernels try, with the Wasm sandbox as the only wall.
#[path = "guest_code/mod.rs"]
mod guest_code;
/// The same in confined workers.
#[path = "guest_code/mod.rs"]
mod guest_code_confined;
mod install;
mod kernels;
mod serve;

//! The harness of the tests that cross crates and processes.
//!
//! [`Guest`] makes a component in process of a few lines of WebAssembly text, [`Arena`] runs it and checks that
//! the cell still serves honest kernels afterwards, [`Command`] starts the real `hotcell` in directories of
//! its own. [`Locked`] is a real worker without a supervisor, [`Hostile`] a cell whose workers are fakes that
//! break the rules. What a machine cannot test goes through [`skip()`], which is visible and can be made a failure.

mod alone;
mod arena;
pub mod bombs;
pub mod calls;
mod command;
pub mod corpus;
pub mod daemon;
pub mod gpu;
mod guest;
mod hostile;
mod ledger;
mod locked;
mod npy;
pub mod processes;
pub mod schema;
mod skip;

pub use alone::is_alone;
pub use arena::{
    Arena, assert_breached, assert_ended, cell, honest_request, isolation_of, tier, workers,
};
pub use command::{Command, Finished, Running, binary};
pub use daemon::Daemon;
pub use gpu::GpuArena;
pub use guest::{Guest, checkout};
pub use hostile::Hostile;
pub use ledger::Ledger;
pub use locked::{Locked, Tried, description};
pub use npy::{npy, read_npy};
pub use skip::{is_forbidden, skip};

//! The harness of the tests that cross crates and processes.
//!
//! [`Guest`] makes a component in process of a few lines of WebAssembly text, [`Arena`] runs it and checks that
//! the cell still serves honest kernels afterwards, [`Command`] starts the real `hotcell` in directories of
//! its own. What a machine cannot test goes through [`skip()`], which is visible and can be made a failure.

mod arena;
mod command;
mod guest;
mod npy;
mod skip;

pub use arena::{Arena, assert_breached, assert_ended, honest_request};
pub use command::{Command, Finished, Running, binary};
pub use guest::{Guest, checkout};
pub use npy::{npy, read_npy};
pub use skip::skip;

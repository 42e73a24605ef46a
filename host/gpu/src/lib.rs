//! GPU work of kernels: bounded before it runs, contained after.
//!
//! A shader's way: [`admission`] parses, validates and bounds one entry point of hostile WGSL; [`fuel`] gives
//! every loop that is not proven finite a budget; [`session`] charges and runs what one launch asks for on a
//! [`device`]. Admission and fuel are pure functions over naga's IR and need no device.

pub mod admission;
mod blocks;
#[cfg(feature = "device")]
pub mod device;
pub mod fuel;
mod seam;
#[cfg(feature = "device")]
pub mod session;

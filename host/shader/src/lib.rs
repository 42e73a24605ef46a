//! What is done to a kernel's shader before a device hears of it.
//!
//! A shader's way: [`admission`] parses, validates and bounds one entry point of hostile WGSL; [`fuel`] gives
//! every loop that is not proven finite a budget; [`translation`] tries what the device will do with it. All three are
//! pure functions over naga's IR and need no device. [`static_cost()`] says of an admitted shader how often its loops turn and what they
//! do. [`judge()`] says beforehand what admission would, and [`panics`] is where
//! a panic over a hostile text ends.

pub mod admission;
mod blocks;
pub mod fuel;
mod judge;
pub mod panics;
mod static_cost;
pub mod translation;

pub use judge::judge;
pub use static_cost::static_cost;

//! GPU work of kernels on a device: charged while it runs, contained after.
//!
//! A [`session`] charges and runs what one launch asks for on a [`device`]. What it is given as a shader goes through
//! `hotcell-shader` first, which admits it and makes it end.

pub mod device;
pub mod session;

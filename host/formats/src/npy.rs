//! The `.npy` format: a header that names dtype, order and shape, then the elements.
//!
//! Source: NumPy Enhancement Proposal 1 and `numpy/lib/_format_impl.py`, versions 1.0, 2.0 and 3.0.

pub(crate) mod data;
pub(crate) mod descr;
pub(crate) mod header;
mod literal;
pub(crate) mod transpose;

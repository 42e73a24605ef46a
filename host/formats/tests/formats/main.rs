//! The crate from outside: files made by hand, read and written back.

mod npy;
mod npz;
mod outputs;
mod pictures;
mod support;

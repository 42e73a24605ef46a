//! Kernels on a GPU, through the library, in process and in confined workers: what they get, and what hostile
//! ones end as. The cell goes on.

mod lengths;
mod misuse;
mod results;
mod runaway;
mod shaders;
mod words;

//! What hostile kernels try, through the library: each ends as it must, and the cell goes on.

mod admission;
mod compilation;
mod interface;
mod limits;
mod mapping;
mod memory;
mod records;
mod sampling;
mod settling;
mod shaders;
mod splitting;
mod stopping;
mod stores;
mod wasi;
mod words;

//! The vocabulary that every part of the host shares: what is asked, allowed, used and reported.
//!
//! Data with its rules: no I/O and no threads. The supervisor and its workers speak in
//! these types, so a type here must make sense on both sides of a process boundary.
//!
//! * [`limit`]: every limit, its unit, default and ceiling
//! * [`forecast`]: what a launch is expected to take of them
//! * [`grant`]: capabilities and what grants them
//! * [`gpu`]: what a runner asks of the GPU
//! * [`files`]: what a runner asks of files
//! * [`wasi`]: which interfaces of WASI there are
//! * [`guard`]: guarded processes and the compilers inside them
//! * [`job`]: one launch as a runner sees it
//! * [`component`]: what is known of a component before it runs
//! * [`shader`]: the shaders in it, as they were judged
//! * [`audit`]: what a trail has of everything that is asked for, and the seam where it goes
//! * [`watch`]: the seam where it is held against what is usual
//! * [`frame`]: what the supervisor and its workers say to each other
//! * [`layer`] and [`probe`]: the walls around a worker, and what proves them
//! * [`tenant`] and [`caller`]: who is charged, and who asked
//! * [`outcome`] and [`report`]: how it ended, why, and what an operator reads
//! * [`samples`]: where its time went, for its author

pub mod accounts;
pub mod analysis;
pub mod array;
pub mod audit;
pub(crate) mod bounded;
pub mod budget;
pub mod caller;
pub mod component;
pub mod digest;
mod exact;
pub mod files;
pub mod forecast;
pub mod frame;
pub mod gpu;
pub mod grant;
pub mod guard;
pub mod job;
pub mod layer;
pub mod limit;
pub mod names;
pub mod outcome;
pub mod probe;
pub mod profile;
pub mod report;
pub mod samples;
pub mod shader;
pub mod stop;
pub mod tenant;
pub mod text;
pub mod time;
pub mod wasi;
pub mod watch;

pub use hotcell_manifest as manifest;

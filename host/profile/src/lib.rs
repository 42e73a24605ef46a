//! What kernels cost by the sizes of their arrays, and limits that fit.
//!
//! A [`Profile`] is taken of one entry: it is launched on arrays of many sizes, in `deterministic` metering, so that its fuel is
//! exact; functions of the sizes are [fitted](mod@fit) to fuel, memory and time, and judged by sizes that they were not fitted to;
//! arrays that cost more than others are [looked for](worst); and honest launches are made that no limit should stop. From
//! profiles come [limits](suggest) with a stated margin, [baselines](baseline) that tell an author of regressions, and a
//! [page](page()) for people.
//!
//! What is here measures and computes. Which cell launches, and who reads what comes of it, is its user's.
//!
//! * [`sweep`]: which sizes
//! * [`inputs`]: which elements
//! * [`subject`]: launches of one entry
//! * [`fit`]: functions of sizes
//! * [`worst`]: what costs most
//! * [`record`]: the profile and its file
//! * [`expect`]: what a launch to come will take, and the limit that fits it
//! * [`suggest`]: limits, as a policy has them
//! * [`baseline`]: exact fuel, held against what it was
//! * [`sampled`]: where time goes inside
//! * [`gpu`]: what a GPU did of it
//! * [`flame`]: that, as a picture and for speedscope
//! * [`page()`]: a page with all of it

#![forbid(unsafe_code)]

pub mod baseline;
mod dearest;
pub mod expect;
pub mod fit;
pub mod flame;
pub mod gpu;
pub mod inputs;
mod number;
pub mod page;
mod random;
pub mod record;
pub mod sampled;
pub mod subject;
pub mod suggest;
pub mod sweep;
pub mod take;
#[cfg(test)]
mod tests;
pub mod worst;

pub use page::page;
pub use record::{Point, Profile, Purpose, Sample};
pub use take::{ProfileError, Settings, take};

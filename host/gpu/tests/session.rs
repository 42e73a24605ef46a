//! Sessions: on a device that executes nothing, what is checked and charged; on lavapipe, what is computed.

#[path = "session/charges.rs"]
mod charges;
#[path = "session/compile.rs"]
mod compile;
#[path = "session/ends.rs"]
mod ends;
#[path = "session/lab.rs"]
mod lab;
#[path = "session/lengths.rs"]
mod lengths;
#[path = "session/misuse.rs"]
mod misuse;
#[path = "session/noise.rs"]
mod noise;
#[path = "session/results.rs"]
mod results;
#[path = "session/tables.rs"]
mod tables;
#[path = "session/turns.rs"]
mod turns;

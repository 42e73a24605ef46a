//! Alerts on their way to whoever looks after the host.
//!
//! Raising one takes a lock for a moment and never waits for a receiver: one thread delivers, which sleeps where there is nothing
//! to do and is started by the first alert. What is the same as a moment ago is counted and told later (`sieve`), and so is what
//! is too much. What is critical is never refused for warnings, and waits for none of them.
//!
//! * [`settings`]: where alerts go
//! * [`notice`]: what is sent
//! * `sieve`: which are sent, and which are counted
//! * `waiting`: what waits for a receiver
//! * `courier`: the thread
//! * `webhook` and `command`: two of the ways

pub(crate) mod command;
pub(crate) mod courier;
pub mod notice;
pub mod settings;
pub(crate) mod sieve;
pub(crate) mod waiting;
pub(crate) mod webhook;

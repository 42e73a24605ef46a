//! The audit log as a whole: what is written, what becomes of it, and what is found out about it.

mod anchors;
mod crash;
mod full;
mod harness;
mod reading;
mod retention;
mod tamper;
mod witness;
mod writers;

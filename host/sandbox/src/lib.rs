//! Confinement of worker processes on Linux, and what crosses between them and their supervisor.
//!
//! The only crate of the host that talks to the operating system's kernel directly. Both sides use it: the
//! supervisor spawns ([`process`]), watches and kills; a worker locks itself in ([`lockdown`]) before it sees a
//! hostile byte, and proves on request that it cannot get out (`lockdown::Confined::attempt`). Frames go through a
//! [`channel`], bulk data through sealed [`memory`], machine code through an [`image`].
//!
//! Nothing here parses what a worker sends beyond its length: that is `hotcell_model::frame`.

#![cfg(target_os = "linux")]

pub mod cgroup;
pub mod channel;
pub mod end;
pub mod filter;
pub mod image;
pub mod lockdown;
pub mod log_pipe;
pub mod memory;
pub mod process;
pub mod worker;

use hotcell_model::frame::BuildId;

/// What this build is told apart by.
pub const BUILD_ID: BuildId = hotcell_build_id::BUILD_ID.to_le_bytes();

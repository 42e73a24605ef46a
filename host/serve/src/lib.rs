//! The daemon: one cell and one policy for all tenants of a machine, behind a Unix socket.
//!
//! [`Server`] serves; [`client::Client`] asks. What they say to each other is [`protocol`], and `docs/protocol.md` in words.
//!
//! Who somebody is, the operating system says, and which tenant that is, the policy. A client that is slow, silent or hostile
//! has what the limits below leave it, and no thread: a connection has one while lines of it are read or a launch of its
//! runs. A launch runs on the thread that read it, so that one client's launches, one after another, cost a wake-up each way
//! and no more.

#![cfg(target_os = "linux")]

mod arrays;
pub mod client;
mod connection;
mod figures;
mod launches;
mod peer;
pub mod protocol;
mod requests;
mod served;
mod server;
mod serving;
mod share;
pub mod systemd;
mod web;
mod wire;

pub use arrays::MemoryError;
pub use served::NotReplaced;
pub use server::{Server, ServerError, Setup};
pub use serving::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_USER};
pub use share::{MAX_THREADS, MAX_THREADS_OF_USER};
pub use web::Web;
pub use wire::WireError;

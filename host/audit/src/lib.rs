//! A record of everything that was asked of a host, which cannot be edited without being noticed.
//!
//! Records are lines of JSON, and the leaves of a Merkle tree as RFC 6962 has it. Every so often the tree's root is signed, in
//! the form of C2SP's *tlog-checkpoint*, kept beside the log and apart from it, and told to anchors elsewhere. So a changed,
//! removed, added or reordered record contradicts a signature; a log that ends early contradicts an anchor; and one record can
//! be proven without showing the others.
//!
//! What this cannot do: whoever has the key can sign another log. Only what an anchor has seen speaks against them.
//!
//! * [`log`]: what a host records to
//! * [`settings`]: where, how soon on the disk, how much, and who is told
//! * [`anchor`]: who is told of checkpoints
//! * [`mod@verify`]: whether a log is what was signed
//! * [`prove`]: that a record is in a log
//! * [`query`]: finding records; [`entry`]: what is in one; [`ecs`]: for those who read ECS
//! * [`statistics`]: what kernels took

pub mod anchor;
mod append;
mod appended;
pub mod checkpoint;
mod claim;
pub mod ecs;
pub mod entry;
pub mod error;
mod head;
pub mod history;
mod json;
pub mod key;
mod lines;
pub mod log;
pub mod merkle;
pub mod note;
mod own;
mod problem;
pub mod prove;
pub mod query;
mod record;
mod recover;
mod retain;
mod segment;
pub mod settings;
pub mod statistics;
pub mod verify;
mod writer;

pub use entry::Entry;
pub use error::AuditError;
pub use key::HostKey;
pub use log::AuditLog;
pub use query::{Query, Records};
pub use record::{CLASS, OCSF_VERSION, Phase, RECORD_BYTES, SCHEMA};
pub use settings::{Durability, Settings};
pub use statistics::Statistics;
pub use verify::{Against, Standing, Verification, verify};
pub use writer::LogState;

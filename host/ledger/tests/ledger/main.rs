//! Budgets as several processes have them.
//!
//! The binary starts itself again as the processes that share a file: a test that is a child's part does nothing unless a
//! parent asks for it.

mod buckets;
mod files;
mod fork;
mod harness;
mod kills;
mod places;
mod processes;

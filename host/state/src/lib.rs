//! Files of one user's own that outlive a process and that every process of that user may have open.
//!
//! Each is an SQLite database with tables of its owner's: budgets, baselines. What they have in common is here: whose they
//! may be, how one is made so that nobody opens half of it, what is refused, and what an error tells a person to do.
//!
//! * [`store`]: the file
//! * [`own`]: whose it and its directory may be
//! * [`error`]: what can be wrong with it

pub mod error;
pub mod own;
pub mod store;

pub use error::{Contents, StateError};
pub use store::{Schema, StateFile};

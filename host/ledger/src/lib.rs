//! Budgets over time, shared by every process that uses one state directory.
//!
//! Limits bound one launch; a tenant that launches without end stays within each of them. A budget bounds what all
//! launches of a tenant take together: a bucket of so much, refilled by so much in so long a time. Places bound how many
//! of them run, or wait, at once.
//!
//! Whoever launches *reserves* what the launch may use, and *charges* what it used. So that a warm launch writes no file, a
//! process draws a *lease* from the bucket, which it may spend itself:
//!
//! * A lease is taken out of the bucket before any of it is spent. A clean end puts back what is left, and a killed process
//!   forfeits it: nothing that happens to a process gives budget away.
//! * What of a lease nobody has reserved is at most a sixteenth of the bucket's size, or what the largest launch reserved if
//!   that is more; and twice that where several threads launch for one tenant. It goes back when it was not used for some
//!   seconds ([`Ledger::return_idle`]).
//! * In any span of time, all processes together have reserved at most the bucket's size, its refill over that span, and
//!   the leases that they held when it began. What running launches used above their reservations comes on top; it is debt,
//!   and paid for before anything more is drawn.
//!
//! The file is an SQLite database in WAL mode with `synchronous = NORMAL`. The end of a process loses nothing that was written.
//! A power failure may bring budgets back to what they were at the last checkpoint, at most a minute before where
//! somebody calls [`Ledger::return_idle`], and never to more than their size.
//!
//! What is counted, and how fast a bucket fills, is in `hotcell_model::budget`.
//!
//! [`Ledger`] is an `Accounts`, for a cell.
//!
//! * [`ledger`]: reserving and charging
//! * [`place`]: how many launches run or wait
//! * [`clock`]: what time it is
//! * [`error`]: what can be wrong with the file

mod account;
mod accounts;
mod bucket;
pub mod clock;
mod draw;
pub mod error;
pub mod ledger;
pub mod place;
mod process;
mod store;

pub use clock::{Clock, SystemClock};
pub use draw::Refused;
pub use error::LedgerError;
pub use hotcell_model::budget::{Amounts, Budgets, PlaceKind, Rate, RateError, Resource};
pub use hotcell_state::StateError;
pub use ledger::{Ledger, Level, Reservation, ReserveError};
pub use place::{EnterError, Full, Place};

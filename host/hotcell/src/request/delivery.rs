//! Delivery: outputs reach where their user wants them inside the launch, between its settling and its record's end,
//! so that a report never says `done` of what was not delivered.

use crate::array::NamedArray;
use hotcell_model::array::ArrayType;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use std::io;

/// Where a launch's outputs go: [`Request::deliver_to`](crate::Request::deliver_to).
pub trait Delivery: Send + Sync {
    /// Refuses before anything runs what could not be delivered after it. `outputs` are what the launch will write,
    /// in the manifest's order.
    ///
    /// # Errors
    /// The launch ends with what is returned.
    fn prepare(&self, outputs: &[(&str, &ArrayType)]) -> Result<Box<dyn Consignment>, Undelivered>;
}

/// The outputs of one launch, which can be delivered.
pub trait Consignment: Send {
    /// Delivers all of `results` or none. It is to call `go_on` every few MiB and at least every 50 ms, and to give
    /// up with its error: the launch was cancelled, or its timeout has passed.
    ///
    /// # Errors
    /// The launch ends with what is returned, and its results are discarded.
    fn deliver(
        self: Box<Self>,
        results: &[NamedArray],
        go_on: &dyn Fn() -> io::Result<()>,
    ) -> Result<(), Undelivered>;
}

/// Why outputs are not delivered. Whoever asked for the launch asked for what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It makes no sense: an output that the kernel does not have, one file for two.
    #[error("{0}")]
    Usage(String),
    /// It cannot be written.
    #[error("{0}")]
    Io(String),
}

impl From<Undelivered> for Outcome {
    fn from(undelivered: Undelivered) -> Self {
        let (kind, message) = match undelivered {
            Undelivered::Usage(message) => (OutcomeKind::Usage, message),
            Undelivered::Io(message) => (OutcomeKind::Io, message),
        };
        Self {
            reproducible: kind == OutcomeKind::Usage,
            ..Self::failed(kind, Blame::Request, message)
        }
    }
}

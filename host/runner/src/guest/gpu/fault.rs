//! Why a call was not done: refused, which the guest hears, or the end of the launch, which it does not.

use crate::stop::Stop;
use hotcell_model::gpu::GpuError;
use hotcell_model::limit::{Amount, Breach};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use wasmtime::component::ResourceTableError;

/// Why a call was not done.
#[derive(Debug)]
pub(super) enum GpuCallFailure {
    /// The guest is told.
    Refused(GpuError),
    /// The launch ends here.
    Stopped(Stop),
    /// wasmtime's own: a handle or a string is not what it should be. The guest traps.
    Trapped(wasmtime::Error),
}

impl GpuCallFailure {
    /// The limit that refused, if one did.
    pub(super) fn breach(&self) -> Option<Breach> {
        match self {
            Self::Refused(GpuError::Limit {
                limit,
                requested,
                maximum,
            }) => Some(Breach {
                limit: *limit,
                amount: Amount::Requested(*requested),
                maximum: *maximum,
            }),
            _ => None,
        }
    }
}

impl From<GpuError> for GpuCallFailure {
    fn from(error: GpuError) -> Self {
        Self::Refused(error)
    }
}

impl From<Stop> for GpuCallFailure {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<wasmtime::Error> for GpuCallFailure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trapped(error)
    }
}

impl From<ResourceTableError> for GpuCallFailure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trapped(error.into())
    }
}

/// A refusal of a call that makes no sense.
pub(super) fn misuse(message: impl Into<String>) -> GpuCallFailure {
    GpuCallFailure::Refused(GpuError::Misuse(message.into()))
}

/// The end of a launch whose GPU is not there, or not what it should be: the host's doing.
pub(super) fn broken(message: &str) -> Stop {
    Stop::Gpu(Box::new(Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::GpuLost, Blame::Host, message)
    }))
}

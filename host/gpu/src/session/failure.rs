//! Why a command was not done.

use crate::device::Fault;
use hotcell_model::gpu::{GpuAnswer, GpuEnd, GpuError};

/// A refusal, after which the session goes on, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Refused(GpuError),
    Over(GpuEnd),
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        Self::Refused(error)
    }
}

impl From<GpuEnd> for Failure {
    fn from(end: GpuEnd) -> Self {
        Self::Over(end)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Lost(reason) => Self::Over(GpuEnd::Lost(reason)),
            other => Self::Refused(GpuError::Misuse(other.to_string())),
        }
    }
}

/// How a session ends for a fault that nothing can be done about.
pub(super) fn end_of(fault: Fault) -> GpuEnd {
    match Failure::from(fault) {
        Failure::Over(end) => end,
        Failure::Refused(error) => GpuEnd::Lost(error.to_string()),
    }
}

impl From<Failure> for GpuAnswer {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::Refused(error),
            Failure::Over(end) => Self::Ended(end),
        }
    }
}

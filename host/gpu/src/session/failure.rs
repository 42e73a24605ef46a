//! Why a command was not done.

use crate::device::DeviceFault;
use hotcell_model::gpu::{GpuAnswer, GpuEnd, GpuError};

/// A refusal, after which the session goes on, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SessionFailure {
    Refused(GpuError),
    Over(GpuEnd),
}

impl From<GpuError> for SessionFailure {
    fn from(error: GpuError) -> Self {
        Self::Refused(error)
    }
}

impl From<GpuEnd> for SessionFailure {
    fn from(end: GpuEnd) -> Self {
        Self::Over(end)
    }
}

impl From<DeviceFault> for SessionFailure {
    fn from(fault: DeviceFault) -> Self {
        match fault {
            DeviceFault::Lost(reason) => Self::Over(GpuEnd::Lost(reason)),
            other => Self::Refused(GpuError::Misuse(other.to_string())),
        }
    }
}

/// How a session ends for a fault that nothing can be done about.
pub(super) fn end_of(fault: DeviceFault) -> GpuEnd {
    match SessionFailure::from(fault) {
        SessionFailure::Over(end) => end,
        SessionFailure::Refused(error) => GpuEnd::Lost(error.to_string()),
    }
}

impl From<SessionFailure> for GpuAnswer {
    fn from(failure: SessionFailure) -> Self {
        match failure {
            SessionFailure::Refused(error) => Self::Refused(error),
            SessionFailure::Over(end) => Self::Ended(end),
        }
    }
}

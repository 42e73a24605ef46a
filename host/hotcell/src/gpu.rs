//! Which device GPU work goes to: the operator's choice, never the kernel's.

#[cfg(feature = "in-process")]
pub(crate) mod in_process;

use std::fmt;
use std::str::FromStr;

/// The devices that GPU work may go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GpuDevice {
    /// Whatever the machine has, hardware before software.
    #[default]
    Any,
    /// A software device alone: Mesa's lavapipe.
    Software,
    /// None: everything is checked and charged, and no shader runs. For tests of what stands around kernels.
    Nothing,
}

impl GpuDevice {
    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Software => "software",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for GpuDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown GPU device `{0}` (known: any, software, nothing)")]
pub struct UnknownGpuDevice(pub String);

impl FromStr for GpuDevice {
    type Err = UnknownGpuDevice;

    fn from_str(name: &str) -> Result<Self, UnknownGpuDevice> {
        [Self::Any, Self::Software, Self::Nothing]
            .into_iter()
            .find(|device| device.name() == name)
            .ok_or_else(|| UnknownGpuDevice(name.chars().take(64).collect()))
    }
}

//! How a launch ends that a kernel did not finish.

use std::fmt;

/// How a kernel declines a launch; the WIT's `kernel-error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// There is no entry of that name.
    UnknownEntry(String),
    /// An argument is not what the entry needs.
    BadArgument {
        /// The parameter's or dimension's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The kernel ran and failed, in its own words.
    Failed(String),
}

impl LaunchError {
    pub(crate) fn bad_argument(name: &str, reason: impl Into<String>) -> Self {
        Self::BadArgument {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEntry(name) => write!(f, "no entry `{name}`"),
            Self::BadArgument { name, reason } => write!(f, "argument `{name}`: {reason}"),
            Self::Failed(message) => write!(f, "the kernel failed: {message}"),
        }
    }
}

impl std::error::Error for LaunchError {}

//! How a launch ended, and whose doing it was.

use crate::limit::{Amount, Breach};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of end, each with an exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// The kernel ran to its end.
    Done,
    /// The request makes no sense: an unknown entry, a missing argument, a wrong shape.
    Usage,
    /// An input could not be read or an output not written.
    Io,
    /// The kernel returned an error of its own.
    KernelError,
    /// The kernel trapped.
    Trap,
    /// The kernel spent its fuel.
    OutOfFuel,
    /// The deadline passed, or the CPU time was spent.
    Timeout,
    /// Memory or table growth was refused and the kernel could not go on.
    MemoryLimit,
    /// Policy forbids the launch, or a capability is missing.
    Denied,
    /// The bytes are not a kernel component.
    InvalidComponent,
    /// A GPU dispatch spent the launch's GPU fuel.
    GpuFuelExhausted,
    /// A GPU limit was passed and the kernel could not go on.
    GpuLimit,
    /// The device did not finish in time.
    GpuTimeout,
    /// The device was lost.
    GpuLost,
    /// Somebody asked the launch to stop.
    Cancelled,
    /// Another limit: host calls, bytes, handles, compilation.
    Limit,
    /// The host failed.
    HostFault,
    /// A budget or a queue is full: retry later.
    Budget,
    /// The required isolation is not to be had.
    Isolation,
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Done,
        Self::Usage,
        Self::Io,
        Self::KernelError,
        Self::Trap,
        Self::OutOfFuel,
        Self::Timeout,
        Self::MemoryLimit,
        Self::Denied,
        Self::InvalidComponent,
        Self::GpuFuelExhausted,
        Self::GpuLimit,
        Self::GpuTimeout,
        Self::GpuLost,
        Self::Cancelled,
        Self::Limit,
        Self::HostFault,
        Self::Budget,
        Self::Isolation,
    ];

    /// The exit code of the command.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Io => 3,
            Self::KernelError => 10,
            Self::Trap => 11,
            Self::OutOfFuel => 12,
            Self::Timeout => 13,
            Self::MemoryLimit => 14,
            Self::Denied => 15,
            Self::InvalidComponent => 16,
            Self::GpuFuelExhausted | Self::GpuLimit | Self::GpuTimeout | Self::GpuLost => 17,
            Self::Cancelled => 18,
            Self::Limit => 19,
            Self::HostFault => 20,
            Self::Budget => 21,
            Self::Isolation => 22,
        }
    }

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Usage => "usage",
            Self::Io => "io",
            Self::KernelError => "kernel-error",
            Self::Trap => "trap",
            Self::OutOfFuel => "out-of-fuel",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory-limit",
            Self::Denied => "denied",
            Self::InvalidComponent => "invalid-component",
            Self::GpuFuelExhausted => "gpu-fuel-exhausted",
            Self::GpuLimit => "gpu-limit",
            Self::GpuTimeout => "gpu-timeout",
            Self::GpuLost => "gpu-lost",
            Self::Cancelled => "cancelled",
            Self::Limit => "limit",
            Self::HostFault => "host-fault",
            Self::Budget => "budget",
            Self::Isolation => "isolation",
        }
    }

    /// Whose doing an end of this kind is by the word of whatever runs the guest; empty for what it cannot know, and
    /// for [`Self::Done`].
    ///
    /// A runner says nothing else, and its supervisor believes nothing else.
    pub const fn blames_of_runner(self) -> &'static [Blame] {
        match self {
            Self::KernelError
            | Self::Trap
            | Self::OutOfFuel
            | Self::Timeout
            | Self::MemoryLimit
            | Self::InvalidComponent
            | Self::GpuFuelExhausted
            | Self::GpuLimit
            | Self::GpuTimeout
            | Self::Limit
            // What the guest called without having it; a refused request never reaches a runner.
            | Self::Denied => &[Blame::Guest],
            Self::Io | Self::Cancelled => &[Blame::Request],
            Self::HostFault => &[Blame::Host],
            Self::GpuLost => &[Blame::Host, Blame::Unknown],
            // What is decided before a guest runs, or about more than one launch.
            Self::Done | Self::Usage | Self::Budget | Self::Isolation => &[],
        }
    }

    /// Whether a guest that was asked to stop may have left results behind an end of this kind.
    pub const fn may_be_partial(self) -> bool {
        matches!(self, Self::Cancelled | Self::Timeout)
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whose doing an end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The kernel.
    Guest,
    /// Whoever asked for the launch.
    Request,
    /// Whoever runs the host.
    Operator,
    /// The host itself.
    Host,
    /// It cannot be known.
    Unknown,
}

/// Where in the guest's code something went wrong, as far as its debug information says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The function's name, demangled; cut at 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub function: Option<String>,
    /// The source file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.as_deref().unwrap_or("<unknown function>"))?;
        if let Some(file) = &self.file {
            write!(f, " at {file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
        }
        Ok(())
    }
}

/// How a launch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The kind of end.
    pub kind: OutcomeKind,
    /// Whose doing it was; `None` when all went well.
    pub blame: Option<Blame>,
    /// What happened, as a lower-case fragment; empty when all went well.
    pub message: String,
    /// Whether the same request would end the same way again.
    pub reproducible: bool,
    /// Whether the guest returned early because it was asked to: its outputs are kept.
    pub partial: bool,
    /// The limit that was reached.
    pub limit: Option<Breach>,
    /// The guest's innermost functions at a trap, innermost first.
    pub trace: Vec<Frame>,
}

impl Outcome {
    /// The kernel ran to its end.
    pub fn done() -> Self {
        Self {
            kind: OutcomeKind::Done,
            blame: None,
            message: String::new(),
            reproducible: true,
            partial: false,
            limit: None,
            trace: Vec::new(),
        }
    }

    /// An end with a cause. It is never without words: blank ones are replaced.
    pub fn failed(kind: OutcomeKind, blame: Blame, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.trim().is_empty() {
            message = format!("{kind}, and nothing was said of why");
        }
        Self {
            kind,
            blame: Some(blame),
            message,
            ..Self::done()
        }
    }

    /// An end by a limit; the kind follows from which one.
    pub fn breached(breach: Breach) -> Self {
        use crate::limit::Limit;
        let (kind, reproducible) = match breach.limit {
            Limit::Fuel => (OutcomeKind::OutOfFuel, true),
            Limit::Timeout | Limit::CpuTime => (OutcomeKind::Timeout, false),
            Limit::CompileCpu | Limit::CompileWall => (OutcomeKind::Limit, false),
            Limit::Memory | Limit::TableElements => (OutcomeKind::MemoryLimit, true),
            _ => (OutcomeKind::Limit, true),
        };
        Self {
            limit: Some(breach),
            reproducible,
            ..Self::failed(kind, Blame::Guest, breach.to_string())
        }
    }

    /// Whether whatever runs the guest can say that: its kind and blame stand in
    /// [`OutcomeKind::blames_of_runner`], and nothing in it contradicts them.
    pub fn is_of_runner(&self) -> bool {
        let is_blamed = match (self.kind, self.blame) {
            (OutcomeKind::Done, blame) => blame.is_none() && self.limit.is_none(),
            (kind, Some(blame)) => kind.blames_of_runner().contains(&blame),
            (_, None) => false,
        };
        let is_done = self.kind == OutcomeKind::Done;
        is_blamed
            && is_done == self.message.is_empty()
            && (!self.partial || self.kind.may_be_partial())
    }

    /// Whether the outputs are to be kept.
    pub fn keeps_outputs(&self) -> bool {
        self.kind == OutcomeKind::Done || self.partial
    }
}

impl Amount {
    /// The number, whichever it is.
    pub fn value(self) -> u64 {
        match self {
            Self::Requested(value) | Self::Used(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limit;

    #[test]
    fn exit_codes_are_distinct_and_names_match_their_json() {
        for (index, kind) in OutcomeKind::ALL.into_iter().enumerate() {
            let earlier = &OutcomeKind::ALL[..index];
            let same = |k: &&OutcomeKind| k.exit_code() == kind.exit_code();
            assert!(
                earlier
                    .iter()
                    .filter(same)
                    .all(|k| k.exit_code() == 17 && k.name().starts_with("gpu-"))
            );
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn a_failure_has_words_whatever_was_said() {
        for words in ["", " ", "\u{3000}\n"] {
            let outcome = Outcome::failed(OutcomeKind::KernelError, Blame::Guest, words);
            assert_eq!(outcome.message, "kernel-error, and nothing was said of why");
            assert!(outcome.is_of_runner());
        }
    }

    #[test]
    fn what_runs_a_guest_speaks_of_the_guest_and_of_nobody_it_cannot_know() {
        let of_runner = |kind, blame| Outcome::failed(kind, blame, "x").is_of_runner();
        for kind in OutcomeKind::ALL {
            assert!(!of_runner(kind, Blame::Operator), "{kind}");
            let blames = kind.blames_of_runner();
            for blame in [Blame::Guest, Blame::Request, Blame::Host, Blame::Unknown] {
                assert_eq!(of_runner(kind, blame), blames.contains(&blame), "{kind}");
            }
        }
        assert!(Outcome::done().is_of_runner());
        let blameless = Outcome {
            blame: None,
            ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x")
        };
        assert!(!blameless.is_of_runner());
        for (kind, blame) in [
            (OutcomeKind::Cancelled, Blame::Request),
            (OutcomeKind::Timeout, Blame::Guest),
            (OutcomeKind::Trap, Blame::Guest),
        ] {
            let partial = Outcome {
                partial: true,
                ..Outcome::failed(kind, blame, "x")
            };
            assert_eq!(partial.is_of_runner(), kind.may_be_partial(), "{kind}");
        }
    }

    #[test]
    fn a_breach_decides_the_kind_and_whether_it_would_happen_again() {
        let ended = |limit| {
            let amount = Amount::Used(2);
            Outcome::breached(Breach {
                limit,
                amount,
                maximum: 1,
            })
        };
        assert_eq!(ended(Limit::Fuel).kind, OutcomeKind::OutOfFuel);
        assert!(ended(Limit::Fuel).reproducible);
        assert!(!ended(Limit::Timeout).reproducible);
        assert_eq!(ended(Limit::HostCalls).kind, OutcomeKind::Limit);
        assert!(!ended(Limit::HostCalls).keeps_outputs());
    }
}

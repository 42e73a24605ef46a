//! How a launch ended, and whose doing it was.

mod cause;

pub use cause::{Cause, NAMES_LISTED, NameKind};

use crate::limit::{Amount, Breach, Limit};
use crate::names::named;
use crate::{bounded, text};
use serde::{Deserialize, Serialize};
use std::fmt;

named! {
    /// The kinds of end, each with an exit code of the command.
    pub enum OutcomeKind, "outcome" {
        /// The kernel ran to its end.
        Done = "done",
        /// The request makes no sense: an unknown entry, a missing argument, a wrong shape.
        Usage = "usage",
        /// An input could not be read or an output not written.
        Io = "io",
        /// The kernel returned an error of its own.
        KernelError = "kernel-error",
        /// The kernel trapped.
        Trap = "trap",
        /// The kernel spent its fuel.
        OutOfFuel = "out-of-fuel",
        /// The deadline passed, or the CPU time was spent.
        Timeout = "timeout",
        /// Memory or table growth was refused and the kernel could not go on.
        MemoryLimit = "memory-limit",
        /// Policy forbids the launch, or a capability is missing.
        Denied = "denied",
        /// The bytes are not a kernel component.
        InvalidComponent = "invalid-component",
        /// A GPU dispatch spent the launch's GPU fuel.
        GpuFuelExhausted = "gpu-fuel-exhausted",
        /// A GPU limit was passed and the kernel could not go on.
        GpuLimit = "gpu-limit",
        /// The device did not finish in time.
        GpuTimeout = "gpu-timeout",
        /// The device was lost.
        GpuLost = "gpu-lost",
        /// Somebody asked the launch to stop.
        Cancelled = "cancelled",
        /// Another limit: host calls, bytes, handles, compilation.
        Limit = "limit",
        /// The host failed.
        HostFault = "host-fault",
        /// A budget or a queue is full: retry later.
        Budget = "budget",
        /// The required isolation is not to be had.
        Isolation = "isolation",
    }
}

impl OutcomeKind {
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

    /// The kind of end that a breach makes.
    pub const fn of_breach(breach: &Breach) -> Self {
        match (breach.limit, breach.amount) {
            (Limit::Fuel, _) => Self::OutOfFuel,
            (Limit::Timeout | Limit::CpuTime, _) => Self::Timeout,
            (Limit::Memory | Limit::TableElements | Limit::ProcessMemory, _) => Self::MemoryLimit,
            (Limit::GpuFuel, Amount::Used(_)) => Self::GpuFuelExhausted,
            (Limit::GpuTime, Amount::Used(_)) => Self::GpuTimeout,
            (limit, _) if limit.is_of_gpu() => Self::GpuLimit,
            _ => Self::Limit,
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

named! {
    /// Whose doing an end was.
    pub enum Blame, "blame" {
        /// The kernel.
        Guest = "guest",
        /// Whoever asked for the launch.
        Request = "request",
        /// Whoever runs the host.
        Operator = "operator",
        /// The host itself.
        Host = "host",
        /// It cannot be known.
        Unknown = "unknown",
    }
}

/// Where in the guest's code something went wrong, as far as its debug information says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The function's name, demangled; cut at 256 bytes.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line, from 1.
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

/// The longest message that crosses a process boundary.
const MESSAGE_BYTES: usize = 8 << 10;
/// The longest name of a guest's function or file that does.
pub(crate) const NAME_BYTES: usize = 256;
/// The most causes that are kept.
pub const CAUSES: usize = 32;
/// The most of a guest's functions that are kept.
pub const TRACE_FRAMES: usize = 64;

/// How a launch ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// What it comes from, where more is known than words.
    #[serde(deserialize_with = "bounded::list::<_, _, CAUSES>")]
    pub causes: Vec<Cause>,
    /// The guest's innermost functions at a trap, innermost first.
    #[serde(deserialize_with = "bounded::list::<_, _, TRACE_FRAMES>")]
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
            causes: Vec::new(),
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

    /// An end by those causes, of which there is at least one: the first decides its kind and its blame.
    pub fn because(causes: Vec<Cause>) -> Self {
        let words: Vec<String> = causes.iter().map(Cause::to_string).collect();
        let (kind, blame) = causes
            .first()
            .map_or((OutcomeKind::HostFault, Blame::Host), |first| {
                (first.kind(), first.blame())
            });
        Self {
            reproducible: causes.iter().all(Cause::is_reproducible),
            ..Self::failed(kind, blame, words.join("; "))
        }
        .with(causes)
    }

    /// An end by a limit.
    pub fn breached(breach: Breach) -> Self {
        Self::because(vec![breach.into()])
    }

    /// The same end, with causes in place of its own.
    #[must_use]
    pub fn with(self, mut causes: Vec<Cause>) -> Self {
        causes.truncate(CAUSES);
        Self { causes, ..self }
    }

    /// What happened, with what to do about it in the words of whoever tells it: one line, or one for each of several causes.
    /// `hint` gives what follows a cause, and nothing where the cause says all.
    pub fn explain(&self, hint: impl Fn(&Cause) -> String) -> String {
        match &self.causes[..] {
            [] => self.message.clone(),
            // An outcome may say more of its only cause than the cause does.
            [cause] => format!("{}{}", self.message, hint(cause)),
            causes => {
                let lines = causes
                    .iter()
                    .map(|cause| format!("\n    {cause}{}", hint(cause)));
                format!(
                    "{} things are wrong:{}",
                    causes.len(),
                    lines.collect::<String>()
                )
            }
        }
    }

    /// The limit that was reached, if one was.
    pub fn breach(&self) -> Option<Breach> {
        self.causes.iter().find_map(|cause| match cause {
            Cause::Limit(breach) => Some(*breach),
            _ => None,
        })
    }

    /// Whether whatever runs the guest can say that: its kind and blame stand in
    /// [`OutcomeKind::blames_of_runner`], and nothing in it contradicts them.
    pub fn is_of_runner(&self) -> bool {
        let is_blamed = match (self.kind, self.blame) {
            (OutcomeKind::Done, blame) => blame.is_none() && self.causes.is_empty(),
            (kind, Some(blame)) => kind.blames_of_runner().contains(&blame),
            (_, None) => false,
        };
        let is_done = self.kind == OutcomeKind::Done;
        is_blamed
            && is_done == self.message.is_empty()
            && self.causes.iter().all(Cause::is_of_runner)
            && (!self.partial || self.kind.may_be_partial())
    }

    /// The same with its words escaped, where they were not, and cut to what crosses a process boundary.
    #[must_use]
    pub fn clean(mut self) -> Self {
        let name = |name: &mut String| *name = text::clean(name, NAME_BYTES);
        self.message = text::clean(&self.message, MESSAGE_BYTES);
        self.causes.truncate(CAUSES);
        self.trace.truncate(TRACE_FRAMES);
        for frame in &mut self.trace {
            frame
                .function
                .iter_mut()
                .chain(&mut frame.file)
                .for_each(name);
        }
        self
    }

    /// The end that a runner may claim, cleaned; `None` for one that only the supervisor can say, or that contradicts
    /// itself.
    ///
    /// That it was the host's doing nobody has seen but the runner: it becomes nobody's.
    pub fn claimed(self) -> Option<Self> {
        let mut outcome = self.clean();
        if !outcome.is_of_runner() {
            return None;
        }
        if outcome.blame == Some(Blame::Host) {
            outcome.blame = Some(Blame::Unknown);
        }
        Some(outcome)
    }

    /// Whether the outputs are to be kept.
    pub fn keeps_outputs(&self) -> bool {
        self.kind == OutcomeKind::Done || self.partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_but_for_the_gpus() {
        for (index, kind) in OutcomeKind::ALL.into_iter().enumerate() {
            let earlier = &OutcomeKind::ALL[..index];
            let same = |k: &&OutcomeKind| k.exit_code() == kind.exit_code();
            assert!(
                earlier
                    .iter()
                    .filter(same)
                    .all(|k| k.exit_code() == 17 && k.name().starts_with("gpu-"))
            );
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

    #[test]
    fn a_runner_cannot_claim_what_only_the_supervisor_knows() {
        let claimed = |kind, message: &str| Outcome::failed(kind, Blame::Guest, message).claimed();
        assert!(claimed(OutcomeKind::Trap, "x").is_some());
        assert_eq!(claimed(OutcomeKind::Usage, "x"), None);
        assert!(claimed(OutcomeKind::Denied, "x").is_some());
        let refused = Outcome::failed(OutcomeKind::Denied, Blame::Operator, "x");
        assert_eq!(refused.claimed(), None);
        assert_eq!(claimed(OutcomeKind::Done, "x"), None);
        let trap = || Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        let silent = Outcome {
            message: String::new(),
            ..trap()
        };
        assert_eq!(silent.claimed(), None);
        let partial = Outcome {
            partial: true,
            ..trap()
        };
        assert_eq!(partial.claimed(), None);
        assert_eq!(trap().with(vec![Cause::SeedMissing]).claimed(), None);
        assert_eq!(Outcome::done().claimed(), Some(Outcome::done()));
    }

    #[test]
    fn a_runners_word_that_it_was_the_host_or_the_operator_is_not_believed() {
        let said = |kind, blame| Outcome::failed(kind, blame, "x").claimed();
        for kind in OutcomeKind::ALL {
            assert_eq!(said(kind, Blame::Operator), None, "{kind}");
        }
        for kind in [OutcomeKind::HostFault, OutcomeKind::GpuLost] {
            let outcome = said(kind, Blame::Host).unwrap();
            assert_eq!(outcome.blame, Some(Blame::Unknown), "{kind}");
        }
        assert_eq!(said(OutcomeKind::Trap, Blame::Host), None);
        assert_eq!(said(OutcomeKind::KernelError, Blame::Request), None);
    }

    #[test]
    fn an_honest_end_is_the_same_on_the_other_side() {
        let frame = Frame {
            function: Some(text::escape(&"\u{202e}ä\\".repeat(100), NAME_BYTES)),
            file: Some(String::new()),
            line: Some(0),
        };
        for message in [
            "\\".repeat(9),
            text::escape(&"ü\0\u{feff}".repeat(4000), 4096),
            "…".to_owned(),
        ] {
            let outcome = Outcome {
                trace: vec![frame.clone(); 8],
                ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, message)
            };
            let bytes = postcard::to_stdvec(&outcome.clone().clean()).unwrap();
            let crossed: Outcome = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(crossed.claimed(), Some(outcome));
        }
    }

    #[test]
    fn a_hostile_message_is_escaped_and_cut_on_arrival() {
        let message = format!("\x1b[2J\n{}", "x".repeat(1 << 20));
        let outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, message);
        let message = outcome.claimed().unwrap().message;
        assert!(message.len() <= MESSAGE_BYTES + 8 && !message.chars().any(char::is_control));
    }
}

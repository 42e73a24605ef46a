//! Limits, ends and refusals as they cross: plain, and checked on arrival.

use super::bounded;
use crate::component::Refusal;
use crate::limit::{Amount, Breach, Limit, LimitSource, Limits};
use crate::outcome::{Blame, Frame, Outcome, OutcomeKind};
use crate::text;
use hotcell_manifest::ScalarValue;
use serde::{Deserialize, Serialize};

/// The longest message kept of what a worker says.
const MESSAGE_BYTES: usize = 8 << 10;
/// The longest name kept of a guest's function or file.
const NAME_BYTES: usize = 256;
/// The most frames kept of a guest's call stack.
const TRACE_FRAMES: usize = 64;

/// The values of all limits, in the order of [`Limit::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireLimits(
    #[serde(deserialize_with = "bounded::list::<_, _, { Limit::ALL.len() }>")] Vec<u64>,
);

impl From<&Limits> for WireLimits {
    fn from(limits: &Limits) -> Self {
        Self(Limit::ALL.iter().map(|limit| limits.get(*limit)).collect())
    }
}

impl WireLimits {
    /// The limits; `None` if their number or a value is not this host's.
    pub fn to_limits(&self) -> Option<Limits> {
        let mut limits = Limits::defaults(Default::default());
        if self.0.len() != Limit::ALL.len() {
            return None;
        }
        for (limit, value) in Limit::ALL.iter().zip(&self.0) {
            limits.try_set(*limit, *value, LimitSource::Request).ok()?;
        }
        Some(limits)
    }
}

/// A scalar; floats as their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireScalar {
    /// `bool`
    Bool(bool),
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(u32),
    /// `f64`
    F64(u64),
}

impl From<ScalarValue> for WireScalar {
    fn from(value: ScalarValue) -> Self {
        match value {
            ScalarValue::Bool(value) => Self::Bool(value),
            ScalarValue::I32(value) => Self::I32(value),
            ScalarValue::I64(value) => Self::I64(value),
            ScalarValue::U32(value) => Self::U32(value),
            ScalarValue::U64(value) => Self::U64(value),
            ScalarValue::F32(value) => Self::F32(value.to_bits()),
            ScalarValue::F64(value) => Self::F64(value.to_bits()),
        }
    }
}

impl From<WireScalar> for ScalarValue {
    fn from(value: WireScalar) -> Self {
        match value {
            WireScalar::Bool(value) => Self::Bool(value),
            WireScalar::I32(value) => Self::I32(value),
            WireScalar::I64(value) => Self::I64(value),
            WireScalar::U32(value) => Self::U32(value),
            WireScalar::U64(value) => Self::U64(value),
            WireScalar::F32(bits) => Self::F32(f32::from_bits(bits)),
            WireScalar::F64(bits) => Self::F64(f64::from_bits(bits)),
        }
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireBreach {
    limit: Limit,
    is_request: bool,
    amount: u64,
    maximum: u64,
}

impl From<Breach> for WireBreach {
    fn from(breach: Breach) -> Self {
        Self {
            limit: breach.limit,
            is_request: matches!(breach.amount, Amount::Requested(_)),
            amount: breach.amount.value(),
            maximum: breach.maximum,
        }
    }
}

impl From<WireBreach> for Breach {
    fn from(breach: WireBreach) -> Self {
        Self {
            limit: breach.limit,
            amount: match breach.is_request {
                true => Amount::Requested(breach.amount),
                false => Amount::Used(breach.amount),
            },
            maximum: breach.maximum,
        }
    }
}

/// Why a component is not accepted. Its words are as raw as those of a [`Refusal`]: whoever shows them escapes them, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireRefusal {
    /// Its bytes are not a component that this host would compile.
    Malformed(String),
    /// It is a component, but no kernel.
    NoKernel(String),
    /// It is more than a limit allows.
    TooMuch(WireBreach),
}

impl From<&Refusal> for WireRefusal {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Malformed(why) => Self::Malformed(short(why)),
            Refusal::NoKernel(why) => Self::NoKernel(short(why)),
            Refusal::TooMuch(breach) => Self::TooMuch((*breach).into()),
        }
    }
}

impl From<WireRefusal> for Refusal {
    fn from(refusal: WireRefusal) -> Self {
        match refusal {
            WireRefusal::Malformed(why) => Self::Malformed(short(&why)),
            WireRefusal::NoKernel(why) => Self::NoKernel(short(&why)),
            WireRefusal::TooMuch(breach) => Self::TooMuch(breach.into()),
        }
    }
}

/// How a launch ended, as its runner says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireOutcome {
    kind: OutcomeKind,
    blame: Option<Blame>,
    message: String,
    reproducible: bool,
    partial: bool,
    limit: Option<WireBreach>,
    #[serde(deserialize_with = "bounded::list::<_, _, TRACE_FRAMES>")]
    trace: Vec<WireFrame>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireFrame {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl From<&Outcome> for WireOutcome {
    fn from(outcome: &Outcome) -> Self {
        let frame = |frame: &Frame| WireFrame {
            function: frame.function.as_deref().map(name),
            file: frame.file.as_deref().map(name),
            line: frame.line,
        };
        Self {
            kind: outcome.kind,
            blame: outcome.blame,
            message: cut(&outcome.message),
            reproducible: outcome.reproducible,
            partial: outcome.partial,
            limit: outcome.limit.map(WireBreach::from),
            trace: outcome.trace.iter().take(TRACE_FRAMES).map(frame).collect(),
        }
    }
}

impl WireOutcome {
    /// The outcome that a runner may claim, its words escaped and cut again; `None` for one that only the
    /// supervisor can say, or that contradicts itself.
    ///
    /// That it was the host's doing nobody has seen but the runner: it becomes nobody's.
    pub fn to_outcome(self) -> Option<Outcome> {
        let frame = |frame: WireFrame| Frame {
            function: frame.function.as_deref().map(name),
            file: frame.file.as_deref().map(name),
            line: frame.line,
        };
        let mut outcome = Outcome {
            kind: self.kind,
            blame: self.blame,
            message: cut(&self.message),
            reproducible: self.reproducible,
            partial: self.partial,
            limit: self.limit.map(Breach::from),
            trace: self.trace.into_iter().map(frame).collect(),
        };
        if !outcome.is_of_runner() {
            return None;
        }
        if outcome.blame == Some(Blame::Host) {
            outcome.blame = Some(Blame::Unknown);
        }
        Some(outcome)
    }
}

/// Raw text, cut.
fn short(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE_BYTES)].to_owned()
}

/// Text that was escaped before, cut; what was not escaped is.
fn cut(message: &str) -> String {
    text::clean(message, MESSAGE_BYTES)
}

fn name(name: &str) -> String {
    text::clean(name, NAME_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_cross_and_foreign_ones_are_refused() {
        let mut limits = Limits::defaults(Default::default());
        limits
            .try_set(Limit::Fuel, 7, LimitSource::Manifest)
            .unwrap();
        let wire = WireLimits::from(&limits);
        assert_eq!(wire.to_limits().unwrap().get(Limit::Fuel), 7);
        assert_eq!(WireLimits(vec![1]).to_limits(), None);
        assert_eq!(
            WireLimits(vec![u64::MAX; Limit::ALL.len()]).to_limits(),
            None
        );
    }

    #[test]
    fn a_runner_cannot_claim_what_only_the_supervisor_knows() {
        let outcome =
            |kind, message: &str| WireOutcome::from(&Outcome::failed(kind, Blame::Guest, message));
        assert!(outcome(OutcomeKind::Trap, "x").to_outcome().is_some());
        assert_eq!(outcome(OutcomeKind::Usage, "x").to_outcome(), None);
        assert!(outcome(OutcomeKind::Denied, "x").to_outcome().is_some());
        let refused = Outcome::failed(OutcomeKind::Denied, Blame::Operator, "x");
        assert_eq!(WireOutcome::from(&refused).to_outcome(), None);
        assert_eq!(outcome(OutcomeKind::Done, "x").to_outcome(), None);
        let silent = WireOutcome {
            message: String::new(),
            ..outcome(OutcomeKind::Trap, "x")
        };
        assert_eq!(silent.to_outcome(), None);
        let partial = WireOutcome {
            partial: true,
            ..outcome(OutcomeKind::Trap, "x")
        };
        assert_eq!(partial.to_outcome(), None);
        assert_eq!(
            WireOutcome::from(&Outcome::done()).to_outcome(),
            Some(Outcome::done())
        );
    }

    #[test]
    fn a_runners_word_that_it_was_the_host_or_the_operator_is_not_believed() {
        let said = |kind, blame| WireOutcome::from(&Outcome::failed(kind, blame, "x")).to_outcome();
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
            assert_eq!(WireOutcome::from(&outcome).to_outcome(), Some(outcome));
        }
    }

    #[test]
    fn a_refusals_words_cross_as_they_are_and_are_cut() {
        for why in ["import `\u{16}x`\n\\n", "", "ü"] {
            let refusal = Refusal::Malformed(why.to_owned());
            assert_eq!(Refusal::from(WireRefusal::from(&refusal)), refusal);
        }
        let long = WireRefusal::NoKernel("ü".repeat(MESSAGE_BYTES));
        let Refusal::NoKernel(why) = Refusal::from(long) else {
            panic!("another refusal");
        };
        assert_eq!(why.len(), MESSAGE_BYTES);
    }

    #[test]
    fn a_hostile_message_is_escaped_and_cut_on_arrival() {
        let outcome = WireOutcome {
            message: format!("\x1b[2J\n{}", "x".repeat(1 << 20)),
            ..WireOutcome::from(&Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x"))
        };
        let message = outcome.to_outcome().unwrap().message;
        assert!(message.len() <= MESSAGE_BYTES + 8 && !message.chars().any(char::is_control));
    }
}

//! From wasmtime's error to an outcome in the host's words.

pub(crate) mod trace;

use self::trace::trace;
use crate::stop::Stop;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::text;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap};

/// The longest name shown: of a function, a file, an entry or an argument.
pub(crate) const NAME_BYTES: usize = 256;
/// The longest message of wasmtime's that is passed on.
const MESSAGE_BYTES: usize = 1024;

/// What else is known when a guest has failed.
pub(crate) struct Circumstances<'a> {
    /// The guest's own explanation, escaped.
    pub(crate) explanation: Option<String>,
    /// A growth of memory or tables, or GPU work, that was refused before.
    pub(crate) denied: Option<Breach>,
    /// Fuel used so far; absent where fuel is not counted.
    pub(crate) fuel_used: Option<u64>,
    /// The limits in force.
    pub(crate) limits: &'a Limits,
}

/// How a chunk's failure is called.
pub(crate) fn outcome_of(error: &Error, circumstances: &Circumstances<'_>) -> Outcome {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return outcome_of_stop(stop);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        // Slots are one tenant's own.
        let message = "this tenant has too many launches at once for its slots; retry later";
        return Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::Budget, Blame::Request, message)
        };
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        return out_of_fuel(circumstances);
    }
    // Code that cannot get memory gives up where it stands; the refusal is the cause worth telling. Without
    // a trap it is the instantiation that was refused.
    let gave_up = matches!(trap, None | Some(Trap::UnreachableCodeReached));
    if let Some(breach) = circumstances.denied.filter(|_| gave_up) {
        return Outcome::breached(breach);
    }
    if let Some(breach) = too_many(error, circumstances.limits) {
        return Outcome::breached(breach);
    }
    if trap.is_none() && is_out_of_memory(error) {
        let message = "the operating system refused memory that the kernel asked for: the runner's own limit is reached";
        return Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::MemoryLimit, Blame::Guest, message)
        };
    }
    trapped(error, trap, circumstances)
}

/// Whether the operating system refused memory.
fn is_out_of_memory(error: &Error) -> bool {
    let refused = |cause: &(dyn std::error::Error + 'static)| {
        let is_io = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory);
        is_io || cause.downcast_ref::<rustix::io::Errno>() == Some(&rustix::io::Errno::NOMEM)
    };
    error.chain().any(refused)
}

/// Instances, memories or tables above their limit. wasmtime says so in words only, so the words are read;
/// the tests of these limits fail should a new version change them.
fn too_many(error: &Error, limits: &Limits) -> Option<Breach> {
    let text = error.root_cause().to_string();
    let (what, count) = text
        .strip_prefix("resource limit exceeded: ")?
        .split_once(" count too high at ")?;
    let limit = match what {
        "instance" => Limit::Instances,
        "memory" => Limit::Memories,
        "table" => Limit::Tables,
        _ => return None,
    };
    Some(Breach {
        limit,
        amount: Amount::Requested(count.parse().ok()?),
        maximum: limits.get(limit),
    })
}

/// How a stop by the host is called.
pub(crate) fn outcome_of_stop(stop: &Stop) -> Outcome {
    let outcome = match stop {
        Stop::Limit(breach) => return Outcome::breached(*breach),
        // The same kernel would do the same again.
        Stop::Misuse(message) => {
            return Outcome::failed(OutcomeKind::Trap, Blame::Guest, message.clone());
        }
        Stop::Denied { capability } => {
            let capability = *capability;
            return Outcome::because(vec![Cause::NotWanted { capability }]);
        }
        Stop::Exit(_) => {
            return Outcome::failed(OutcomeKind::KernelError, Blame::Guest, stop.to_string());
        }
        Stop::Files => Outcome::failed(OutcomeKind::HostFault, Blame::Host, stop.to_string()),
        Stop::Gpu(outcome) => return (**outcome).clone(),
        Stop::Cancelled => Outcome::failed(OutcomeKind::Cancelled, Blame::Request, "cancelled"),
        Stop::Io(message) => Outcome::failed(OutcomeKind::Io, Blame::Request, message.clone()),
        // Neither is ever a launch's end: one runs again, the other follows a failure that is.
        Stop::Contended | Stop::Superseded => {
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, stop.to_string())
        }
    };
    Outcome {
        reproducible: false,
        ..outcome
    }
}

fn out_of_fuel(circumstances: &Circumstances<'_>) -> Outcome {
    Outcome::breached(Breach {
        limit: Limit::Fuel,
        amount: Amount::Used(circumstances.fuel_used.unwrap_or_default()),
        maximum: circumstances.limits.get(Limit::Fuel),
    })
}

fn trapped(error: &Error, trap: Option<&Trap>, circumstances: &Circumstances<'_>) -> Outcome {
    let trace = trace(error);
    let cause = match (&circumstances.explanation, trap) {
        (Some(words), _) if is_blank(words) => "the kernel panicked without a message".to_owned(),
        (Some(words), _) => format!("the kernel panicked: {words}"),
        (None, Some(Trap::StackOverflow)) => {
            "the kernel exhausted its stack (endless or too deep recursion)".to_owned()
        }
        (None, Some(trap)) => format!("the kernel trapped: {trap}"),
        (None, None) => {
            let text = text::escape(&error.root_cause().to_string(), MESSAGE_BYTES);
            match is_blank(&text) {
                true => "the kernel broke the rules of the interface".to_owned(),
                false => format!("the kernel broke the rules of the interface: {text}"),
            }
        }
    };
    let place = match (&circumstances.explanation, trace.first()) {
        (None, Some(frame)) => format!(" in {frame}"),
        _ => String::new(),
    };
    Outcome {
        // How deep a stack reaches depends on the machine code.
        reproducible: trap != Some(&Trap::StackOverflow),
        trace,
        ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, cause + &place)
    }
}

/// Whether a guest's words say nothing.
pub(crate) fn is_blank(words: &str) -> bool {
    words.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breach(limit: Limit) -> Breach {
        let (amount, maximum) = (Amount::Used(2), 1);
        Breach {
            limit,
            amount,
            maximum,
        }
    }

    #[test]
    fn every_stop_is_an_end_that_a_runner_can_tell() {
        let lost = Outcome::failed(OutcomeKind::GpuLost, Blame::Host, "gone");
        let mut stops = vec![
            Stop::Cancelled,
            Stop::Misuse("x".into()),
            Stop::Misuse(String::new()),
            Stop::Contended,
            Stop::Superseded,
            Stop::Io("x".into()),
            Stop::Files,
            Stop::Exit(3),
            Stop::Gpu(Box::new(lost)),
        ];
        stops.extend(Limit::ALL.iter().map(|limit| Stop::Limit(breach(*limit))));
        for stop in stops {
            let outcome = outcome_of_stop(&stop);
            assert!(outcome.is_of_runner(), "{stop:?}: {outcome:?}");
        }
    }

    #[test]
    fn every_trap_is_an_end_that_a_runner_can_tell() {
        let limits = Limits::defaults(Default::default());
        for explanation in [
            None,
            Some(String::new()),
            Some(" ".into()),
            Some("x".into()),
        ] {
            for error in [
                Error::from(Trap::UnreachableCodeReached),
                Error::from(Trap::StackOverflow),
                Error::from(Trap::OutOfFuel),
                Error::msg(""),
                Error::msg("resource limit exceeded: memory count too high at 5"),
                std::io::Error::from(std::io::ErrorKind::OutOfMemory).into(),
            ] {
                for denied in [
                    None,
                    Some(breach(Limit::Memory)),
                    Some(breach(Limit::GpuBytes)),
                ] {
                    let circumstances = Circumstances {
                        explanation: explanation.clone(),
                        denied,
                        fuel_used: Some(1),
                        limits: &limits,
                    };
                    let outcome = outcome_of(&error, &circumstances);
                    assert!(outcome.is_of_runner(), "{error:?}: {outcome:?}");
                    assert!(!outcome.message.ends_with(": "), "{outcome:?}");
                }
            }
        }
    }
}

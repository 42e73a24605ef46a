//! From what a guarded process said and what was seen of it to how its call ended.

use crate::confined::guarded::{Called, Fault, Stopped};
use hotcell_model::frame::{Raised, RaisedKind};
use hotcell_model::guard::GuardProfile;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_sandbox::filter::call_name;
use hotcell_sandbox::process::{ExitKind, Signal};

/// How a call ended, where it raised, and what was odd.
pub(super) fn outcome(called: &Called, profiles: &[GuardProfile]) -> (Outcome, String, Vec<Alert>) {
    let stopped = match &called.end {
        Ok(_) => return (Outcome::done(), String::new(), Vec::new()),
        Err(stopped) => stopped,
    };
    match stopped {
        Stopped::Raised(raised) => {
            let outcome = of_raised(raised, called, profiles);
            (outcome, raised.traceback.clone(), Vec::new())
        }
        Stopped::Limit(breach, raised) => {
            let mut alerts = Vec::new();
            if !called.is_well {
                alerts.push(killed("did not stop when it was asked to, and was killed"));
            }
            let traceback = raised.as_ref().map(|raised| raised.traceback.clone());
            let outcome = Outcome::breached(*breach);
            (outcome, traceback.unwrap_or_default(), alerts)
        }
        Stopped::Cancelled => {
            let outcome = Outcome {
                reproducible: false,
                ..Outcome::failed(OutcomeKind::Cancelled, Blame::Request, "cancelled")
            };
            let alerts = match called.is_well {
                true => Vec::new(),
                false => vec![killed("did not stop when it was told to, and was killed")],
            };
            (outcome, String::new(), alerts)
        }
        Stopped::Fault(fault) => {
            let alerts = fault.alert().into_iter().collect();
            (of_fault(fault, called, profiles), String::new(), alerts)
        }
    }
}

fn killed(what: &str) -> Alert {
    Alert {
        kind: AlertKind::WorkerKilled,
        message: format!("the guarded process {what}"),
    }
}

fn of_raised(raised: &Raised, called: &Called, profiles: &[GuardProfile]) -> Outcome {
    let maximum = |limit: Limit| called.limits.get(limit);
    let breached = |limit: Limit, amount: Amount| {
        let breach = Breach {
            limit,
            amount,
            maximum: maximum(limit),
        };
        let outcome = Outcome::breached(breach);
        let message = format!("{}: {}", outcome.message, raised.message);
        Outcome { message, ..outcome }
    };
    match raised.kind {
        RaisedKind::Memory => breached(
            Limit::ProcessMemory,
            match raised.requested_bytes {
                Some(bytes) => Amount::Requested(bytes),
                None => Amount::Used(called.usage.peak_memory_bytes),
            },
        ),
        RaisedKind::Threads => {
            let used = called.usage.peak_threads.max(maximum(Limit::Threads));
            breached(Limit::Threads, Amount::Requested(used.saturating_add(1)))
        }
        RaisedKind::Processes => breached(Limit::Processes, Amount::Requested(2)),
        RaisedKind::Scratch => {
            let limit = Limit::ScratchBytes;
            breached(limit, Amount::Used(maximum(limit)))
        }
        RaisedKind::NotPermitted => {
            let message = match refused(called, profiles) {
                Some(refused) => format!("{refused}: {}", raised.message),
                None => format!("not permitted in a guarded process: {}", raised.message),
            };
            Outcome::failed(OutcomeKind::Denied, Blame::Guest, message)
        }
        RaisedKind::Unreturnable | RaisedKind::Unreadable => {
            Outcome::failed(OutcomeKind::Usage, Blame::Request, raised.message.clone())
        }
        RaisedKind::Own | RaisedKind::Interrupted => Outcome {
            reproducible: false,
            ..Outcome::failed(
                OutcomeKind::KernelError,
                Blame::Guest,
                raised.message.clone(),
            )
        },
    }
}

/// What the process's filter refused meanwhile, by the process's word.
fn refused(called: &Called, profiles: &[GuardProfile]) -> Option<String> {
    if called.refused.is_empty() {
        return None;
    }
    let names: Vec<String> = called
        .refused
        .iter()
        .take(8)
        .map(|refusal| match call_name(refusal.number.into()) {
            Some(name) => format!("`{name}`"),
            None => format!("number {}", refusal.number),
        })
        .collect();
    let profiles = match profiles {
        [] => GuardProfile::Numpy.name().to_owned(),
        profiles => profiles
            .iter()
            .map(|one| one.name())
            .collect::<Vec<_>>()
            .join(", "),
    };
    Some(format!(
        "a guarded process of the profile {profiles} may not make the system call {}",
        names.join(", ")
    ))
}

fn of_fault(fault: &Fault, called: &Called, profiles: &[GuardProfile]) -> Outcome {
    let Fault::Died(_, exit) = fault else {
        return fault.outcome();
    };
    // What it ran is native code: it is the guest's doing that it died, unless somebody outside has killed it.
    match exit {
        exit if exit.is_refused_call() => {
            let message = refused(called, profiles).unwrap_or_else(|| {
                "it made a system call that a guarded process may not make".to_owned()
            });
            Outcome::failed(OutcomeKind::Denied, Blame::Guest, message)
        }
        ExitKind::Signal(signal) if *signal == Signal::KILL.as_raw() => fault.outcome(),
        ExitKind::Signal(_) | ExitKind::Code(_) => Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, fault.outcome().message)
        },
    }
}

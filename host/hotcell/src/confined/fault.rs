//! The ways in which a worker can fail, and the words, outcomes and alerts for each.

use super::reading::Violation;
use hotcell_model::layer::WorkerKind;
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_sandbox::process::{ExitKind, Signal, inherited_limits};
use hotcell_sandbox::worker::{EXIT_PANIC, EXIT_SETUP};
use std::io;
use std::time::Duration;

/// How a worker failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It could not be started or given its limits.
    Start(WorkerKind, io::Error),
    /// It is of another build than this program.
    Build(WorkerKind),
    /// It could not make itself ready, which is before it sees anything of anybody's.
    Setup(WorkerKind, String),
    /// It died.
    Died(WorkerKind, ExitKind),
    /// It says that it failed.
    Failed(WorkerKind, String),
    /// It did what no honest worker does.
    Hostile(WorkerKind, Violation),
    /// It did not answer, and was killed.
    Silent(WorkerKind, Duration),
    /// It does not read what it is sent.
    Deaf(WorkerKind),
    /// The supervisor lacks something itself.
    Here(io::Error),
}

impl Fault {
    /// The end of the launch or compilation that the worker served.
    pub(crate) fn outcome(&self) -> Outcome {
        let blame = match self {
            Self::Died(kind, ExitKind::Code(EXIT_SETUP)) => {
                let worker = name(*kind).to_owned();
                return Outcome::because(vec![Cause::WallsFailed { worker }]);
            }
            Self::Build(_) | Self::Setup(..) => Blame::Operator,
            Self::Here(error) if is_file_size(error) => {
                let failed = Outcome::failed(OutcomeKind::Io, Blame::Operator, error.to_string());
                return Outcome {
                    reproducible: false,
                    ..failed
                };
            }
            Self::Start(_, error) if is_no_task(error) => Blame::Operator,
            Self::Start(..) | Self::Here(_) => Blame::Host,
            Self::Died(..)
            | Self::Failed(..)
            | Self::Hostile(..)
            | Self::Silent(..)
            | Self::Deaf(_) => Blame::Unknown,
        };
        Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::HostFault, blame, self.words())
        }
    }

    /// What an operator should look at, if anything.
    pub(crate) fn alert(&self) -> Option<Alert> {
        let kind = match self {
            Self::Hostile(..) => AlertKind::HostileWorker,
            Self::Died(_, exit) if exit.is_refused_call() => AlertKind::FilterKill,
            Self::Died(..) | Self::Failed(..) => AlertKind::WorkerDied,
            Self::Silent(..) | Self::Deaf(_) => AlertKind::WorkerKilled,
            Self::Start(..) | Self::Build(_) | Self::Setup(..) | Self::Here(_) => return None,
        };
        let message = self.words();
        Some(Alert { kind, message })
    }

    fn words(&self) -> String {
        match self {
            Self::Start(kind, error) => format!(
                "{} could not be started: {error}{}",
                name(*kind),
                limits_behind(is_no_task(error))
            ),
            Self::Setup(kind, why) => format!(
                "{} could not make itself ready: {why}{}",
                name(*kind),
                limits_behind(true)
            ),
            Self::Build(kind) => format!(
                "{} is of another build than this program: install both together, or build it again with \
                 `cargo xtask workers`",
                name(*kind)
            ),
            Self::Died(kind, exit) => format!("{} {}", name(*kind), death(*exit)),
            Self::Failed(kind, why) => format!("{} failed: {why}", name(*kind)),
            Self::Hostile(kind, violation) => {
                format!("{} broke the protocol: {violation}", name(*kind))
            }
            Self::Silent(kind, after) => format!(
                "{} did not answer within {} ms and was killed",
                name(*kind),
                after.as_millis()
            ),
            Self::Deaf(kind) => format!("{} did not read its request and was killed", name(*kind)),
            Self::Here(error) => format!("the supervisor cannot go on: {error}"),
        }
    }
}

/// Whether it is the limit on the sizes of files.
fn is_file_size(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// Whether there is no process or thread to be had.
fn is_no_task(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// The limits of this process that may be behind a worker's failure.
fn limits_behind(may_be: bool) -> String {
    let limits = inherited_limits();
    match may_be && !limits.is_empty() {
        true => format!("; {}", limits.join("; ")),
        false => String::new(),
    }
}

/// What a kind of worker is called in messages.
pub(crate) fn name(kind: WorkerKind) -> &'static str {
    match kind {
        WorkerKind::Compiler => "the compile process",
        WorkerKind::Runner => "the runner",
        WorkerKind::Gpu => "the GPU worker",
        WorkerKind::Guarded => "the guarded process",
    }
}

/// How a process died, in words.
pub(crate) fn death(exit: ExitKind) -> String {
    match exit {
        exit if exit.is_refused_call() => {
            "died by SIGSYS: it made a system call that its filter refuses".to_owned()
        }
        ExitKind::Signal(number) if number == Signal::KILL.as_raw() => {
            "died by SIGKILL: something outside killed it, perhaps because memory ran out"
                .to_owned()
        }
        ExitKind::Signal(_) => format!("died by {exit}"),
        ExitKind::Code(EXIT_SETUP) => "could not put on its walls".to_owned(),
        ExitKind::Code(EXIT_PANIC) => "panicked; please report it, with the component".to_owned(),
        ExitKind::Code(code) => format!("ended by itself, with exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_have_words_and_nobody_is_blamed_without_a_reason() {
        let sigsys = ExitKind::Signal(Signal::SYS.as_raw());
        let fault = Fault::Died(WorkerKind::Compiler, sigsys);
        let outcome = fault.outcome();
        assert_eq!(
            outcome.message,
            "the compile process died by SIGSYS: it made a system call that its filter refuses"
        );
        assert_eq!(outcome.blame, Some(Blame::Unknown));
        assert_eq!(fault.alert().unwrap().kind, AlertKind::FilterKill);
        assert!(death(ExitKind::Signal(Signal::KILL.as_raw())).contains("memory"));
        assert!(death(ExitKind::Signal(Signal::SEGV.as_raw())).contains("SIGSEGV"));
        assert!(death(ExitKind::Code(3)).contains("exit code 3"));
        let setup = Fault::Died(WorkerKind::Runner, ExitKind::Code(EXIT_SETUP)).outcome();
        assert_eq!(setup.blame, Some(Blame::Operator));
    }
}

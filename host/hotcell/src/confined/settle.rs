//! From a runner's end of a launch to a result: outputs sealed before a byte is read, figures the supervisor's own.

use super::claims::{CLAIMED, Claim, Facts, Verdict, check};
use super::parcel::Output;
use super::pauses::Pauses;
use super::reading::{RunnerEnd, Violation};
use super::runner::{Launched, Stopped};
use super::worker::Fault;
use crate::isolation::{Evidence, Ran, not_run};
use crate::sealed;
use crate::settle::nanoseconds;
use bytes::Bytes;
use hotcell_model::frame::WorkerKind;
use hotcell_model::job::{Finished, Job, ResultArray, Source};
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Count, Usage};
use hotcell_sandbox::memory::SealError;
use std::time::{Duration, Instant};

/// What the supervisor knows of a launch besides what it measured.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) job: &'a Job,
    /// Whether fuel is counted.
    pub(crate) has_fuel: bool,
    /// Whether an input is read from a file while the guest runs.
    pub(crate) has_files: bool,
    /// Whether the launch was cancelled.
    pub(crate) was_cancelled: bool,
}

/// Settles a launch. Whether its runner can serve another stands in the alerts: one that gave reason for
/// any cannot.
pub(crate) fn settle(
    launched: Launched,
    outputs: Vec<Output>,
    known: Known<'_>,
    pauses: &mut Pauses,
) -> Ran {
    let Known {
        job,
        has_fuel,
        has_files,
        was_cancelled,
    } = known;
    let Launched {
        end,
        lines,
        wall,
        cpu,
        has_hung_up,
    } = launched;
    let (measured_wall, measured_cpu) = (nanoseconds(wall), cpu.map(nanoseconds));
    let kept = end.and_then(|mut end| {
        if has_hung_up {
            end.outcome = hung_up(end.outcome, job, wall, was_cancelled);
        }
        let results = match end.outcome.keeps_outputs() {
            true => results(job, outputs, std::mem::take(&mut end.inline))?,
            false => Vec::new(),
        };
        Ok((end, results))
    });
    let (mut finished, alerts) = match kept {
        Ok((end, results)) => {
            let now = Instant::now();
            let facts = Facts {
                job,
                has_fuel,
                has_files,
                wall,
                cpu,
                pauses: pauses.left(now),
                was_cancelled,
            };
            let claim = Claim {
                outcome: &end.outcome,
                usage: &end.usage,
            };
            let Verdict {
                mut alerts,
                overruled,
                excused,
            } = check(&facts, &claim);
            pauses.excuse(excused, now);
            alerts.extend(own_failure(&end));
            let mut finished = told(end, results);
            if let Some(outcome) = overruled {
                finished.results.clear();
                finished.outcome = outcome;
            }
            (finished, alerts)
        }
        Err(stopped) => (not_run(stopped.outcome(job)), stopped.alerts()),
    };
    finished.usage.wall_ns = measured_wall;
    finished.usage.cpu_ns = measured_cpu.unwrap_or(Count(0));
    finished.log = lines;
    Ran {
        finished,
        evidence: Evidence {
            alerts,
            ..Evidence::default()
        },
    }
}

/// The end of a launch whose GPU channel was closed from here, by the supervisor's clock: that is why the runner's
/// calls failed, though by its own clock the launch was not over, or it had not heard of the cancel yet.
fn hung_up(outcome: Outcome, job: &Job, wall: Duration, was_cancelled: bool) -> Outcome {
    let is_cut_short = matches!(outcome.kind, OutcomeKind::GpuLost | OutcomeKind::Timeout);
    match (is_cut_short, was_cancelled) {
        (false, _) => outcome,
        (true, true) if wall < job.limits.duration(Limit::Timeout) => Outcome {
            reproducible: false,
            ..Outcome::failed(OutcomeKind::Cancelled, Blame::Request, "cancelled")
        },
        _ if outcome.kind == OutcomeKind::Timeout => outcome,
        _ => Outcome::breached(Breach {
            limit: Limit::Timeout,
            amount: Amount::Used(nanoseconds(wall).0),
            maximum: job.limits.get(Limit::Timeout),
        }),
    }
}

/// What the runner told, with the figures that nobody can check marked.
fn told(end: RunnerEnd, results: Vec<ResultArray>) -> Finished {
    let is_told = |name: &&str| *name != "fuel_used" || end.usage.fuel_used.is_some();
    let claimed = CLAIMED.iter().filter(|name| is_told(name));
    let mut outcome = end.outcome;
    // Of a fault whose cause nobody knows, nobody knows whether it comes again.
    outcome.reproducible &= outcome.kind != OutcomeKind::HostFault;
    Finished {
        usage: Usage {
            claimed: claimed.map(|name| (*name).to_owned()).collect(),
            ..end.usage
        },
        outcome,
        results,
        timings: end.timings,
        log: Vec::new(),
    }
}

/// A host fault that the runner tells of itself: it is not to be used again.
fn own_failure(end: &RunnerEnd) -> Option<Alert> {
    (end.outcome.kind == OutcomeKind::HostFault).then(|| Alert {
        kind: AlertKind::WorkerKilled,
        message: "the runner said that it failed, and was ended".to_owned(),
    })
}

/// The arrays that came out. Memory that cannot be sealed is still mapped by the runner, and so not read.
fn results(
    job: &Job,
    outputs: Vec<Output>,
    inline: Vec<Bytes>,
) -> Result<Vec<ResultArray>, Stopped> {
    let mut inline = inline.into_iter();
    let written = job.arrays.iter().filter(|array| array.is_written);
    written
        .zip(outputs)
        .map(|(array, output)| {
            let source = match output {
                // As many as are due have come: the reading has counted them.
                Output::Inline(_) => Source::Memory(inline.next().unwrap_or_default()),
                Output::Memory(memory) => {
                    let memory = memory.seal().map_err(not_sealed)?;
                    sealed::source(memory).map_err(|error| Stopped::Fault(Fault::Here(error)))?
                }
            };
            let name = array.name.clone();
            Ok(ResultArray { name, source })
        })
        .collect()
}

fn not_sealed(error: SealError) -> Stopped {
    Stopped::Fault(match error {
        SealError::StillMapped => Fault::Hostile(
            WorkerKind::Runner,
            Violation::Memory("an output is still mapped for writing after the end".to_owned()),
        ),
        SealError::Forestalled => Fault::Hostile(
            WorkerKind::Runner,
            Violation::Memory("an output was sealed against the supervisor's seal".to_owned()),
        ),
        SealError::Io(error) => Fault::Here(error),
    })
}

impl Stopped {
    fn alerts(&self) -> Vec<Alert> {
        let killed = |message: &str| Alert {
            kind: AlertKind::WorkerKilled,
            message: message.to_owned(),
        };
        match self {
            Self::Fault(fault) => fault.alert().into_iter().collect(),
            Self::TimedOut(_) => vec![killed(
                "the runner did not stop at the deadline, and was killed",
            )],
            Self::Cancelled => vec![killed(
                "the runner did not stop when told to, and was killed",
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::grant::Grants;
    use hotcell_model::job::JobArray;
    use hotcell_model::limit::Limits;
    use hotcell_sandbox::memory::OutputMemory;

    fn job() -> Job {
        let array = |name: &str, size_bytes| JobArray {
            name: name.into(),
            is_read: false,
            is_written: true,
            size_bytes,
            split_stride_bytes: None,
            halo: 0,
        };
        Job {
            entry: "k".into(),
            dims: Vec::new(),
            scalars: Vec::new(),
            arrays: vec![array("small", 2), array("large", 4096)],
            split: None,
            limits: Limits::defaults(Default::default()),
            grants: Grants::none(),
            seed: None,
            threads: 1,
            stop_grace: Duration::ZERO,
            has_gpu_profile: false,
        }
    }

    fn launched() -> Launched {
        let usage = Usage {
            instances: Count(1),
            wall_ns: Count(7),
            ..Usage::default()
        };
        Launched {
            end: Ok(RunnerEnd {
                outcome: Outcome::done(),
                usage,
                timings: Default::default(),
                inline: vec![Bytes::from_static(b"ab")],
            }),
            lines: Vec::new(),
            wall: Duration::from_millis(3),
            cpu: Some(Duration::from_millis(2)),
            has_hung_up: false,
        }
    }

    fn known(job: &Job) -> Known<'_> {
        Known {
            job,
            has_fuel: true,
            has_files: false,
            was_cancelled: false,
        }
    }

    #[test]
    fn outputs_are_sealed_and_figures_are_the_supervisors_own() {
        let memory = OutputMemory::create(4096).unwrap();
        memory.map().unwrap().as_mut()[9] = 5;
        let outputs = vec![Output::Inline(2), Output::Memory(memory)];
        let ran = settle(launched(), outputs, known(&job()), &mut Pauses::default());
        let Finished { results, usage, .. } = ran.finished;
        assert!(matches!(&results[0].source, Source::Memory(bytes) if &bytes[..] == b"ab"));
        assert!(matches!(&results[1].source, Source::Sealed { bytes, .. } if bytes[9] == 5));
        assert_eq!(usage.wall_ns, Count(3_000_000));
        assert_eq!(usage.cpu_ns, Count(2_000_000));
        assert!(!usage.claimed.contains(&"fuel_used".to_owned()));
        assert!(usage.claimed.contains(&"host_calls".to_owned()));
        assert!(ran.evidence.alerts.is_empty());
    }

    #[test]
    fn an_end_that_cannot_be_is_not_believed_and_has_no_outputs() {
        let mut cancelled = launched();
        let end = cancelled.end.as_mut().ok().unwrap();
        end.outcome = Outcome {
            partial: true,
            ..Outcome::failed(OutcomeKind::Cancelled, Blame::Request, "so it says")
        };
        let outputs = vec![
            Output::Inline(2),
            Output::Memory(OutputMemory::create(4096).unwrap()),
        ];
        let ran = settle(cancelled, outputs, known(&job()), &mut Pauses::default());
        let outcome = ran.finished.outcome;
        assert_eq!(outcome.kind, OutcomeKind::HostFault);
        assert_eq!(outcome.blame, Some(Blame::Unknown));
        assert!(ran.finished.results.is_empty());
        assert_eq!(ran.evidence.alerts[0].kind, AlertKind::ClaimMismatch);
    }

    #[test]
    fn a_runner_whose_gpu_was_taken_away_tells_of_a_loss_and_means_the_deadline_or_the_cancel() {
        let job = job();
        let timeout = job.limits.duration(Limit::Timeout);
        let told = |kind, wall, was_cancelled| {
            let outcome = Outcome::failed(kind, Blame::Unknown, "x");
            hung_up(outcome, &job, wall, was_cancelled).kind
        };
        let early = timeout / 4;
        for kind in [OutcomeKind::GpuLost, OutcomeKind::Timeout] {
            assert_eq!(told(kind, timeout, false), OutcomeKind::Timeout);
            assert_eq!(told(kind, early, true), OutcomeKind::Cancelled);
        }
        assert_eq!(told(OutcomeKind::Trap, early, true), OutcomeKind::Trap);
        assert_eq!(told(OutcomeKind::Done, timeout, false), OutcomeKind::Done);
    }

    #[test]
    fn an_output_that_is_still_mapped_is_never_read() {
        let memory = OutputMemory::create(4096).unwrap();
        let _still_mapped = memory.map().unwrap();
        let outputs = vec![Output::Inline(2), Output::Memory(memory)];
        let ran = settle(launched(), outputs, known(&job()), &mut Pauses::default());
        assert_eq!(ran.finished.outcome.kind, OutcomeKind::HostFault);
        assert!(ran.finished.results.is_empty());
        assert_eq!(ran.evidence.alerts[0].kind, AlertKind::HostileWorker);
    }

    #[test]
    fn a_runner_that_had_to_be_killed_is_an_alert_and_its_launch_a_timeout() {
        let silent = Launched {
            end: Err(Stopped::TimedOut(Duration::from_secs(11))),
            ..launched()
        };
        let ran = settle(silent, Vec::new(), known(&job()), &mut Pauses::default());
        let outcome = ran.finished.outcome;
        assert_eq!(outcome.kind, OutcomeKind::Timeout);
        assert!(outcome.message.contains("killed"), "{}", outcome.message);
        assert_eq!(ran.evidence.alerts[0].kind, AlertKind::WorkerKilled);
        assert!(ran.finished.usage.claimed.is_empty());
    }
}

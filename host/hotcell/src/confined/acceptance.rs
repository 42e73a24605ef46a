//! From a runner's end of a launch to a result: outputs sealed before a byte is read, figures the supervisor's own.

use super::claims::{CLAIMED, Claim, ClaimVerdict, Facts, check};
use super::fault::Fault;
use super::parcel::OutputSlot;
use super::pauses::Pauses;
use super::reading::Violation;
use super::runner::{Measured, Stopped};
use crate::isolation::{Evidence, Ran};
use crate::sealed;
use bytes::Bytes;
use hotcell_model::job::{Job, RunEnd, Source};
use hotcell_model::layer::WorkerKind;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::time::nanoseconds;
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

/// Accepts the end of a launch. Whether its runner can serve another stands in the alerts: one that gave reason for
/// any cannot.
pub(crate) fn accept(
    launched: Measured,
    outputs: Vec<OutputSlot>,
    known: Known<'_>,
    pauses: &mut Pauses,
) -> Ran {
    let Known {
        job,
        has_fuel,
        has_files,
        was_cancelled,
    } = known;
    let Measured {
        end,
        lines,
        wall,
        cpu,
        has_hung_up,
    } = launched;
    let kept = end.and_then(|mut end| {
        if has_hung_up {
            end.outcome = hung_up(end.outcome, job, wall, was_cancelled);
        }
        let inline = std::mem::take(&mut end.outputs);
        let outputs = match end.outcome.keeps_outputs() {
            true => results(outputs, inline)?,
            false => Vec::new(),
        };
        Ok(end.map_outputs(|_| outputs))
    });
    let (mut end, alerts) = match kept {
        Ok(mut end) => {
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
                samples: end.samples.as_deref(),
            };
            let ClaimVerdict {
                mut alerts,
                overruled,
                excused,
            } = check(&facts, &claim);
            pauses.excuse(excused, now);
            alerts.extend(own_failure(&end));
            mark_claims(&mut end);
            if let Some(outcome) = overruled {
                end.overrule(outcome);
            }
            (end, alerts)
        }
        Err(stopped) => (RunEnd::not_run(stopped.outcome(job)), stopped.alerts()),
    };
    end.usage.wall_ns = nanoseconds(wall);
    end.usage.cpu_ns = cpu.map_or(0, nanoseconds);
    end.log = lines;
    Ran {
        end,
        evidence: Evidence::of_alerts(alerts),
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
            amount: Amount::Used(nanoseconds(wall)),
            maximum: job.limits.get(Limit::Timeout),
        }),
    }
}

/// Marks the figures that nobody can check.
fn mark_claims(end: &mut RunEnd<Source>) {
    let is_told = |name: &&str| *name != "fuel_used" || end.usage.fuel_used.is_some();
    let claimed = CLAIMED.into_iter().filter(is_told);
    end.usage.claimed = claimed.map(str::to_owned).collect();
    // Of a fault whose cause nobody knows, nobody knows whether it comes again.
    end.outcome.reproducible &= end.outcome.kind != OutcomeKind::HostFault;
}

/// A host fault that the runner tells of itself: it is not to be used again.
fn own_failure(end: &RunEnd<Source>) -> Option<Alert> {
    (end.outcome.kind == OutcomeKind::HostFault).then(|| Alert {
        kind: AlertKind::WorkerKilled,
        message: "the runner said that it failed, and was ended".to_owned(),
    })
}

/// The arrays that came out. Memory that cannot be sealed is still mapped by the runner, and so not read.
fn results(outputs: Vec<OutputSlot>, inline: Vec<Bytes>) -> Result<Vec<Source>, Stopped> {
    let mut inline = inline.into_iter();
    let source = |output| match output {
        // As many as are due have come: the reading has counted them.
        OutputSlot::Inline(_) => Ok(Source::Memory(inline.next().unwrap_or_default())),
        OutputSlot::Memory(memory) => {
            let memory = memory.seal().map_err(not_sealed)?;
            sealed::source(memory).map_err(|error| Stopped::Fault(Fault::Here(error)))
        }
    };
    outputs.into_iter().map(source).collect()
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
    use hotcell_model::report::Usage;
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
            sample_every: None,
        }
    }

    fn launched() -> Measured {
        let usage = Usage {
            instances: 1,
            wall_ns: 7,
            ..Usage::default()
        };
        Measured {
            end: Ok(RunEnd {
                usage,
                outputs: vec![Bytes::from_static(b"ab")],
                ..RunEnd::not_run(Outcome::done())
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
        let outputs = vec![OutputSlot::Inline(2), OutputSlot::Memory(memory)];
        let ran = accept(launched(), outputs, known(&job()), &mut Pauses::default());
        let RunEnd { outputs, usage, .. } = ran.end;
        assert!(matches!(&outputs[0], Source::Memory(bytes) if &bytes[..] == b"ab"));
        assert!(matches!(&outputs[1], Source::Sealed { bytes, .. } if bytes[9] == 5));
        assert_eq!(usage.wall_ns, 3_000_000);
        assert_eq!(usage.cpu_ns, 2_000_000);
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
            OutputSlot::Inline(2),
            OutputSlot::Memory(OutputMemory::create(4096).unwrap()),
        ];
        let ran = accept(cancelled, outputs, known(&job()), &mut Pauses::default());
        let outcome = ran.end.outcome;
        assert_eq!(outcome.kind, OutcomeKind::HostFault);
        assert_eq!(outcome.blame, Some(Blame::Unknown));
        assert!(ran.end.outputs.is_empty());
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
        let outputs = vec![OutputSlot::Inline(2), OutputSlot::Memory(memory)];
        let ran = accept(launched(), outputs, known(&job()), &mut Pauses::default());
        assert_eq!(ran.end.outcome.kind, OutcomeKind::HostFault);
        assert!(ran.end.outputs.is_empty());
        assert_eq!(ran.evidence.alerts[0].kind, AlertKind::HostileWorker);
    }

    #[test]
    fn a_runner_that_had_to_be_killed_is_an_alert_and_its_launch_a_timeout() {
        let silent = Measured {
            end: Err(Stopped::TimedOut(Duration::from_secs(11))),
            ..launched()
        };
        let ran = accept(silent, Vec::new(), known(&job()), &mut Pauses::default());
        let outcome = ran.end.outcome;
        assert_eq!(outcome.kind, OutcomeKind::Timeout);
        assert!(outcome.message.contains("killed"), "{}", outcome.message);
        assert_eq!(ran.evidence.alerts[0].kind, AlertKind::WorkerKilled);
        assert!(ran.end.usage.claimed.is_empty());
    }
}

//! Settling a launch: what was asked, what happened and what was used become results and a report, in what is left
//! of the launch's time.

use crate::array::{Array, NamedArray};
use crate::launch::about::{About, shown};
use crate::launch::bind::Bound;
use crate::launch::digests::{Clock, FileState, Hashing, Unfinished, late};
use crate::request::Digests;
use hotcell_model::array::ArrayType;
use hotcell_model::digest::Digest;
use hotcell_model::job::Source;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{ArrayReport, OutputsEnd, Report};
use hotcell_model::stop::StopSignal;
use std::time::Duration;

/// The least that is left for settling, of a launch that ended just before its deadline.
const SETTLE_LEAST: Duration = Duration::from_millis(50);

/// The time for settling what a launch returned after a cancel.
const SETTLE_CANCELLED: Duration = Duration::from_millis(500);

/// The digests of a launch's inputs, made before it runs.
pub(crate) struct InputDigests {
    digests: Vec<Option<Digest>>,
    /// The states of their files, where they are in files.
    files: Vec<Option<FileState>>,
}

impl InputDigests {
    /// Hashes the inputs, within the launch's timeout.
    pub(crate) fn take(bound: &Bound, about: &About, stop: &StopSignal) -> Result<Self, Outcome> {
        let clock = Clock::of(about.limits.duration(Limit::Timeout), stop);
        let mut hashing = Hashing::new(&clock);
        let (mut digests, mut files) = (Vec::new(), Vec::new());
        for (name, array) in &bound.arguments {
            let ended = |unfinished: Unfinished| {
                let what = format!("input `{}` was hashed", shown(name));
                late(&unfinished, &about.limits, &what, Blame::Request)
            };
            let file = FileState::of(array.source()).transpose();
            files.push(file.map_err(|error| ended(Unfinished::Io(error)))?);
            let digest = || hashing.digest(array.source());
            let digest = (about.digests == Digests::Full).then(digest).transpose();
            digests.push(digest.map_err(ended)?);
        }
        Ok(Self { digests, files })
    }

    /// Makes sure that what was hashed is what the kernel read: a file may have been written to meanwhile.
    pub(crate) fn check_unchanged(
        &self,
        bound: &Bound,
        clock: &Clock<'_>,
        about: &About,
    ) -> Result<(), Outcome> {
        let known = bound.arguments.iter().zip(&self.digests).zip(&self.files);
        for (((name, array), digest), before) in known {
            let (Some(digest), Some(before)) = (digest, before) else {
                continue;
            };
            let now = FileState::of(array.source()).and_then(Result::ok);
            if now.as_ref() == Some(before) {
                continue;
            }
            let again = Hashing::new(clock).digest(array.source());
            let again = again.map_err(|unfinished| {
                let what = format!(
                    "input `{}`, whose file was written to, was hashed again",
                    shown(name)
                );
                late(&unfinished, &about.limits, &what, Blame::Request)
            })?;
            if again != *digest {
                let message = format!(
                    "input `{}` was changed while the kernel read it: its file must stay as it is during a launch",
                    shown(name)
                );
                return Err(Outcome {
                    reproducible: false,
                    ..Outcome::failed(OutcomeKind::Io, Blame::Request, message)
                });
            }
        }
        Ok(())
    }
}

/// The results of a launch that keeps its outputs, named and typed, their digests, and what became of them.
pub(crate) struct Settled {
    pub(crate) results: Vec<NamedArray>,
    pub(crate) digests: Vec<Option<Digest>>,
    pub(crate) end: OutputsEnd,
}

/// The clock for settling a launch that has run that long: what is left of its timeout. One that returned what it
/// had because it was cancelled has a time of its own; that it was cancelled is known.
pub(crate) fn clock<'a>(
    about: &About,
    outcome: &Outcome,
    ran: Duration,
    (stop, never): (&'a StopSignal, &'a StopSignal),
) -> Clock<'a> {
    if outcome.kind == OutcomeKind::Cancelled {
        return Clock::of(SETTLE_CANCELLED, never);
    }
    let left = about.limits.duration(Limit::Timeout).saturating_sub(ran);
    Clock::of(left.max(SETTLE_LEAST), stop)
}

/// How a launch ends that ended with `before` and could not be settled.
pub(crate) fn unsettled(before: &Outcome, why: &Outcome) -> Outcome {
    if before.kind == OutcomeKind::Done {
        return why.clone();
    }
    // What it ended with stays; what it had to give is gone.
    let message = format!(
        "{}; what it returned was lost: {}",
        before.message, why.message
    );
    Outcome {
        message,
        partial: false,
        ..before.clone()
    }
}

/// Gives the bytes that came out, so many of which the kernel wrote, their types and digests.
pub(crate) fn settle(
    bound: &Bound,
    about: &About,
    results: Vec<Source>,
    written: u64,
    clock: &Clock<'_>,
) -> Result<Settled, Outcome> {
    let results = name_results(bound, results)?;
    if about.digests == Digests::None {
        let digests = vec![None; results.len()];
        return Ok(Settled {
            results,
            digests,
            end: OutputsEnd::Returned,
        });
    }
    let total = results
        .iter()
        .map(|result| result.array.source().len_bytes());
    let total = total.fold(0, u64::saturating_add);
    let mut hashing = Hashing::new(clock);
    let mut digests = Vec::new();
    for result in &results {
        let digest = hashing.digest(result.array.source());
        digests.push(Some(digest.map_err(|unfinished| {
            hashing.unfinished(&unfinished, &about.limits, (written, total))
        })?));
    }
    Ok(Settled {
        results,
        digests,
        end: OutputsEnd::Returned,
    })
}

/// Gives the bytes that came out their types. Arrays that are not those of the job are the host's fault.
fn name_results(bound: &Bound, results: Vec<Source>) -> Result<Vec<NamedArray>, Outcome> {
    let outputs: Vec<(&str, &ArrayType)> = bound.outputs().collect();
    let misfit = |why: String| Outcome::failed(OutcomeKind::HostFault, Blame::Host, why);
    if outputs.len() != results.len() {
        let (due, came) = (outputs.len(), results.len());
        return Err(misfit(format!(
            "{came} outputs came back, where {due} were due"
        )));
    }
    let typed = |((name, ty), source): ((&str, &ArrayType), Source)| {
        let wrong = |error| misfit(format!("output `{}` came back wrong: {error}", shown(name)));
        Ok(NamedArray {
            array: Array::from_source(ty.clone(), source).map_err(wrong)?,
            name: name.to_owned(),
        })
    };
    outputs.into_iter().zip(results).map(typed).collect()
}

/// The results in a report.
pub(crate) fn result_reports(settled: &Settled) -> Vec<ArrayReport> {
    let digests = settled.digests.iter();
    let results = settled.results.iter().zip(digests);
    results
        .map(|(result, digest)| array_report(&result.name, &result.array, *digest))
        .collect()
}

/// Adds the arrays that were given to a report.
pub(crate) fn add_arguments(report: &mut Report, bound: &Bound, inputs: Option<&InputDigests>) {
    let digest = |position: usize| inputs.and_then(|inputs| *inputs.digests.get(position)?);
    let arguments = bound.arguments.iter().enumerate();
    report.arguments = arguments
        .map(|(position, (name, array))| array_report(name, array, digest(position)))
        .collect();
}

fn array_report(name: &str, array: &Array, digest: Option<Digest>) -> ArrayReport {
    ArrayReport {
        name: name.to_owned(),
        dtype: array.ty().dtype(),
        shape: array.ty().shape().to_vec(),
        blake3: digest,
    }
}

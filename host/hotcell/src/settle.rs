//! Settling a launch: what was asked, what happened and what was used become results and a report, in what is left
//! of the launch's time.

use crate::array::{Array, NamedArray};
use crate::bind::Bound;
use crate::digests::{Clock, FileState, Hashing, Unfinished, late};
use crate::isolation::Evidence;
use crate::permit::About;
use crate::request::Digests;
use hotcell_model::array::ArrayType;
use hotcell_model::digest::Digest;
use hotcell_model::job::{Finished, ResultArray};
use hotcell_model::layer::Tier;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{ArrayReport, Count, OutcomeReport, Report, SCHEMA};
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

/// The results of a launch that keeps its outputs, named and typed, and their digests.
pub(crate) struct Settled {
    pub(crate) results: Vec<NamedArray>,
    pub(crate) digests: Vec<Option<Digest>>,
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
    results: Vec<ResultArray>,
    written: u64,
    clock: &Clock<'_>,
) -> Result<Settled, Outcome> {
    let results = name_results(bound, results)?;
    if about.digests == Digests::None {
        let digests = vec![None; results.len()];
        return Ok(Settled { results, digests });
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
    Ok(Settled { results, digests })
}

/// Gives the bytes that came out their types. Arrays that are not those of the job are the host's fault.
fn name_results(bound: &Bound, results: Vec<ResultArray>) -> Result<Vec<NamedArray>, Outcome> {
    let typed = |result: ResultArray| {
        let arrays = &bound.job.arrays;
        let position = arrays.iter().position(|array| array.name == result.name);
        let ty: Option<&ArrayType> = position.and_then(|position| bound.types.get(position));
        let misfit = |why: String| {
            let message = format!("output `{}` came back wrong: {why}", shown(&result.name));
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
        };
        let ty = ty.ok_or_else(|| misfit("the kernel has no such array".to_owned()))?;
        let array = Array::from_source(ty.clone(), result.source.clone());
        Ok(NamedArray {
            array: array.map_err(|error| misfit(error.to_string()))?,
            name: result.name,
        })
    };
    results.into_iter().map(typed).collect()
}

/// The results in a report.
pub(crate) fn result_reports(settled: &Settled) -> Vec<ArrayReport> {
    let digests = settled.digests.iter();
    let results = settled.results.iter().zip(digests);
    results
        .map(|(result, digest)| array_report(&result.name, &result.array, *digest))
        .collect()
}

/// Adds what was asked for to a report.
pub(crate) fn add_arguments(report: &mut Report, bound: &Bound, inputs: Option<&InputDigests>) {
    let dims = bound.job.dims.iter();
    report.dims = dims
        .map(|(name, extent)| (name.clone(), Count(*extent)))
        .collect();
    report.scalars = bound.job.scalars.iter().cloned().collect();
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

/// The report of what was asked for, without its arguments and results.
pub(crate) fn report(about: About, finished: &Finished, required: Option<Tier>) -> Report {
    let walls = about.spent.evidence.walls(required);
    let Evidence { alerts, .. } = about.spent.evidence;
    Report {
        schema: SCHEMA,
        run_id: about.run_id,
        host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
        component: about.component,
        arguments: Vec::new(),
        scalars: Default::default(),
        dims: Default::default(),
        results: Vec::new(),
        outcome: OutcomeReport::from(&finished.outcome),
        usage: finished.usage.clone(),
        timings: about.spent.timings,
        limits: about.limits.to_report(),
        grants: about.grants,
        metering: about.metering,
        seed: about.seed.map(Count),
        isolation: about.isolation,
        walls,
        alerts,
        log: finished.log.clone(),
    }
}

fn shown(name: &str) -> String {
    hotcell_model::text::escape(name, 256)
}

/// A duration as reports count it.
pub(crate) fn nanoseconds(duration: Duration) -> Count {
    Count(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

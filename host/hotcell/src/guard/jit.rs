//! What compilers inside a guarded process did, as records and reports like those of a cell's own compilations.

use crate::cell::Cell;
use crate::confined::guarded::{Called, JitSeen};
use crate::launch::about::{About, new_run_id};
use crate::launch::attempt::OpenRecord;
use hotcell_model::audit::Verb;
use hotcell_model::digest::Digest;
use hotcell_model::guard::{JitCache, JitReport};
use hotcell_model::job::RunEnd;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{
    Alert, AlertKind, ArrayReport, CacheOutcome, Compilation, Timings, Usage,
};
use hotcell_model::time::nanoseconds;
use std::time::Duration;

/// What the call's report says of them.
pub(super) fn reports(called: &Called) -> Vec<JitReport> {
    let report = |seen: &JitSeen| JitReport {
        system: seen.system,
        function: seen.function.clone(),
        total_ns: seen
            .end
            .as_ref()
            .map_or(nanoseconds(seen.wall), |end| end.total_ns),
        cpu_ns: nanoseconds(seen.cpu),
        cache: seen.end.as_ref().map_or(JitCache::None, |end| end.cache),
        ended: seen.end.is_some(),
    };
    called.jit.iter().map(report).collect()
}

/// Records each of them, and holds it against what is usual; what is odd is added to the call's own alerts.
pub(super) fn record(cell: &Cell, call: &mut OpenRecord, called: &Called) {
    let mut total = Duration::ZERO;
    for seen in &called.jit {
        total += seen
            .end
            .as_ref()
            .map_or(seen.wall, |end| Duration::from_nanos(end.total_ns));
        let about = about(&call.about, seen);
        let Ok(record) = OpenRecord::begin(cell, Verb::Compile, about) else {
            // The call's own record, which is finished later, says so.
            continue;
        };
        let mut end = RunEnd::not_run(outcome(seen, called));
        end.usage = Usage {
            wall_ns: nanoseconds(seen.wall),
            cpu_ns: nanoseconds(seen.cpu),
            claimed: vec!["wall_ns".to_owned()],
            ..Usage::default()
        };
        let ended = record.end(end, |ended| {
            let arrays = seen.end.iter().flat_map(|end| &end.arguments);
            ended.report.arguments = arrays
                .map(|array| ArrayReport {
                    name: array.name.clone(),
                    dtype: array.dtype,
                    shape: array.shape.clone(),
                    blake3: None,
                })
                .collect();
        });
        call.about.spent.evidence.alerts.extend(ended.report.alerts);
    }
    if called.more_jit > 0 {
        call.about.spent.evidence.alerts.push(Alert {
            kind: AlertKind::RecompileStorm,
            message: format!(
                "{} compilations in one call, of which {} have no record of their own",
                called.jit.len() as u64 + called.more_jit,
                called.more_jit,
            ),
        });
    }
    call.about.spent.timings.compile_ns = nanoseconds(total);
}

fn outcome(seen: &JitSeen, called: &Called) -> Outcome {
    let failed = |message: &str| Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::KernelError, Blame::Guest, message)
    };
    match &seen.end {
        Some(end) if end.failed => failed("the compiler failed, by its own word"),
        Some(_) => Outcome::done(),
        None => match &called.end {
            Ok(_) => failed("it was not over when the call ended"),
            Err(_) => failed("the call was stopped before it was over"),
        },
    }
}

/// What is compiled, for whom: the function that was called, the compiler's own name of what it compiles behind it.
fn about(call: &About, seen: &JitSeen) -> About {
    let mut about = call.clone();
    about.run_id = new_run_id();
    let template = seen.end.as_ref().map_or("", |end| end.template.as_str());
    about.component.name = seen.system.name().to_owned();
    // One function that is compiled over and over is a storm; many that are compiled once each are none.
    let mut hasher = blake3::Hasher::new();
    if let Some(digest) = &call.component.digest {
        hasher.update(digest.as_bytes());
    }
    hasher.update(seen.system.name().as_bytes());
    hasher.update(seen.function.as_bytes());
    about.component.digest = Some(Digest::from_bytes(*hasher.finalize().as_bytes()));
    about.component.entry = match template.is_empty() {
        true => seen.function.clone(),
        false => format!("{}[{template}]", seen.function),
    };
    about.spent.evidence = crate::isolation::Evidence {
        guarded: call.spent.evidence.guarded.clone(),
        ..Default::default()
    };
    let phase = |name: &str| {
        let phases = seen.end.iter().flat_map(|end| &end.phases);
        let of_name = phases.filter(|(phase, _)| phase == name);
        of_name.fold(0, |sum: u64, (_, ns)| sum.saturating_add(*ns))
    };
    about.spent.timings = Timings {
        compile_ns: seen
            .end
            .as_ref()
            .map_or(nanoseconds(seen.wall), |end| end.total_ns),
        cache: seen.end.as_ref().map(|end| match end.cache {
            JitCache::Hit => CacheOutcome::Hit,
            JitCache::Miss | JitCache::None => CacheOutcome::Miss(end.why.clone()),
        }),
        compilation: Some(Compilation {
            describe_ns: phase("trace"),
            setup_ns: phase("lower"),
            compile_ns: phase("compile"),
            cpu_ns: nanoseconds(seen.cpu),
            ..Compilation::default()
        }),
        ..Timings::default()
    };
    about.observed = Default::default();
    about.allowance = Default::default();
    about
}

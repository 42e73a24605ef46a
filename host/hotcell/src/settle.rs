//! Settling a launch: what was asked, what happened and what was used become a report.

use crate::array::{Array, NamedArray};
use crate::bind::Bound;
use crate::isolation::{Evidence, Ran};
use crate::launch::Ended;
use crate::permit::{About, Permit};
use crate::request::Digests;
use hotcell_model::array::ArrayType;
use hotcell_model::digest::Digest;
use hotcell_model::job::{Finished, ResultArray, Source};
use hotcell_model::layer::Tier;
use hotcell_model::report::{ArrayReport, Count, OutcomeReport, Report, SCHEMA, Timings};
use std::time::Duration;

/// Puts together what was asked, what happened and what was used.
pub(crate) fn settle(permit: Permit, ran: Ran, prepared: Timings, required: Option<Tier>) -> Ended {
    let Permit {
        bound, mut about, ..
    } = permit;
    let mut finished = ran.finished;
    about.evidence.add(ran.evidence);
    let digests = about.digests;
    finished.timings = Timings {
        compile_ns: prepared.compile_ns,
        cache: prepared.cache,
        compilation: prepared.compilation,
        // A runner that had to be started for this launch loads too.
        load_ns: Count(
            prepared
                .load_ns
                .0
                .saturating_add(finished.timings.load_ns.0),
        ),
        ..finished.timings
    };
    let mut report = report(about, &finished, required);
    report.dims = bound
        .job
        .dims
        .iter()
        .map(|(name, extent)| (name.clone(), Count(*extent)))
        .collect();
    report.scalars = bound.job.scalars.iter().cloned().collect();
    let argument = |name: &str, array: &Array| ArrayReport {
        name: name.to_owned(),
        dtype: array.ty().dtype(),
        shape: array.ty().shape().to_vec(),
        blake3: digest(array.source(), digests),
    };
    report.arguments = bound
        .arguments
        .iter()
        .map(|(name, array)| argument(name, array))
        .collect();
    let results = name_results(&bound, std::mem::take(&mut finished.results));
    report.results = results
        .iter()
        .map(|result| argument(&result.name, &result.array))
        .collect();
    Ended {
        outcome: finished.outcome,
        report,
        results,
    }
}

/// Gives the bytes that came out their types.
fn name_results(bound: &Bound, results: Vec<ResultArray>) -> Vec<NamedArray> {
    let typed = |result: ResultArray| {
        let position = bound
            .job
            .arrays
            .iter()
            .position(|array| array.name == result.name)?;
        let ty: &ArrayType = &bound.types[position];
        let array = Array::from_source(ty.clone(), result.source).ok()?;
        Some(NamedArray {
            name: result.name,
            array,
        })
    };
    results.into_iter().filter_map(typed).collect()
}

/// The report of a launch, without its arguments.
pub(crate) fn report(about: About, finished: &Finished, required: Option<Tier>) -> Report {
    let walls = about.evidence.walls(required);
    let Evidence { alerts, .. } = about.evidence;
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
        timings: finished.timings.clone(),
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

/// A source's digest; `None` where none is wanted, or a file can no longer be read.
fn digest(source: &Source, digests: Digests) -> Option<Digest> {
    if digests == Digests::None {
        return None;
    }
    let hash = match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => blake3::hash(bytes),
        Source::File {
            file,
            offset_bytes,
            len_bytes,
        } => hash_file(file, *offset_bytes, *len_bytes).ok()?,
    };
    Some(Digest::from_bytes(*hash.as_bytes()))
}

fn hash_file(file: &std::fs::File, mut offset: u64, len: u64) -> std::io::Result<blake3::Hash> {
    use std::os::unix::fs::FileExt;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let end = offset + len;
    while offset < end {
        let want = usize::try_from(end - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        file.read_exact_at(&mut buffer[..want], offset)?;
        hasher.update(&buffer[..want]);
        offset += want as u64;
    }
    Ok(hasher.finalize())
}

/// A duration as reports count it.
pub(crate) fn nanoseconds(duration: Duration) -> Count {
    Count(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

//! Large arrays: into a runner and out of it, from the caller's memory and back to it.

use super::{Row, ratio};
use crate::launches::{Subject, request};
use crate::measure::{Contender, interleaved};
use anyhow::{Context, Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Cell, Metering, Request};
use hotcell_cases::Arguments;
use std::hint::black_box;
use std::time::Instant;

/// The size of one array.
const MIB: u64 = 64;

/// Measures `sum`, which reads one array, and `prefix_scan`, which reads one and writes one.
pub(crate) fn measure(quick: bool) -> Result<Vec<Row>> {
    let (in_process, confined) = (Cell::in_process().build()?, Cell::confined().build()?);
    let n = (MIB << 20) / 4;
    let mut rows = Vec::new();
    for (name, what) in [("sum", "in"), ("prefix_scan", "in and out")] {
        let subject = Subject::load(name)?;
        let arguments = subject.resized(name, &[("n", n)])?;
        let plain = request(&arguments, Metering::Fast)?;
        let shared = shared(&arguments, request(&arguments, Metering::Fast)?)?;
        let mut contenders = [
            launch(&in_process, &subject, &plain),
            launch(&confined, &subject, &shared),
            launch(&confined, &subject, &plain),
        ];
        let medians = interleaved(&mut contenders, if quick { 3 } else { 15 })?;
        let label = |how| format!("a launch of {name}, {MIB} MiB {what}, results read, {how}");
        rows.push(ratio(
            label("input in shared memory"),
            medians[0],
            medians[1],
        ));
        rows.push(ratio(
            label("input in the caller's memory"),
            medians[0],
            medians[2],
        ));
    }
    Ok(rows)
}

/// The request with its inputs where a runner can map them.
fn shared(arguments: &Arguments, mut request: Request) -> Result<Request> {
    for input in arguments.inputs() {
        let array = Array::shared(input.ty.clone(), |memory| {
            memory.copy_from_slice(input.data.bytes());
            Ok(())
        })?;
        request = request.input(&input.name, array);
    }
    Ok(request)
}

/// A launch, with its results copied out as a caller would who goes on computing.
fn launch<'a>(cell: &'a Cell, subject: &'a Subject, request: &'a Request) -> Contender<'a> {
    let mut copy = vec![1; usize::try_from(MIB << 20).unwrap_or(0)];
    Box::new(move || {
        let began = Instant::now();
        let ended = cell.run(&subject.component, request.clone());
        ensure!(
            ended.outcome.kind == OutcomeKind::Done,
            "{}",
            ended.outcome.message
        );
        for result in &ended.results {
            let bytes = result.array.bytes().context("a result in memory")?;
            copy[..bytes.len()].copy_from_slice(bytes);
        }
        black_box(&copy);
        Ok(began.elapsed())
    })
}

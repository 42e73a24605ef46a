//! `deterministic`: the same inputs give the same bytes and the same fuel, whatever the threads.
//!
//! Twenty runs through the library. Where a listed size takes more than [`QUICK`], the runs are on
//! one whose dimensions are [`SMALLER`] instead; the listed size then still runs twice, with one thread
//! and with two.

use anyhow::{Context, Result, ensure};
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::report::Report;
use hotcell::{Array, Cell, Component, Ended, Metering, Request};
use hotcell_cases::{Arguments, Case, Level, Twin};
use std::time::{Duration, Instant};

/// The runs of each case.
const RUNS: usize = 20;
/// How long a run of a listed size may take for all twenty to be on it.
const QUICK: Duration = Duration::from_millis(100);
/// Dimensions for the cases that take longer: each gives at least two chunks where the kernel is cut.
const SMALLER: [(&str, &[(&str, u64)]); 12] = [
    ("dot", &[("n", 1 << 20)]),
    ("sum", &[("n", 1 << 20)]),
    ("edges", &[("h", 270), ("w", 480)]),
    ("fft", &[("n", 1 << 13)]),
    ("gemm", &[("m", 160), ("k", 192), ("n", 144)]),
    ("julia", &[("t", 4), ("h", 160), ("w", 320)]),
    ("monte_carlo", &[("blocks", 16)]),
    ("mpm88", &[("n", 1024)]),
    ("prefix_scan", &[("n", 1 << 18)]),
    ("radix_sort", &[("n", 1 << 17)]),
    ("sha256", &[("n", 1 << 19)]),
    ("softmax", &[("n", 16), ("h", 4), ("r", 64)]),
];

#[test]
fn every_kernel_gives_the_same_bytes_and_fuel_in_twenty_runs() {
    let cell = Cell::in_process().build().unwrap();
    for kernel in hotcell_cases::kernels().unwrap() {
        check(&cell, &kernel).unwrap_or_else(|error| panic!("{kernel}: {error:#}"));
    }
}

fn check(cell: &Cell, kernel: &str) -> Result<()> {
    let component = Component::read(hotcell_cases::component(kernel))?;
    let twin = Twin::load(kernel, Level::Baseline)?;
    for case in Case::load(kernel)? {
        let entry = twin.manifest().kernel(&case.entry).context("the entry")?;
        let arguments = case.arguments(kernel, entry)?;
        let listed = repeat(cell, &component, &arguments, 2);
        let took = listed.with_context(|| case.name.clone())?;
        let arguments = match took > QUICK {
            true => smaller(kernel, case.clone()).arguments(kernel, entry)?,
            false => arguments,
        };
        repeat(cell, &component, &arguments, RUNS).with_context(|| case.name.clone())?;
    }
    Ok(())
}

/// The case with the dimensions that [`SMALLER`] has for its kernel.
fn smaller(kernel: &str, mut case: Case) -> Case {
    let known = SMALLER.iter().find(|(known, _)| *known == kernel);
    for (name, extent) in known.map_or(&[][..], |(_, dims)| dims) {
        if let Some(dim) = case.dims.get_mut(*name) {
            *dim = *extent;
        }
    }
    case
}

/// Runs `runs` times, with one thread and two by turns; how long the shortest run took.
fn repeat(
    cell: &Cell,
    component: &Component,
    arguments: &Arguments,
    runs: usize,
) -> Result<Duration> {
    let mut first: Option<Ended> = None;
    let mut shortest = Duration::MAX;
    for run in 0..runs {
        let began = Instant::now();
        let ended = cell.run(component, request(arguments)?.threads(1 + run % 2));
        shortest = shortest.min(began.elapsed());
        ensure!(
            ended.outcome.kind == OutcomeKind::Done,
            "{}",
            ended.outcome.message
        );
        let Some(first) = &first else {
            check_foretold(&ended.report)?;
            first = Some(ended);
            continue;
        };
        let (fuel, wanted) = (ended.report.usage.fuel_used, first.report.usage.fuel_used);
        ensure!(
            fuel == wanted,
            "run {run} used {fuel:?}, the first one {wanted:?}"
        );
        for (result, wanted) in ended.results.iter().zip(&first.results) {
            let is_same = result.array.bytes() == wanted.array.bytes();
            ensure!(is_same, "run {run} gave other bytes for `{}`", result.name);
        }
    }
    Ok(shortest)
}

/// A launch takes no less and no more fuel than its kernel's code says.
fn check_foretold(report: &Report) -> Result<()> {
    let fuel = report.usage.fuel_used.context("fuel is counted")?;
    let foretold = report.foretold.context("something is foretold")?;
    ensure!(
        foretold.at_least <= fuel && foretold.at_most.is_none_or(|most| fuel <= most),
        "{fuel} units of fuel were taken, and this foretold: {foretold:?}"
    );
    Ok(())
}

fn request(arguments: &Arguments) -> Result<Request> {
    let mut request = Request::new()
        .entry(arguments.kernel.name())
        .metering(Metering::Deterministic)
        .digests(hotcell::Digests::None)
        .limit(Limit::Timeout, 120_000_000_000)
        .limit(Limit::CpuTime, 240_000_000_000)
        // Enough for the chunks of two threads, so that none has to wait for memory.
        .limit(Limit::Memory, 1 << 30);
    for (name, extent) in &arguments.dims {
        request = request.dim(name, *extent);
    }
    for (name, value) in &arguments.scalars {
        request = request.scalar(name, *value);
    }
    for input in arguments.inputs() {
        let bytes = input.data.bytes().to_vec();
        request = request.input(&input.name, Array::new(input.ty.clone(), bytes)?);
    }
    Ok(request)
}

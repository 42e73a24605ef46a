//! Arrays into and out of the guest against memcpy.
//!
//! `sum` reads one array and writes a number: its call less its body is the copy in. `prefix_scan` reads
//! one and writes one of the same size: what its call takes beyond body and copy in is the copy out,
//! which always goes to pages that were never touched. A pool that keeps nothing resident gives the
//! guest fresh pages; one that keeps everything gives it warm ones, and resets them afterwards.

use crate::launches::{Subject, request, run};
use crate::measure::{Contender, interleaved};
use crate::table::{self, bandwidth, ratio, time};
use anyhow::Result;
use hotcell::report::Report;
use hotcell::{Cell, Metering, Request};
use serde::Serialize;
use serde_json::Value;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Blocks at least this large come from the operating system and go back to it, whatever was freed
/// before: the allocator's threshold never grows above 32 MiB.
const ALWAYS_MAPPED_BYTES: usize = 64 << 20;

/// Medians for one size, in seconds.
#[derive(Serialize)]
struct Row {
    bytes: u64,
    memcpy_fresh: f64,
    memcpy_warm: f64,
    in_fresh: f64,
    in_warm: f64,
    out_fresh: f64,
    /// From the end of the call to the end of the launch, in a pool that keeps its pages.
    reset_warm: f64,
    /// The same in a pool that gives them back.
    reset_fresh: f64,
}

/// Measures 16, 64 and 256 MiB.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let (sum, scan) = (Subject::load("sum")?, Subject::load("prefix_scan")?);
    let fresh = Cell::in_process_with_slots(2, 0).build()?;
    let warm = Cell::in_process_with_slots(2, 1 << 30).build()?;
    let mut rows = Vec::new();
    for mib in [16_u64, 64, 256] {
        let n = (mib << 20) / 4;
        let sums = request(&sum.resized("sum", &[("n", n)])?, Metering::Fast)?;
        let scans = request(&scan.resized("prefix_scan", &[("n", n)])?, Metering::Fast)?;
        let measured = Measured {
            sum: &sum,
            scan: &scan,
            sums: &sums,
            scans: &scans,
        };
        rows.push(row(
            mib << 20,
            &fresh,
            &warm,
            &measured,
            if quick { 3 } else { 9 },
        )?);
    }
    print(&rows);
    Ok(serde_json::to_value(rows)?)
}

struct Measured<'a> {
    sum: &'a Subject,
    scan: &'a Subject,
    sums: &'a Request,
    scans: &'a Request,
}

fn row(
    bytes: u64,
    fresh: &Cell,
    warm: &Cell,
    of: &Measured<'_>,
    repetitions: usize,
) -> Result<Row> {
    let len = usize::try_from(bytes)?;
    let source = vec![7_u8; len];
    let mut destination = vec![1_u8; len];
    let sum = |cell, what: fn(&Report) -> u64| taken(cell, of.sum, of.sums, what);
    let scan = |cell, what: fn(&Report) -> u64| taken(cell, of.scan, of.scans, what);
    let mut contenders: [Contender<'_>; 7] = [
        Box::new(|| Ok(copy_to_fresh(&source))),
        Box::new(|| {
            let began = Instant::now();
            destination.copy_from_slice(black_box(&source));
            black_box(&destination);
            Ok(began.elapsed())
        }),
        sum(fresh, copies),
        sum(warm, copies),
        scan(warm, copies),
        sum(warm, after),
        sum(fresh, after),
    ];
    let medians = interleaved(&mut contenders, repetitions)?;
    Ok(Row {
        bytes,
        memcpy_fresh: medians[0],
        memcpy_warm: medians[1],
        in_fresh: medians[2],
        in_warm: medians[3],
        out_fresh: medians[4] - medians[3],
        reset_warm: medians[5],
        reset_fresh: medians[6],
    })
}

/// A figure of a launch's report.
fn taken<'a>(
    cell: &'a Cell,
    subject: &'a Subject,
    request: &'a Request,
    what: fn(&Report) -> u64,
) -> Contender<'a> {
    Box::new(move || {
        Ok(Duration::from_nanos(what(&run(
            cell,
            &subject.component,
            request,
        )?)))
    })
}

/// What a call takes beside its body.
fn copies(report: &Report) -> u64 {
    report
        .timings
        .call_ns
        .saturating_sub(report.timings.body_ns)
}

/// What a launch takes beside instantiating and calling.
fn after(report: &Report) -> u64 {
    let timings = &report.timings;
    report
        .usage
        .wall_ns
        .saturating_sub(timings.instantiate_ns + timings.call_ns)
}

fn copy_to_fresh(source: &[u8]) -> Duration {
    let mut fresh: Vec<u8> = Vec::with_capacity(source.len().max(ALWAYS_MAPPED_BYTES));
    let began = Instant::now();
    fresh.extend_from_slice(black_box(source));
    black_box(&fresh);
    began.elapsed()
}

fn print(rows: &[Row]) {
    let cells = rows.iter().map(|row| {
        vec![
            format!("{} MiB", row.bytes >> 20),
            bandwidth(row.bytes, row.memcpy_fresh),
            bandwidth(row.bytes, row.in_fresh),
            ratio(row.memcpy_fresh / row.in_fresh),
            bandwidth(row.bytes, row.out_fresh),
            ratio(row.memcpy_fresh / row.out_fresh),
            bandwidth(row.bytes, row.memcpy_warm),
            bandwidth(row.bytes, row.in_warm),
            ratio(row.memcpy_warm / row.in_warm),
            time(row.reset_fresh),
            time(row.reset_warm),
        ]
    });
    let columns = [
        "array",
        "memcpy, fresh",
        "in, fresh",
        "of memcpy",
        "out, fresh",
        "of memcpy",
        "memcpy, warm",
        "in, warm",
        "of memcpy",
        "reset, fresh",
        "reset, warm",
    ];
    table::print("Copies", &columns, &cells.collect::<Vec<_>>());
}

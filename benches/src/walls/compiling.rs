//! Compiling in a process of its own, and beside a tenant who burns a core.

use super::{Row, added, ratio};
use crate::launches::Subject;
use crate::measure::{interleaved, median};
use anyhow::Result;
use hotcell::limit::{Limit, Limits};
use hotcell::manifest::Weight;
use hotcell::{Cell, Component, Metering, Request};
use hotcell_compiler::{Compiler, Parallelism};
use std::cell::Cell as Counter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Compilations beside the burner.
const HONEST: usize = 50;

/// Measures both.
pub(crate) fn measure(quick: bool) -> Result<Vec<Row>> {
    let subject = Subject::load("saxpy")?;
    let cell = Cell::confined().build()?;
    Ok(vec![
        alone_on_the_machine(&cell, &subject, if quick { 3 } else { 31 })?,
        beside_a_burner(&cell, &subject, if quick { 5 } else { HONEST })?,
    ])
}

/// saxpy, against a compiler with one thread in this process.
fn alone_on_the_machine(cell: &Cell, subject: &Subject, repetitions: usize) -> Result<Row> {
    let limits = Limits::defaults(Weight::Normal);
    let compiler = Compiler::new(Metering::Strict, Parallelism::OneThread)?;
    let tenants = Counter::new(0);
    let medians = interleaved(
        &mut [
            Box::new(|| {
                let began = Instant::now();
                compiler.compile(subject.component.bytes(), &limits)?;
                Ok(began.elapsed())
            }),
            Box::new(|| {
                tenants.set(tenants.get() + 1);
                // A spare compiler had the time to come up, as between most launches.
                std::thread::sleep(Duration::from_millis(20));
                compile(
                    cell,
                    &subject.component,
                    &format!("alone-{}", tenants.get()),
                )
            }),
        ],
        repetitions,
    )?;
    let label = "compiling saxpy, one thread";
    Ok(added(label, medians[0], medians[1]))
}

/// How long a compilation takes for a tenant who has not had this component yet.
fn compile(cell: &Cell, component: &Component, tenant: &str) -> Result<Duration> {
    let tenant = tenant.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    let request = Request::new().tenant(tenant);
    let timings = cell.prepare_only(component, &request);
    let timings = timings.map_err(|outcome| anyhow::anyhow!("{}", outcome.message))?;
    Ok(Duration::from_nanos(timings.compile_ns))
}

/// Honest compilations while another tenant compiles without a pause.
fn beside_a_burner(cell: &Cell, subject: &Subject, count: usize) -> Result<Row> {
    let quiet = honest(cell, subject, "quiet", count)?;
    let is_over = AtomicBool::new(false);
    let burnt = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                burn(cell, number);
            }
        });
        std::thread::sleep(Duration::from_millis(200));
        let burnt = honest(cell, subject, "beside", count);
        is_over.store(true, Ordering::Relaxed);
        burnt
    })?;
    let label = format!(
        "{count} compilations of saxpy, alone and beside a tenant who compiles without a pause"
    );
    let mut row = ratio(label, quiet, burnt);
    row.compared = format!("{:+.0} %", (burnt / quiet - 1.0) * 100.0);
    Ok(row)
}

fn honest(cell: &Cell, subject: &Subject, name: &str, count: usize) -> Result<f64> {
    let mut times = Vec::new();
    for number in 0..count {
        let took = compile(cell, &subject.component, &format!("{name}-{number}"))?;
        times.push(took.as_secs_f64());
    }
    Ok(median(&mut times))
}

/// One more compilation of the burner's: a component that is never the same.
fn burn(cell: &Cell, number: u64) {
    let Ok(subject) = Subject::load("gemm") else {
        return;
    };
    // A custom section of its own makes it another component.
    let mut bytes = subject.component.bytes().to_vec();
    bytes.extend([0, 9, 0]);
    bytes.extend(number.to_le_bytes());
    let Ok(tenant) = "burner".parse() else {
        return;
    };
    let request = Request::new()
        .tenant(tenant)
        .limit(Limit::CompileWall, 5_000_000_000);
    let _ = cell.prepare_only(&Component::new(bytes), &request);
}

//! Compile time per KiB of code.

use crate::launches::names;
use crate::measure::{Contender, geomean, interleaved};
use crate::table::{self, time};
use anyhow::{Context, Result};
use hotcell::limit::Limits;
use hotcell::manifest::Weight;
use hotcell::{Cell, Component, Metering};
use hotcell_compiler::{Compiler, Parallelism};
use serde::Serialize;
use serde_json::Value;
use std::time::Instant;

/// Medians for one component, in seconds.
#[derive(Serialize)]
struct Row {
    kernel: String,
    code_bytes: u64,
    one_thread: f64,
    all_cores: f64,
}

/// Measures the kernels of those names, or all.
pub(crate) fn measure(asked: &[String], quick: bool) -> Result<Value> {
    let cell = Cell::in_process().build()?;
    let limits = Limits::defaults(Weight::Normal);
    let compilers = [Parallelism::OneThread, Parallelism::AllCores];
    let [one, all] = compilers.map(|parallelism| Compiler::new(Metering::Strict, parallelism));
    let (one, all) = (one?, all?);
    let mut rows = Vec::new();
    for kernel in names(asked)? {
        let component = Component::read(hotcell_cases::component(&kernel))?;
        let description = cell.describe(&component, &limits);
        let description = description
            .ok()
            .with_context(|| format!("{kernel} is refused"))?;
        let timed = |compiler: &Compiler| -> Result<_> {
            let began = Instant::now();
            compiler.compile(component.bytes(), &limits)?;
            Ok(began.elapsed())
        };
        let mut contenders: [Contender<'_>; 2] =
            [Box::new(|| timed(&one)), Box::new(|| timed(&all))];
        let medians = interleaved(&mut contenders, if quick { 1 } else { 5 })?;
        rows.push(Row {
            kernel,
            code_bytes: description.counts.code_bytes,
            one_thread: medians[0],
            all_cores: medians[1],
        });
    }
    print(&rows);
    Ok(serde_json::to_value(rows)?)
}

fn print(rows: &[Row]) {
    let kib = |row: &Row| row.code_bytes as f64 / 1024.0;
    let cells = rows.iter().map(|row| {
        vec![
            row.kernel.clone(),
            format!("{:.1} KiB", kib(row)),
            time(row.one_thread),
            time(row.one_thread / kib(row)),
            time(row.all_cores),
            time(row.all_cores / kib(row)),
        ]
    });
    let mean = |of: fn(&Row) -> f64| {
        let per_kib: Vec<f64> = rows.iter().map(|row| of(row) / kib(row)).collect();
        time(geomean(&per_kib))
    };
    let (one, all) = (mean(|row| row.one_thread), mean(|row| row.all_cores));
    let means = vec![
        "geomean".to_owned(),
        String::new(),
        String::new(),
        one,
        String::new(),
        all,
    ];
    let columns = [
        "component",
        "code",
        "one thread",
        "per KiB",
        "all cores",
        "per KiB",
    ];
    table::print(
        "Compiling, strict",
        &columns,
        &cells.chain([means]).collect::<Vec<_>>(),
    );
}

//! Every kernel at its listed sizes: its body and the whole launch, against its native twins.

use crate::bare::{Bare, BareLaunch, Checks};
use crate::launches::{Subject, names, request, run};
use crate::measure::{Contender, geomean, interleaved};
use crate::table::{self, percent, ratio, time};
use anyhow::{Context, Result};
use hotcell::{Cell, Metering, Request};
use hotcell_cases::{Arguments, Case, Twin};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Medians of one case, in seconds.
#[derive(Serialize)]
struct Row {
    kernel: String,
    case: String,
    is_split: bool,
    native_baseline: f64,
    native_cpu: f64,
    unmetered_body: f64,
    fast_body: f64,
    strict_body: f64,
    deterministic_body: f64,
    fast_launch: f64,
    strict_launch: f64,
    fast_launch_two_threads: f64,
}

/// Measures the kernels of those names, or all.
pub(crate) fn measure(asked: &[String], quick: bool) -> Result<Value> {
    let cell = Cell::in_process().build()?;
    let mut rows = Vec::new();
    for name in names(asked)? {
        let subject = Subject::load(&name)?;
        let bare = Bare::load(subject.component.bytes(), Checks::None)?;
        for case in Case::load(&name)? {
            eprintln!("{name} {}", case.name);
            rows.push(row(&cell, &subject, &bare, &case, quick).with_context(|| name.clone())?);
        }
    }
    print(&rows);
    Ok(serde_json::to_value(rows)?)
}

fn row(cell: &Cell, subject: &Subject, bare: &Bare, case: &Case, quick: bool) -> Result<Row> {
    let arguments = subject.arguments(case)?;
    let launch = BareLaunch::new(&arguments)?;
    let requests = Metering::ALL.map(|metering| request(&arguments, metering));
    let [fast, strict, deterministic] = requests;
    let (fast, strict, deterministic) = (fast?, strict?, deterministic?);
    let two_threads = fast.clone().threads(2);
    let body = |request| -> Contender<'_> {
        Box::new(move || {
            let report = run(cell, &subject.component, request)?;
            Ok(Duration::from_nanos(report.timings.body_ns))
        })
    };
    let whole = |request| -> Contender<'_> { Box::new(move || timed(cell, subject, request)) };
    let mut contenders = [
        native(&subject.baseline, &arguments),
        native(&subject.native, &arguments),
        Box::new(|| Ok(bare.run(&launch)?.body)),
        body(&fast),
        body(&strict),
        body(&deterministic),
        whole(&fast),
        whole(&strict),
        whole(&two_threads),
    ];
    let repetitions = repetitions(&mut contenders[3], quick)?;
    let medians = interleaved(&mut contenders, repetitions)?;
    Ok(Row {
        kernel: subject.name.clone(),
        case: case.name.clone(),
        is_split: arguments.kernel.split().is_some(),
        native_baseline: medians[0],
        native_cpu: medians[1],
        unmetered_body: medians[2],
        fast_body: medians[3],
        strict_body: medians[4],
        deterministic_body: medians[5],
        fast_launch: medians[6],
        strict_launch: medians[7],
        fast_launch_two_threads: medians[8],
    })
}

/// As many as take a few seconds for all contenders, but an odd number from 5 to 51.
fn repetitions(contender: &mut Contender<'_>, quick: bool) -> Result<usize> {
    contender()?;
    let began = Instant::now();
    contender()?;
    let took = began.elapsed().as_micros().max(1);
    let fit = usize::try_from(250_000 / took).unwrap_or(usize::MAX);
    Ok(if quick { 3 } else { fit.clamp(5, 51) | 1 })
}

/// The twin on arguments of its own. What a run changes of its inputs is put back outside the time.
fn native<'a>(twin: &'a Twin, arguments: &'a Arguments) -> Contender<'a> {
    let mut mine = arguments.clone();
    Box::new(move || {
        for (mine, given) in mine.arrays.iter_mut().zip(&arguments.arrays) {
            if mine.role.is_read() && mine.role.is_written() {
                mine.data.bytes_mut().copy_from_slice(given.data.bytes());
            }
        }
        let began = Instant::now();
        twin.run(&mut mine)?;
        Ok(began.elapsed())
    })
}

/// A launch from request to results.
fn timed(cell: &Cell, subject: &Subject, request: &Request) -> Result<Duration> {
    let began = Instant::now();
    run(cell, &subject.component, request)?;
    Ok(began.elapsed())
}

fn print(rows: &[Row]) {
    let name = |row: &Row| format!("{} {}", row.kernel, row.case);
    let bodies = rows.iter().map(|row| {
        vec![
            name(row),
            time(row.native_baseline),
            ratio(row.native_cpu / row.native_baseline),
            ratio(row.unmetered_body / row.native_baseline),
            ratio(row.fast_body / row.native_baseline),
            ratio(row.strict_body / row.native_baseline),
            ratio(row.deterministic_body / row.native_baseline),
            ratio(row.fast_body / row.native_cpu),
            percent(row.fast_body / row.unmetered_body),
            percent(row.strict_body / row.unmetered_body),
        ]
    });
    let mean = |of: fn(&Row) -> f64| geomean(&rows.iter().map(of).collect::<Vec<_>>());
    let means = vec![
        "geomean".to_owned(),
        String::new(),
        ratio(mean(|row| row.native_cpu / row.native_baseline)),
        ratio(mean(|row| row.unmetered_body / row.native_baseline)),
        ratio(mean(|row| row.fast_body / row.native_baseline)),
        ratio(mean(|row| row.strict_body / row.native_baseline)),
        ratio(mean(|row| row.deterministic_body / row.native_baseline)),
        ratio(mean(|row| row.fast_body / row.native_cpu)),
        percent(mean(|row| row.fast_body / row.unmetered_body)),
        percent(mean(|row| row.strict_body / row.unmetered_body)),
    ];
    let columns = [
        "body",
        "native",
        "native CPU",
        "unmetered",
        "fast",
        "strict",
        "determ.",
        "fast : CPU",
        "fast costs",
        "strict costs",
    ];
    table::print(
        "Kernels: the body against the native baseline, one thread",
        &columns,
        &bodies.chain([means]).collect::<Vec<_>>(),
    );
    let launches = rows.iter().map(|row| {
        let two = match row.is_split {
            true => time(row.fast_launch_two_threads),
            false => "–".to_owned(),
        };
        vec![
            name(row),
            time(row.native_baseline),
            time(row.fast_launch),
            ratio(row.fast_launch / row.native_baseline),
            time(row.strict_launch),
            ratio(row.strict_launch / row.native_baseline),
            two,
        ]
    });
    let columns = [
        "launch, copies included",
        "native",
        "fast",
        ": native",
        "strict",
        ": native",
        "fast, 2 threads",
    ];
    table::print(
        "Kernels: end to end",
        &columns,
        &launches.collect::<Vec<_>>(),
    );
}

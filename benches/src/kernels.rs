//! Every kernel at its listed sizes: its body and the whole launch, against its native twins.

use crate::bare::{Bare, BareLaunch, Checks};
use crate::launches::{Subject, names, request, run};
use crate::measure::{Contender, Took, geomean, rotated};
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
    /// End to end, in one process.
    native: Took,
    in_process: Took,
    confined: Took,
    /// Confined, with every array copied.
    confined_copied: Took,
    confined_two_threads: Took,
}

/// The cells that launches are measured in.
struct Cells {
    in_process: Cell,
    confined: Cell,
    copying: Cell,
}

/// Measures the kernels of those names, or all.
pub(crate) fn measure(asked: &[String], quick: bool) -> Result<Value> {
    let cells = Cells {
        in_process: Cell::in_process().build()?,
        confined: Cell::confined().build()?,
        copying: Cell::confined().without_mapping().build()?,
    };
    let mut rows = Vec::new();
    for name in names(asked)? {
        let subject = Subject::load(&name)?;
        let bare = Bare::load(subject.component.bytes(), Checks::None)?;
        for case in Case::load(&name)? {
            eprintln!("{name} {}", case.name);
            rows.push(row(&cells, &subject, &bare, &case, quick).with_context(|| name.clone())?);
        }
    }
    print(&rows);
    Ok(serde_json::to_value(rows)?)
}

fn row(cells: &Cells, subject: &Subject, bare: &Bare, case: &Case, quick: bool) -> Result<Row> {
    let arguments = subject.arguments(case)?;
    let launch = BareLaunch::new(&arguments)?;
    let requests = Metering::ALL.map(|metering| request(&arguments, metering));
    let [fast, strict, deterministic] = requests;
    let (fast, strict, deterministic) = (fast?, strict?, deterministic?);
    let two_threads = strict.clone().threads(2);
    let Cells {
        in_process: cell,
        confined,
        copying,
    } = cells;
    let body = |request| -> Contender<'_> {
        Box::new(move || {
            let report = run(cell, &subject.component, request)?;
            Ok(Duration::from_nanos(report.timings.body_ns))
        })
    };
    let whole =
        |cell, request| -> Contender<'_> { Box::new(move || timed(cell, subject, request)) };
    let mut contenders = [
        native(&subject.baseline, &arguments),
        native(&subject.native, &arguments),
        Box::new(|| Ok(bare.run(&launch)?.body)),
        body(&fast),
        body(&strict),
        body(&deterministic),
        whole(cell, &strict),
        whole(confined, &strict),
        whole(copying, &strict),
        whole(confined, &two_threads),
    ];
    let repetitions = repetitions(&mut contenders[3], quick)?;
    let took = rotated(&mut contenders, repetitions)?;
    let medians: Vec<f64> = took.iter().map(|took| took.median).collect();
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
        native: took[0],
        in_process: took[6],
        confined: took[7],
        confined_copied: took[8],
        confined_two_threads: took[9],
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

/// The twin on arguments of its own, behind another run of the same. What a run changes of its inputs is put back
/// outside the time.
fn native<'a>(twin: &'a Twin, arguments: &'a Arguments) -> Contender<'a> {
    let mut mine = arguments.clone();
    let mut once = move || -> Result<Duration> {
        for (mine, given) in mine.arrays.iter_mut().zip(&arguments.arrays) {
            if mine.role.is_read() && mine.role.is_written() {
                mine.data.bytes_mut().copy_from_slice(given.data.bytes());
            }
        }
        let began = Instant::now();
        twin.run(&mut mine)?;
        Ok(began.elapsed())
    };
    Box::new(move || {
        once()?;
        once()
    })
}

/// A launch from request to results, behind another of the same: what a contender leaves asleep, cold or still to do in
/// the background is not the next one's to pay for.
fn timed(cell: &Cell, subject: &Subject, request: &Request) -> Result<Duration> {
    run(cell, &subject.component, request)?;
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
    print_launches(rows);
}

/// End to end, in `strict`, with inputs and outputs where a caller has them.
fn print_launches(rows: &[Row]) {
    let against = |took: fn(&Row) -> Took| move |row: &Row| took(row).median / row.native.median;
    let confined = against(|row| row.confined);
    let copied = against(|row| row.confined_copied);
    let in_process = against(|row| row.in_process);
    let launches = rows.iter().map(|row| {
        let two = match row.is_split {
            true => time(row.confined_two_threads.median),
            false => "–".to_owned(),
        };
        vec![
            format!("{} {}", row.kernel, row.case),
            time(row.native.median),
            time(row.confined.median),
            ratio(confined(row)),
            ratio(row.confined.best / row.native.best),
            time(row.confined_copied.median),
            ratio(copied(row)),
            time(row.in_process.median),
            ratio(in_process(row)),
            two,
        ]
    });
    let mean = |of: &dyn Fn(&Row) -> f64| ratio(geomean(&rows.iter().map(of).collect::<Vec<_>>()));
    let means = vec![
        "geomean".to_owned(),
        String::new(),
        String::new(),
        mean(&confined),
        mean(&|row| row.confined.best / row.native.best),
        String::new(),
        mean(&copied),
        String::new(),
        mean(&in_process),
        String::new(),
    ];
    let columns = [
        "launch, strict",
        "native in place",
        "confined",
        ": native",
        "best : best",
        "copied",
        ": native",
        "in process",
        ": native",
        "confined, 2 threads",
    ];
    table::print(
        "Kernels: end to end",
        &columns,
        &launches.chain([means]).collect::<Vec<_>>(),
    );
}

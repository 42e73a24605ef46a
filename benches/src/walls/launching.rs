//! A warm launch of a tiny kernel, a long-running kernel's body, and how soon a cancel is over.

use super::{Row, added, alone, ratio};
use crate::launches::{Subject, request, run};
use crate::measure::{Contender, interleaved, median};
use anyhow::{Context, Result, ensure};
use hotcell::manifest::ScalarValue;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Metering, Request};
use std::time::{Duration, Instant};

/// Between launches that are spaced.
const SPACE: Duration = Duration::from_millis(2);
/// How long a kernel spins before it is cancelled.
const SPINNING: Duration = Duration::from_millis(20);

/// Both sides of a comparison.
struct Sides {
    in_process: Cell,
    confined: Cell,
}

impl Sides {
    fn new() -> Result<Self> {
        Ok(Self {
            in_process: Cell::in_process().build()?,
            confined: Cell::confined().build()?,
        })
    }
}

/// Measures all of them.
pub(crate) fn measure(quick: bool) -> Result<Vec<Row>> {
    let sides = Sides::new()?;
    let mut rows = tiny(&sides, if quick { 51 } else { 1001 })?;
    rows.push(same_cpu(quick)?);
    rows.push(body(&sides, if quick { 3 } else { 15 })?);
    rows.push(cancel(&sides.confined, if quick { 5 } else { 51 })?);
    Ok(rows)
}

/// saxpy of 1024 elements, back to back and spaced.
fn tiny(sides: &Sides, repetitions: usize) -> Result<Vec<Row>> {
    let subject = Subject::load("saxpy")?;
    let request = request(&subject.resized("saxpy", &[("n", 1024)])?, Metering::Strict)?;
    let mut rows = Vec::new();
    for (label, pause) in [("back to back", None), ("with 2 ms between", Some(SPACE))] {
        let timed = |cell| launch(cell, &subject, &request, pause);
        // Not in turns: launches of the other side would be the space between.
        let [in_process] = &medians([timed(&sides.in_process)], repetitions)?;
        let [confined] = &medians([timed(&sides.confined)], repetitions)?;
        rows.push(added(
            format!("a launch of saxpy, 1024 elements, {label}"),
            *in_process,
            *confined,
        ));
    }
    Ok(rows)
}

fn medians<const N: usize>(
    mut contenders: [Contender<'_>; N],
    repetitions: usize,
) -> Result<[f64; N]> {
    let medians = interleaved(&mut contenders, repetitions)?;
    <[f64; N]>::try_from(medians).map_err(|_| anyhow::anyhow!("a median for each"))
}

fn launch<'a>(
    cell: &'a Cell,
    subject: &'a Subject,
    request: &'a Request,
    pause: Option<Duration>,
) -> Contender<'a> {
    Box::new(move || {
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        let began = Instant::now();
        run(cell, &subject.component, request)?;
        Ok(began.elapsed())
    })
}

/// The same where this process and its workers share one CPU: measured by a process of its own.
fn same_cpu(quick: bool) -> Result<Row> {
    let mut pinned = std::process::Command::new(std::env::current_exe()?);
    pinned.args(["--same-cpu"]).args(quick.then_some("--quick"));
    let output = pinned.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("two numbers")?.context("a number");
    Ok(added(
        "the same, caller and runner on one CPU, back to back",
        next()?,
        next()?,
    ))
}

/// Prints the two medians of [`same_cpu`].
pub(crate) fn measure_same_cpu(quick: bool) -> Result<()> {
    let mut one = rustix::thread::CpuSet::new();
    one.set(0);
    rustix::thread::sched_setaffinity(None, &one)?;
    let rows = tiny(&Sides::new()?, if quick { 51 } else { 1001 })?;
    println!("{} {}", rows[0].in_process.unwrap_or(0.0), rows[0].confined);
    Ok(())
}

/// The kernel's own work: gemm of 512.
fn body(sides: &Sides, repetitions: usize) -> Result<Row> {
    let subject = Subject::load("gemm")?;
    let dims = [("m", 512), ("k", 512), ("n", 512)];
    let request = request(&subject.resized("gemm", &dims)?, Metering::Strict)?;
    let timed = |cell| -> Contender<'_> {
        let (subject, request) = (&subject, &request);
        Box::new(move || {
            let report = run(cell, &subject.component, request)?;
            Ok(Duration::from_nanos(report.timings.body_ns))
        })
    };
    let [in_process, confined] = medians(
        [timed(&sides.in_process), timed(&sides.confined)],
        repetitions,
    )?;
    Ok(ratio(
        "the body of gemm, n = 512, strict",
        in_process,
        confined,
    ))
}

/// From a cancel to the launch's end, for a kernel that spins.
fn cancel(cell: &Cell, repetitions: usize) -> Result<Row> {
    let subject = Subject::load("jacobi_2d")?;
    let mut arguments = subject.resized("jacobi_2d", &[("h", 64), ("w", 64)])?;
    for (name, value) in &mut arguments.scalars {
        if name == "steps" {
            *value = ScalarValue::U32(u32::MAX);
        }
    }
    let request = request(&arguments, Metering::Strict)?;
    let mut times = Vec::new();
    for _ in 0..repetitions {
        let launch = cell.start(&subject.component, request.clone());
        let launch = launch.map_err(|ended| anyhow::anyhow!("{}", ended.outcome.message))?;
        std::thread::sleep(SPINNING);
        let began = Instant::now();
        launch.cancel();
        let ended = launch.wait();
        times.push(began.elapsed().as_secs_f64());
        ensure!(
            ended.outcome.kind == OutcomeKind::Cancelled,
            "{}",
            ended.outcome.message
        );
    }
    Ok(alone(
        "from a cancel to the end of a spinning kernel",
        median(&mut times),
    ))
}

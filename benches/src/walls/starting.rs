//! Starting runners and ending them.

use super::{Row, alone};
use crate::launches::{Subject, request};
use crate::measure::median;
use anyhow::{Context, Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::report::CacheOutcome;
use hotcell::{Cell, Metering, Places};
use hotcell_sandbox::process::WorkerCommand;
use std::path::Path;
use std::time::{Duration, Instant};

/// Measures a runner from nothing, from a spare, and the end of one.
pub(crate) fn measure(quick: bool) -> Result<Vec<Row>> {
    let repetitions = if quick { 3 } else { 31 };
    let folder = tempfile::tempdir()?;
    Ok(vec![
        alone(
            "a runner for an artifact on disk, from nothing",
            start(folder.path(), false, repetitions)?,
        ),
        alone(
            "a runner for an artifact on disk, from a spare",
            start(folder.path(), true, repetitions)?,
        ),
        alone("from SIGKILL to reaped", end(repetitions)?),
    ])
}

/// Reading, verifying, spawning or taking a spare, loading and locking.
fn start(folder: &Path, has_spare: bool, repetitions: usize) -> Result<f64> {
    let subject = Subject::load("saxpy")?;
    let request = request(&subject.resized("saxpy", &[("n", 16)])?, Metering::Strict)?;
    let mut times = Vec::new();
    for repetition in 0..=repetitions {
        let places = Places {
            state: folder.join("state"),
            cache: folder.join("cache"),
        };
        let cell = Cell::confined().spares(has_spare).cache(places).build()?;
        std::thread::sleep(Duration::from_millis(30));
        let ended = cell.run(&subject.component, request.clone());
        ensure!(
            ended.outcome.kind == OutcomeKind::Done,
            "{}",
            ended.outcome.message
        );
        let timings = &ended.report.timings;
        // The very first compiles.
        if repetition > 0 {
            ensure!(
                timings.cache == Some(CacheOutcome::Hit),
                "{:?}",
                timings.cache
            );
            times.push(Duration::from_nanos(timings.load_ns).as_secs_f64());
        }
    }
    Ok(median(&mut times))
}

fn end(repetitions: usize) -> Result<f64> {
    let program = hotcell_cases::target().join("libexec/hotcell/hotcell-compiler");
    let command = WorkerCommand {
        program,
        arguments: Vec::new(),
    };
    let mut times = Vec::new();
    for _ in 0..repetitions {
        let worker = command.spawn().context("cargo xtask workers")?;
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        worker.channel.receive(&mut buffer, &mut descriptors)?;
        let began = Instant::now();
        worker.kill();
        worker.wait()?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(median(&mut times))
}

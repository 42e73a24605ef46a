//! One launch from the command line: inputs read, outputs prepared, run, committed, reported.

use crate::progress::Display;
use anyhow::{Context, Result};
use bytes::Bytes;
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, Outcome, OutcomeKind};
use hotcell::report::OutcomeReport;
use hotcell::{Array, Cell, Component, Ended, Permit, Request, Source};
use hotcell_formats::{
    Durability, FileId, Locator, ReadLimits, Sink, check_distinct, commit_all, open, prepare,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Arrays up to this are read into memory; a larger `.npy` is read where the kernel asks for it.
const IN_MEMORY_BYTES: u64 = 1 << 30;
/// How often the display is redrawn and the interrupt looked for.
const REDRAW: Duration = Duration::from_millis(50);

/// A request as the command line has it: files not yet opened.
pub(crate) struct CommandRequest {
    pub(crate) request: Request,
    pub(crate) inputs: Vec<(String, Locator)>,
    pub(crate) outputs: Vec<(String, Locator)>,
    /// Files that no output may replace.
    pub(crate) kept: Arc<[FileId]>,
    pub(crate) quiet: bool,
}

/// Runs a request to its end. What goes wrong on the way is an outcome too.
pub(crate) fn launch(cell: &Cell, component: &Path, command: CommandRequest) -> Ended {
    let CommandRequest {
        mut request,
        inputs,
        outputs,
        kept,
        quiet,
    } = command;
    let component = match Component::read(component) {
        Ok(component) => component,
        Err(error) => return cell.reject(None, &request, OutcomeKind::Io, chain(&error.into())),
    };
    for (name, locator) in inputs {
        match read(&locator) {
            Ok(array) => request = request.input(name, array),
            Err(error) => {
                let message = format!("input `{name}`: {}", chain(&error));
                return cell.reject(Some(&component), &request, OutcomeKind::Io, message);
            }
        }
    }
    let permit = match cell.authorize(&component, request) {
        Ok(permit) => permit,
        Err(ended) => return *ended,
    };
    let sinks = match prepare_outputs(&permit, outputs, &kept) {
        Ok(sinks) => sinks,
        Err((kind, error)) => return cell.abandon(permit, kind, chain(&error)),
    };
    let ended = run(cell, permit, quiet);
    commit(ended, sinks)
}

/// Opens an input; small ones are read, large ones stay in their file.
fn read(locator: &Locator) -> Result<Array> {
    let limits = ReadLimits {
        max_bytes: IN_MEMORY_BYTES,
    };
    let reader = open(locator, &limits)?;
    let ty = reader.ty().clone();
    let source = match reader.as_file_range() {
        Some((file, offset_bytes)) if ty.size_bytes() > IN_MEMORY_BYTES => Source::File {
            file,
            offset_bytes,
            len_bytes: ty.size_bytes(),
        },
        _ => Source::Memory(Bytes::from(reader.read_all()?)),
    };
    Ok(Array::from_source(ty, source)?)
}

type Refused = (OutcomeKind, anyhow::Error);

/// Refuses before the run what could not be written after it.
fn prepare_outputs(
    permit: &Permit,
    outputs: Vec<(String, Locator)>,
    kept: &Arc<[FileId]>,
) -> Result<Vec<(String, Sink)>, Refused> {
    let mut sinks = Vec::new();
    for (name, locator) in outputs {
        let Some((_, ty)) = permit.outputs().find(|(known, _)| *known == name) else {
            let known: Vec<_> = permit.outputs().map(|(known, _)| known).collect();
            let error = anyhow::anyhow!(
                "the kernel has no output `{name}`; it has: {}",
                known.join(", ")
            );
            return Err((OutcomeKind::Usage, error));
        };
        let sink = prepare(&locator, ty).with_context(|| format!("output `{name}`"));
        let sink = sink.map_err(|error| (OutcomeKind::Io, error))?;
        sinks.push((name, sink.keeping(Arc::clone(kept))));
    }
    let (names, sinks): (Vec<_>, Vec<_>) = sinks.into_iter().unzip();
    check_distinct(&sinks).map_err(|error| (OutcomeKind::Usage, error.into()))?;
    Ok(names.into_iter().zip(sinks).collect())
}

/// Runs a permitted launch with a display, until its end or an interrupt.
fn run(cell: &Cell, permit: Permit, quiet: bool) -> Ended {
    let display = Arc::new(Display::new(
        quiet,
        permit.limits().duration(Limit::Timeout),
    ));
    let permit = permit.observed_by(display.clone());
    let launch = match cell.start_permitted(permit) {
        Ok(launch) => launch,
        Err(ended) => return *ended,
    };
    let cancel = launch.canceller();
    let asked = AtomicBool::new(false);
    // Without a handler Ctrl-C ends the process, which loses the report and nothing else.
    let _ = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            hotcell_sandbox::process::end_all();
            std::process::exit(i32::from(OutcomeKind::Cancelled.exit_code()));
        }
        cancel();
    });
    let ended = launch.wait_watching(REDRAW, || display.tick());
    display.finish();
    ended
}

/// Writes the outputs of a launch that has any: all of them, or none.
fn commit(mut ended: Ended, sinks: Vec<(String, Sink)>) -> Ended {
    if !ended.outcome.keeps_outputs() {
        return ended;
    }
    let bytes_of = |name: &str| ended.array(name)?.bytes();
    let arrays = sinks
        .into_iter()
        .filter_map(|(name, sink)| Some((sink, &bytes_of(&name)?[..])))
        .collect();
    if let Err(error) = commit_all(arrays, Durability::Written) {
        let outcome = Outcome::failed(OutcomeKind::Io, Blame::Request, chain(&error.into()));
        ended.report.outcome = OutcomeReport::from(&outcome);
        ended.report.results.clear();
        ended.outcome = outcome;
    }
    ended
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

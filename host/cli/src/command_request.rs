//! One launch from the command line: files become inputs, outputs become files, and both inside the launch.

use crate::progress::Display;
use anyhow::{Context, Result};
use bytes::Bytes;
use hotcell::outcome::OutcomeKind;
use hotcell::{
    Array, ArrayType, Cell, Component, Consignment, Delivery, Ended, InputError, NamedArray,
    Request, Source, Undelivered,
};
use hotcell_formats::{
    Durability, FileId, Locator, ReadLimits, Sink, check_distinct, commit_all_while, open, prepare,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Arrays up to this are read into memory; a larger `.npy` is read where the kernel asks for it.
const IN_MEMORY_BYTES: u64 = 1 << 30;
/// From here on arrays are read into memory that workers and guests map, in place of a copy.
const SHARED_BYTES: u64 = 256 << 10;
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
        request = request.input_from(name, move || {
            read(&locator).map_err(|error| InputError(chain(&error)))
        });
    }
    let files = Files {
        locators: outputs,
        kept,
    };
    run(cell, &component, request.deliver_to(Arc::new(files)), quiet)
}

/// Opens an input; small ones are read, large ones stay in their file.
pub(crate) fn read(locator: &Locator) -> Result<Array> {
    let limits = ReadLimits {
        max_bytes: IN_MEMORY_BYTES,
    };
    let reader = open(locator, &limits)?;
    let ty = reader.ty().clone();
    let streamed = match ty.size_bytes() > IN_MEMORY_BYTES {
        true => reader.as_file_range()?,
        false => None,
    };
    let array = match streamed {
        Some((file, offset_bytes)) => {
            let len_bytes = ty.size_bytes();
            let source = Source::File {
                file,
                offset_bytes,
                len_bytes,
            };
            Array::from_source(ty, source)?
        }
        None if ty.size_bytes() < SHARED_BYTES => Array::new(ty, Bytes::from(reader.read_all()?))?,
        None => Array::shared(ty, |bytes| {
            reader.read_into(bytes).map_err(io::Error::other)
        })?,
    };
    Ok(match locator {
        Locator::Png(_) => array.picture(),
        _ => array,
    })
}

/// The files that outputs go to.
struct Files {
    /// By the output's name.
    locators: Vec<(String, Locator)>,
    /// What none of them may replace.
    kept: Arc<[FileId]>,
}

/// Files that can be written, as far as could be told before the run.
struct Sinks(Vec<(String, Sink)>);

impl Delivery for Files {
    fn prepare(&self, outputs: &[(&str, &ArrayType)]) -> Result<Box<dyn Consignment>, Undelivered> {
        let mut sinks = Vec::new();
        for (name, locator) in &self.locators {
            let Some((_, ty)) = outputs.iter().find(|(known, _)| known == name) else {
                let known: Vec<_> = outputs.iter().map(|(known, _)| *known).collect();
                return Err(Undelivered::Usage(format!(
                    "the kernel has no output `{name}`; it has: {}",
                    known.join(", ")
                )));
            };
            let sink = prepare(locator, ty).with_context(|| format!("output `{name}`"));
            let sink = sink.map_err(|error| Undelivered::Io(chain(&error)))?;
            sinks.push(sink.keeping(Arc::clone(&self.kept)));
        }
        let distinct = check_distinct(&sinks);
        distinct.map_err(|error| Undelivered::Usage(chain(&error.into())))?;
        let names = self.locators.iter().map(|(name, _)| name.clone());
        Ok(Box::new(Sinks(names.zip(sinks).collect())))
    }
}

impl Consignment for Sinks {
    /// Writes all of the outputs, or none.
    fn deliver(
        self: Box<Self>,
        results: &[NamedArray],
        go_on: &dyn Fn() -> io::Result<()>,
    ) -> Result<(), Undelivered> {
        let bytes_of = |name: &str| {
            let result = results.iter().find(|result| result.name == name)?;
            result.array.bytes()
        };
        let mut arrays = Vec::new();
        for (name, sink) in self.0 {
            let missing = || Undelivered::Io(format!("output `{name}` did not come out"));
            arrays.push((sink, &bytes_of(&name).ok_or_else(missing)?[..]));
        }
        match commit_all_while(arrays, Durability::Written, go_on) {
            Ok(_) => Ok(()),
            Err(error) => Err(Undelivered::Io(chain(&error.into()))),
        }
    }
}

/// Runs a launch with a display, until its end or an interrupt.
fn run(cell: &Cell, component: &Component, request: Request, quiet: bool) -> Ended {
    let display = Arc::new(Display::new(quiet));
    let launch = match cell.start(component, request.observer(display.clone())) {
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

/// An error and its causes in one line.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

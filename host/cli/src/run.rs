//! `hotcell run`

use crate::arguments::{GrantArguments, LimitArguments, Pair, check_unique, locator, pair};
use crate::beside::Beside;
use crate::collisions::Collisions;
use crate::command_request::{CommandRequest, launch, read};
use crate::connect;
use crate::exit::CommandError;
use crate::hint::explain_with;
use crate::host::HostArguments;
use crate::report_place::ReportPlace;
use crate::say::tell;
use anyhow::{Context, Result};
use clap::Args;
use hotcell::limit::{Limit, Unit};
use hotcell::manifest::{DType, ScalarError, ScalarValue};
use hotcell::outcome::OutcomeKind;
use hotcell::report::{CacheOutcome, Report};
use hotcell::{Cell, Cutting, Digest, Ended, Request};
use hotcell_formats::FileId;
use hotcell_policy::FilePolicy;
use hotcell_serve::protocol::{LaunchAsk, Text};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Run a kernel on arrays and pictures, under limits.
///
/// Inputs and outputs are .npy files, members of .npz archives (@FILE.npz:MEMBER) and PNG pictures;
/// a rank-4 output can become an animation (@FILE.apng) or numbered frames (@FILE-{:04}.png).
/// Outputs appear whole or not at all.
#[derive(Args)]
pub(crate) struct RunCommand {
    /// The kernel component
    kernel: PathBuf,
    /// The entry to run, where the component has several
    entry: Option<String>,
    /// A scalar (a=2.5) or an array from a file (x=@x.npy)
    #[arg(long = "in", value_name = "NAME=VALUE|@FILE", value_parser = pair)]
    inputs: Vec<Pair>,
    /// The file for an output (y=@y.npy); outputs without one are dropped
    #[arg(long = "out", value_name = "NAME=@FILE", value_parser = pair)]
    outputs: Vec<Pair>,
    /// The extent of a dimension that no input fixes
    #[arg(long = "dim", value_name = "NAME=N", value_parser = pair)]
    dims: Vec<Pair>,
    /// Instances that run at once; results do not depend on it [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Run a kernel whole that could be cut into chunks
    ///
    /// What it makes then is what it means; where a launch in chunks makes something else, the kernel looks
    /// beyond its part and needs a halo (docs/kernel-authors.md, Splitting).
    #[arg(long)]
    no_split: bool,
    /// Write the report as JSON to a file, or to the standard output (-), whatever the outcome
    #[arg(long, value_name = "FILE|-")]
    report: Option<String>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// Have the daemon at that socket run it [default: where `hotcell serve` listens unless told otherwise]
    ///
    /// What the daemon's policy grants and how it keeps kernels apart is its own affair.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true,
        conflicts_with_all = ["policy", "isolation", "tier", "workers", "gpu_device", "no_cache", "grants", "directories"])]
    connect: Option<Option<PathBuf>>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    host: HostArguments,
}

impl RunCommand {
    /// Runs, and returns the outcome's exit code.
    pub(crate) fn execute(self) -> Result<u8> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let policy = match &self.connect {
            Some(_) => None,
            None => self.host.policy.load()?,
        };
        let mut command = self.request(policy.as_ref()).map_err(usage)?;
        let mut collisions = Collisions::default();
        collisions.reads("the component", &self.kernel);
        collisions.launches(&command.inputs, &command.outputs);
        let report = Reporting::prepare(self.report.as_deref(), collisions)?;
        command.kept = report.kept();
        let beside = Beside::find(&self.kernel, self.entry.as_deref());
        if let Some(forecaster) = beside.forecaster() {
            command.request = command.request.foretold_by(forecaster);
        }
        let ended = match &self.connect {
            Some(socket) => {
                let ask = self.ask().map_err(usage)?;
                let tenant = self.host.policy.named_tenant();
                connect::launch(socket.as_deref(), tenant, &self.kernel, ask, command)?
            }
            None => {
                let cell = self.host.cell(policy.as_ref(), self.grants.granted())?;
                launch(&cell, &self.kernel, command)
            }
        };
        let written = report.write(&ended.report);
        let known = |limit| beside.advice(&self.kernel, &ended.report, limit);
        show(&ended, self.quiet, known);
        written?;
        Ok(ended.outcome.kind.exit_code())
    }

    /// What a daemon is asked for; arrays go beside it.
    fn ask(&self) -> Result<LaunchAsk> {
        // Its component and entry are known when that has been read.
        let mut ask = LaunchAsk::new(Digest::from_bytes([0; 32]));
        ask.entry.clone_from(&self.entry);
        let scalars = self
            .inputs
            .iter()
            .filter(|pair| !pair.value.starts_with('@'));
        let texts = |pairs: &mut dyn Iterator<Item = &Pair>| {
            let texts = pairs.map(|pair| (pair.name.clone(), Text::of(&pair.value)));
            texts.collect()
        };
        ask.scalars = texts(&mut scalars.into_iter());
        ask.dims = texts(&mut self.dims.iter());
        ask.limits = self.limits.texts();
        ask.metering = self.limits.metering;
        ask.wants = Some(self.grants.wanted_of_a_policy());
        ask.seed = self.grants.seed.map(Text::of);
        ask.threads = self.threads;
        ask.split = !self.no_split;
        ask.gpu_profile = self.grants.gpu_profile;
        ask.events = true;
        Ok(ask)
    }

    /// A cell and a request for launches of the same kind, on one thread: inputs are read, and nothing is written.
    ///
    /// # Errors
    /// With the exit code: arguments that are wrong or ask for something to be written, files that cannot be read.
    pub(crate) fn prepare(&self) -> Result<(Cell, Request)> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        if !self.outputs.is_empty() || self.report.is_some() || self.connect.is_some() {
            let why =
                "--out, --report and --connect do not go with launches that are only measured";
            return Err(usage(anyhow::anyhow!(why)));
        }
        let policy = self.host.policy.load()?;
        let command = self.request(policy.as_ref()).map_err(usage)?;
        let mut request = command.request.threads(1);
        for (name, locator) in command.inputs {
            let array = read(&locator).with_context(|| format!("--in {name}"));
            let array = array.map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
            request = request.input(name, array);
        }
        Ok((
            self.host.cell(policy.as_ref(), self.grants.granted())?,
            request,
        ))
    }

    fn request(&self, policy: Option<&FilePolicy>) -> Result<CommandRequest> {
        let mut request = self.host.request(policy, &self.limits, &self.grants)?;
        check_unique("--in", self.inputs.iter().map(|pair| pair.name.as_str()))?;
        check_unique("--out", self.outputs.iter().map(|pair| pair.name.as_str()))?;
        check_unique("--dim", self.dims.iter().map(|pair| pair.name.as_str()))?;
        if let Some(entry) = &self.entry {
            request = request.entry(entry);
        }
        if let Some(threads) = self.threads {
            anyhow::ensure!(threads > 0, "--threads must be at least 1");
            request = request.threads(threads);
        }
        if self.no_split {
            request = request.cutting(Cutting::Whole);
        }
        for Pair { name, value } in &self.dims {
            let extent = extent(value).with_context(|| format!("--dim {name}"))?;
            request = request.dim(name, extent);
        }
        let mut inputs = Vec::new();
        for pair in &self.inputs {
            if pair.value.starts_with('@') {
                inputs.push((pair.name.clone(), locator(pair).context("--in")?));
            } else {
                request = request.scalar_text(&pair.name, &pair.value);
            }
        }
        let outputs = self.outputs.iter();
        let outputs = outputs.map(|pair| Ok((pair.name.clone(), locator(pair).context("--out")?)));
        Ok(CommandRequest {
            request,
            inputs,
            outputs: outputs.collect::<Result<_>>()?,
            kept: Arc::default(),
            quiet: self.quiet,
        })
    }
}

/// A number of elements, in any notation that a whole number may have.
fn extent(text: &str) -> Result<u64, ScalarError> {
    let value = ScalarValue::try_parse(DType::U64, text)?;
    Ok(value.as_extent().unwrap_or(0))
}

/// A report that is to be written, and what it must not be written over.
pub(crate) struct Reporting<'a> {
    place: Option<(&'a str, ReportPlace)>,
    collisions: Collisions,
}

impl<'a> Reporting<'a> {
    /// Refuses, before anything runs, what would destroy something and what could not be written.
    pub(crate) fn prepare(named: Option<&'a str>, collisions: Collisions) -> Result<Self> {
        collisions.check(named)?;
        let prepare = |named| ReportPlace::prepare(named).map(|place| (named, place));
        let place = named.map(prepare).transpose();
        let place = place.map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        Ok(Self { place, collisions })
    }

    /// Files that no output may replace.
    pub(crate) fn kept(&self) -> Arc<[FileId]> {
        self.collisions.kept()
    }

    /// Writes the report where one is asked for, unless something else came to be at its place meanwhile.
    pub(crate) fn write(&self, report: &Report) -> Result<()> {
        let Some((named, place)) = &self.place else {
            return Ok(());
        };
        let checked = self.collisions.check_report(named);
        let written = checked.and_then(|()| place.write(report));
        written.map_err(|error| CommandError::of(OutcomeKind::Io, error))
    }
}

/// Tells a person how it went, on the error stream: one line, with what more is known of a limit that was reached, and a trap's
/// functions below it.
fn show(ended: &Ended, quiet: bool, known: impl Fn(Limit) -> String) {
    let outcome = &ended.outcome;
    if outcome.kind == OutcomeKind::Done {
        if !quiet {
            tell(summary(&ended.report));
        }
        return;
    }
    tell(format_args!(
        "hotcell: {}: {}",
        outcome.kind,
        explain_with(outcome, known)
    ));
    if outcome.kind == OutcomeKind::Trap && !quiet {
        for frame in &outcome.trace {
            tell(format_args!("    in {frame}"));
        }
    }
}

/// One line about a launch that was done.
fn summary(report: &Report) -> String {
    let ns = |value: u64| human(Duration::from_nanos(value));
    let usage = &report.usage;
    let fuel = usage
        .fuel_used
        .map(|fuel| format!(", fuel {}", approximate(fuel)))
        .unwrap_or_default();
    let cache = match &report.timings.cache {
        Some(CacheOutcome::Miss(_)) => format!(", compiled in {}", ns(report.timings.compile_ns)),
        _ => String::new(),
    };
    let gpu = match &usage.gpu {
        Some(gpu) => format!(
            ", GPU {} in {} dispatches, GPU fuel at most {}",
            ns(gpu.time_ns),
            gpu.dispatches,
            approximate(gpu.fuel_bound)
        ),
        None => String::new(),
    };
    format!(
        "{} done in {}{fuel}{gpu}, memory {}, {} instance{}{cache} ({} isolation)",
        report.component.entry,
        ns(usage.wall_ns),
        Unit::Bytes.format(usage.peak_memory_bytes),
        usage.instances,
        if usage.instances == 1 { "" } else { "s" },
        report.isolation,
    )
}

/// A duration with three digits.
pub(crate) fn human(duration: Duration) -> String {
    let ns = duration.as_secs_f64() * 1e9;
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

/// A count with three digits and a suffix.
pub(crate) fn approximate(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = count as f64;
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1}k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", value / 1e6),
        _ => format!("{:.1}G", value / 1e9),
    }
}

//! `hotcell profile`

use crate::arguments::{GrantArguments, LimitArguments, Pair, check_unique, pair};
use crate::beside;
use crate::exit::CommandError;
use crate::hint;
use crate::host::HostArguments;
use crate::inspect::ceilings;
use crate::run::{approximate, human};
use crate::say::{note, print};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use hotcell::description::Description;
use hotcell::manifest::{Cost, Kernel};
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Component, Metering};
use hotcell_model::text::clean;
use hotcell_profile::baseline::Shown;
use hotcell_profile::fit::Quantity;
use hotcell_profile::gpu::GpuRecord;
use hotcell_profile::inputs::Given;
use hotcell_profile::record::write_whole;
use hotcell_profile::sampled::sampled;
use hotcell_profile::subject::{Subject, metering_of};
use hotcell_profile::suggest::{Margin, suggest};
use hotcell_profile::sweep::Sweep;
use hotcell_profile::take::Progress;
use hotcell_profile::{Profile, ProfileError, Settings, flame, page, take};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a text from elsewhere is cut at.
const SHOWN_BYTES: usize = 128;

/// Measure what a kernel costs by the sizes of its arrays, and say which limits fit.
///
/// Launches the entry on arrays that are made for it, in deterministic metering (what uses a GPU: in strict) and on one thread; fits fuel, memory and time
/// as functions of the sizes; looks for arrays that cost more; and writes a profile beside the kernel, for
/// `hotcell policy suggest`.
#[derive(Args)]
pub(crate) struct ProfileCommand {
    /// The kernel component
    kernel: PathBuf,
    /// The entry, where the component has several
    entry: Option<String>,
    /// What goes through which sizes: n=1k..1M, n=16..4k*2, or n=16,32,64; a dimension, or a scalar that is a whole number
    #[arg(long = "sweep", value_name = "NAME=SIZES")]
    sweeps: Vec<Sweep>,
    /// The extent of a dimension that is not swept: a number, or a function of those that are (r1='r+1')
    #[arg(long = "dim", value_name = "NAME=N", value_parser = pair)]
    dims: Vec<Pair>,
    /// A scalar (a=2.5); one without a value and without a default is 1
    #[arg(long = "in", value_name = "NAME=VALUE", value_parser = pair)]
    scalars: Vec<Pair>,
    /// What an array's elements are: between what (dist=0..=1000), or how filled besides (offsets=ascending:0..=nnz)
    #[arg(long = "fill", value_name = "NAME=FILL", value_parser = pair)]
    fills: Vec<Pair>,
    /// The seed of what is random in the arrays
    #[arg(long, value_name = "N", default_value_t = Settings::default().seed)]
    inputs_seed: u64,
    /// Launches of each size, of which the shortest is its time
    #[arg(long, value_name = "N", default_value_t = Settings::default().repeats)]
    repeats: u32,
    /// Launches that look for arrays that cost more
    #[arg(long, value_name = "N", default_value_t = Settings::default().search)]
    search: u32,
    /// Launches of any size that no limit should stop
    #[arg(long, value_name = "N", default_value_t = Settings::default().honest)]
    honest: u32,
    /// How far above the most that was seen the limits are that are told, in percent
    #[arg(long, value_name = "PERCENT", default_value = "50")]
    margin: Margin,
    /// Write a page with curves and tables
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write where time goes inside the kernel, for the viewer at speedscope.app
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// Where the profile is written [default: beside the kernel, as KERNEL.profile.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the profile as JSON, in place of words
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    host: HostArguments,
}

impl ProfileCommand {
    /// Measures, writes and tells.
    pub(crate) fn execute(self) -> Result<()> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let settings = self.settings().map_err(usage)?;
        let fixed = texts::<Cost>("--dim", &self.dims).map_err(usage)?;
        let scalars = scalars(&self.scalars).map_err(usage)?;
        let component = read(&self.kernel)?;
        let (cell, request) = self.host.set_up(&self.limits, &self.grants)?;
        let description = described(&cell, &component)?;
        let kernels = description.manifest.kernels();
        let kernel = chosen(kernels, self.entry.as_deref()).map_err(usage)?;
        let metering = metering_of(&description.imports, kernel);
        let subject = Subject::new(&cell, &component, kernel, request, fixed, scalars);
        let subject = subject.map_err(|error| usage(error.into()))?;
        let mut subject = subject.metered(metering);
        let bar = Bar::new();
        let taken = take(&mut subject, &settings, host(), &mut |progress| {
            bar.show(progress)
        });
        bar.finish();
        let profile = taken.map_err(|error| match error {
            ProfileError::NothingDone { outcome, .. } => CommandError::of(outcome, error),
            error => usage(error.into()),
        })?;
        let out = self
            .out
            .clone()
            .unwrap_or_else(|| place(&self.kernel, kernels, kernel));
        profile
            .write(&out)
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let samples = match self.html.is_some() || self.samples.is_some() {
            true => sampled(&subject, &profile),
            false => None,
        };
        if let Some(file) = &self.samples {
            let Some(samples) = &samples else {
                anyhow::bail!(
                    "no launch lasted a millisecond, so there are no samples; sweep larger sizes"
                );
            };
            let text = flame::speedscope(&profile.entry, samples).to_string();
            write_whole(file, text.as_bytes())
                .with_context(|| format!("the samples {} cannot be written", file.display()))
                .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        }
        if let Some(html) = &self.html {
            let suggestion = suggest(&profile, &[], self.margin);
            let flame = samples
                .as_ref()
                .map(|samples| flame::svg(&profile.entry, samples));
            let text = page(&profile, suggestion.as_ref(), self.margin, flame.as_deref());
            write_whole(html, text.as_bytes())
                .with_context(|| format!("the page {} cannot be written", html.display()))
                .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        }
        if self.json {
            let json = serde_json::to_string_pretty(&profile)?;
            return print(format_args!("{json}\n"));
        }
        print(summary(&profile, self.margin))?;
        note(format_args!("profile {}", out.display()))?;
        match &self.html {
            Some(html) => note(format_args!("page    {}", html.display())),
            None => Ok(()),
        }
    }

    fn settings(&self) -> Result<Settings> {
        if let Some(metering) = self.limits.metering
            && metering != Metering::Deterministic
        {
            anyhow::bail!(
                "a profile is taken in deterministic metering, where fuel is the same on every machine, and of what uses a GPU in strict; leave --metering out"
            );
        }
        anyhow::ensure!(self.repeats > 0, "--repeats must be at least 1");
        Ok(Settings {
            sweeps: self.sweeps.clone(),
            given: texts::<Given>("--fill", &self.fills)?,
            seed: self.inputs_seed,
            repeats: self.repeats,
            search: self.search,
            honest: self.honest,
        })
    }
}

/// The program that measures.
pub(crate) fn host() -> &'static str {
    concat!("hotcell ", env!("CARGO_PKG_VERSION"))
}

/// Reads a component's file.
pub(crate) fn read(kernel: &Path) -> Result<Component> {
    Component::read(kernel).map_err(|error| CommandError::of(OutcomeKind::Io, error))
}

/// A component, described.
pub(crate) fn described(cell: &Cell, component: &Component) -> Result<Arc<Description>> {
    cell.describe(component, &ceilings())
        .map_err(|outcome| CommandError::of(outcome.kind, anyhow!(hint::explain(&outcome))))
}

/// The entry of that name, or the only one.
fn chosen<'a>(kernels: &'a [Kernel], entry: Option<&str>) -> Result<&'a Kernel> {
    let known = || {
        kernels
            .iter()
            .map(Kernel::name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (entry, kernels) {
        (None, [only]) => Ok(only),
        (None, _) => Err(anyhow!(
            "the component has several entries; name one of: {}",
            known()
        )),
        (Some(name), _) => kernels
            .iter()
            .find(|kernel| kernel.name() == name)
            .ok_or_else(|| anyhow!("there is no entry `{name}`; there are: {}", known())),
    }
}

/// Where the profile of an entry lies: beside its kernel, with the entry in its name where there are several.
pub(crate) fn place(file: &Path, kernels: &[Kernel], kernel: &Kernel) -> PathBuf {
    match kernels {
        [_] => beside::place(file, None),
        _ => beside::place(file, Some(kernel.name())),
    }
}

/// Values of `NAME=VALUE` pairs, each name once.
fn texts<T: Parsed>(option: &str, pairs: &[Pair]) -> Result<BTreeMap<String, T>> {
    check_unique(option, pairs.iter().map(|pair| pair.name.as_str()))?;
    let read = |pair: &Pair| {
        let value = T::parsed(&pair.value);
        Ok((
            pair.name.clone(),
            value.with_context(|| format!("{option} {}", pair.name))?,
        ))
    };
    pairs.iter().map(read).collect()
}

/// Scalars, as they were written.
pub(crate) fn scalars(pairs: &[Pair]) -> Result<BTreeMap<String, String>> {
    check_unique("--in", pairs.iter().map(|pair| pair.name.as_str()))?;
    if let Some(pair) = pairs.iter().find(|pair| pair.value.starts_with('@')) {
        anyhow::bail!(
            "--in {name}: arrays are made here, and not read from files; say what is in it with --fill {name}=0..n",
            name = pair.name
        );
    }
    let text = |pair: &Pair| (pair.name.clone(), pair.value.clone());
    Ok(pairs.iter().map(text).collect())
}

/// How far it has come, on a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, progress: Progress) -> ControlFlow<()> {
        self.0.set_length(progress.total as u64);
        self.0.set_position(progress.done as u64);
        self.0.set_message(progress.stage);
        ControlFlow::Continue(())
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A profile in a few lines.
fn summary(profile: &Profile, margin: Margin) -> String {
    let count = |done: bool| {
        let points = profile.points.iter();
        points
            .filter(|point| point.sample.is_done() == done)
            .count()
    };
    let swept: Vec<_> = profile
        .swept
        .iter()
        .map(|(name, [low, high])| format!("{name} {low} to {high}"))
        .collect();
    let mut text = format!(
        "{}: {}; {} launches",
        profile.entry,
        swept.join(", "),
        count(true)
    );
    match count(false) {
        0 => text.push('\n'),
        failed => {
            let first = profile.points.iter().find(|point| !point.sample.is_done());
            let words =
                first.map(|point| format!("{}: {}", point.sample.outcome, point.sample.message));
            let _ = writeln!(
                text,
                ", and {failed} that were not done, as {}",
                words.unwrap_or_default()
            );
        }
    }
    for quantity in Quantity::ALL {
        let Some(model) = profile.model(quantity) else {
            continue;
        };
        let errors = model.held_out;
        let _ = match &model.irregular {
            None => writeln!(
                text,
                "{quantity:7} {}\n        at most {:.2} % off on {} held-out sizes, {:.2} % in the median",
                model.text, errors.max_percent, errors.points, errors.median_percent
            ),
            Some(why) => writeln!(text, "{quantity:7} irregular: {why}"),
        };
    }
    if let Some(worst) = &profile.worst {
        let _ = writeln!(
            text,
            "worst   {:.2} times the median of ordinary arrays, at {}: {:.1} fuel an element\n        {}",
            worst.ratio_to_median,
            Shown(&worst.sizes),
            worst.fuel_per_element,
            worst.recipe
        );
    }
    if let Some(gpu) = &profile.gpu {
        text += &on_gpu(gpu);
    }
    if let Some(suggestion) = suggest(profile, &[], margin) {
        let limits = suggestion.limits.iter();
        let limits: Vec<_> = limits
            .map(|one| format!("{} {}", one.limit, one.limit.unit().format(one.value)))
            .collect();
        let stops = suggestion.false_stops;
        let _ = writeln!(
            text,
            "limits  {}\n        {} of {} honest launches stopped: at most {:.2} % at 95 % confidence",
            limits.join(", "),
            stops.stopped,
            stops.runs,
            stops.at_most_percent()
        );
    }
    text
}

/// What a GPU did, and which of its kernels for how long.
fn on_gpu(gpu: &GpuRecord) -> String {
    let ns = |value| human(Duration::from_nanos(value));
    let mut text = format!(
        "gpu     busy {:.0} % of {} at {}: {} dispatches, GPU fuel {}, on {}\n",
        100.0 * gpu.busy(),
        ns(gpu.wall_ns),
        Shown(&gpu.sizes),
        gpu.dispatches,
        approximate(gpu.fuel),
        clean(&gpu.device, SHOWN_BYTES)
    );
    for kernel in &gpu.kernels {
        let _ = writeln!(
            text,
            "        {} {}: {} dispatches, fuel {}, {} in all, {} at most",
            clean(&kernel.shader, SHOWN_BYTES),
            clean(&kernel.entry, SHOWN_BYTES),
            kernel.dispatches,
            approximate(kernel.fuel_static.saturating_add(kernel.fuel_dynamic)),
            ns(kernel.time_ns),
            ns(kernel.longest_ns)
        );
    }
    text
}

/// What is read from text, with an error that goes into others.
trait Parsed: Sized {
    fn parsed(text: &str) -> Result<Self>;
}

impl Parsed for Cost {
    fn parsed(text: &str) -> Result<Self> {
        // Large numbers are written as counts everywhere else.
        let text = match hotcell::manifest::units::parse_count(text) {
            Ok(count) => count.to_string(),
            Err(_) => text.to_owned(),
        };
        Ok(Self::parse(&text)?)
    }
}

impl Parsed for Given {
    fn parsed(text: &str) -> Result<Self> {
        Ok(text.parse()?)
    }
}

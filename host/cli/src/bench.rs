//! `hotcell bench`

use crate::arguments::{GrantArguments, LimitArguments, Pair, pair};
use crate::exit::CommandError;
use crate::host::HostArguments;
use crate::profile::{described, place, read, scalars};
use crate::say::note;
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::manifest::Kernel;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Component, Metering, Request};
use hotcell_profile::baseline::{Baseline, EntryFuel, Figure};
use hotcell_profile::fit::Sizes;
use hotcell_profile::inputs::Recipe;
use hotcell_profile::subject::{Measure, Subject, SubjectError, metering_of};
use hotcell_profile::{Profile, Purpose};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The exit code of a comparison that found more fuel than is tolerated.
const REGRESSED: u8 = 1;
/// The extents of every dimension, where nothing says others.
const EXTENTS: [u64; 2] = [64, 256];

/// Hold kernels' exact fuel against what it was.
///
/// Fuel in deterministic metering is the same on every machine; kernels that use a GPU are metered strictly. Each entry is launched at the points of the baseline; else of
/// the profile that lies beside its kernel; else with all dimensions at 64 and at 256. Exit code 0: nothing regressed; 1: something
/// did.
#[derive(Args)]
pub(crate) struct BenchCommand {
    /// The kernel components
    #[arg(required = true, value_name = "KERNEL")]
    kernels: Vec<PathBuf>,
    /// Write the figures, to compare with later
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    save: Option<PathBuf>,
    /// Compare with figures that were written
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// How much more fuel is no regression, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    tolerance: f64,
    /// A scalar (a=2.5), for every entry that has it
    #[arg(long = "in", value_name = "NAME=VALUE", value_parser = pair)]
    scalars: Vec<Pair>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    host: HostArguments,
}

/// What an entry is launched on.
#[derive(Default)]
struct Points {
    scalars: BTreeMap<String, String>,
    at: Vec<(Sizes, String)>,
}

impl BenchCommand {
    /// Measures, and writes or compares; returns the exit code.
    pub(crate) fn execute(self) -> Result<u8> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let io = |error| CommandError::of(OutcomeKind::Io, anyhow::Error::new(error));
        if !(0.0..=1e6).contains(&self.tolerance) {
            return Err(usage(anyhow!(
                "--tolerance is a percentage from 0 on, such as 0.5"
            )));
        }
        let given = scalars(&self.scalars).map_err(usage)?;
        let baseline = self
            .baseline
            .as_deref()
            .map(Baseline::read)
            .transpose()
            .map_err(io)?;
        let (cell, request) = self.host.set_up(&self.limits, &self.grants)?;
        let mut entries = Vec::new();
        for file in &self.kernels {
            let component = read(file)?;
            let description = described(&cell, &component)?;
            let all = description.manifest.kernels();
            for kernel in all {
                let known = baseline
                    .as_ref()
                    .and_then(|known| known.find(&named(file), kernel.name()));
                let points = points(file, all, kernel, known, &given)?;
                let metering = metering_of(&description.imports, kernel);
                let measured = measure(&cell, &component, (kernel, metering), &request, points);
                let figures = measured.map_err(|error| usage(error.into()))?;
                entries.push(EntryFuel {
                    component: named(file),
                    ..figures
                });
            }
        }
        let now = Baseline::of(entries);
        match (&baseline, &self.save) {
            (Some(baseline), _) => return compare(baseline, &now, self.tolerance),
            (None, Some(file)) => {
                now.write(file).map_err(io)?;
                note(format_args!(
                    "{} entries saved in {}",
                    now.entries.len(),
                    file.display()
                ))?;
            }
            (None, None) => {}
        }
        for entry in &now.entries {
            let fuel = entry.points.iter().map(|point| match point.outcome {
                OutcomeKind::Done => point.fuel.to_string(),
                outcome => format!("{} ({outcome})", point.fuel),
            });
            let fuel: Vec<_> = fuel.collect();
            note(format_args!(
                "{} {}: fuel {}",
                entry.component,
                entry.entry,
                fuel.join(", ")
            ))?;
        }
        Ok(0)
    }
}

/// A component's file name, which is what it is known by wherever it lies.
fn named(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}

fn points(
    file: &Path,
    all: &[Kernel],
    kernel: &Kernel,
    known: Option<&EntryFuel>,
    given: &BTreeMap<String, String>,
) -> Result<Points> {
    let own = |scalars: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let has = |name: &String| kernel.scalars().iter().any(|scalar| scalar.name == *name);
        let both = scalars.iter().chain(given).filter(|(name, _)| has(name));
        both.map(|(name, text)| (name.clone(), text.clone()))
            .collect()
    };
    if let Some(known) = known {
        let at = known.points.iter();
        return Ok(Points {
            scalars: own(&known.scalars),
            at: at
                .map(|point| (point.sizes.clone(), point.recipe.clone()))
                .collect(),
        });
    }
    let beside = place(file, all, kernel);
    if beside.is_file() {
        let profile =
            Profile::read(&beside).map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let at = profile
            .points
            .iter()
            .filter(|point| point.purpose == Purpose::Fitted);
        return Ok(Points {
            scalars: own(&profile.scalars),
            at: at
                .map(|point| (point.sizes.clone(), point.recipe.clone()))
                .collect(),
        });
    }
    let sizes = |extent: u64| -> Sizes {
        let dims = kernel.dims().iter();
        dims.map(|dim| (dim.clone(), extent)).collect()
    };
    Ok(Points {
        scalars: own(&BTreeMap::new()),
        at: EXTENTS
            .map(|extent| (sizes(extent), "seed=1".to_owned()))
            .to_vec(),
    })
}

fn measure(
    cell: &Cell,
    component: &Component,
    (kernel, metering): (&Kernel, Metering),
    request: &Request,
    points: Points,
) -> Result<EntryFuel, SubjectError> {
    let scalars = points.scalars.clone();
    let fixed = BTreeMap::new();
    let mut subject = Subject::new(
        cell,
        component,
        kernel,
        request.clone(),
        fixed,
        points.scalars,
    )?
    .metered(metering);
    let mut figures = Vec::new();
    for (sizes, text) in points.at {
        // A recipe that cannot be read was changed by hand: what it stands for is not what is measured, and it is missing.
        let Ok(recipe) = text.parse::<Recipe>() else {
            continue;
        };
        let sample = subject.measure(&sizes, &recipe, 1)?;
        figures.push(Figure {
            sizes,
            recipe: text,
            outcome: sample.outcome,
            fuel: sample.fuel,
        });
    }
    Ok(EntryFuel {
        component: String::new(),
        entry: kernel.name().to_owned(),
        scalars,
        points: figures,
    })
}

fn compare(baseline: &Baseline, now: &Baseline, tolerance: f64) -> Result<u8> {
    let mut code = 0;
    for change in baseline.compare(now, tolerance) {
        if change.verdict.is_failure() {
            code = REGRESSED;
        }
        note(&change)?;
    }
    Ok(code)
}

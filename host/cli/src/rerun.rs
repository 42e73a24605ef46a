//! `hotcell rerun`: a report as a receipt.

use crate::arguments::{Pair, check_unique, find_limit, locator, pair};
use crate::collisions::Collisions;
use crate::command_request::{CommandRequest, launch};
use crate::exit::CommandError;
use crate::hint::explain;
use crate::host::HostArguments;
use crate::run::Reporting;
use crate::say::note;
use anyhow::{Context, Result, bail};
use clap::Args;
use hotcell::limit::LimitSource;
use hotcell::outcome::OutcomeKind;
use hotcell::report::{ArrayReport, Report};
use hotcell::{Component, Cutting, Metering, Request};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The exit code of a rerun that ended differently.
const DIFFERENT: u8 = 1;

/// Run a report's launch again, in deterministic metering, and say whether bytes and fuel agree.
///
/// Component, entry, scalars, dimensions, seed, grants and limits come from the report; the arrays have
/// to be given again and are checked against the report's digests. Exit code 0: the same; 1: different.
#[derive(Args)]
pub(crate) struct RerunCommand {
    /// The report of the first run
    report_file: PathBuf,
    /// An array of the first run: x=@x.npy
    #[arg(long = "in", value_name = "NAME=@FILE", value_parser = pair)]
    inputs: Vec<Pair>,
    /// The component, if it is no longer where the report says
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Write the report of this run
    #[arg(long, value_name = "FILE|-")]
    report: Option<String>,
    #[command(flatten)]
    host: HostArguments,
}

impl RerunCommand {
    /// Runs again and compares.
    pub(crate) fn execute(self) -> Result<u8> {
        let first = crate::report::read(&self.report_file)?;
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let policy = self.host.policy.load()?;
        let request = self.request(&first).map_err(usage)?;
        let component = self.component(&first).map_err(usage)?;
        let mut collisions = Collisions::default();
        collisions.reads("the first report", &self.report_file);
        collisions.reads("the component", &component);
        collisions.launches(&request.inputs, &request.outputs);
        let report = Reporting::prepare(self.report.as_deref(), collisions)?;
        check_component(&first, &component)?;
        let cell = self.host.cell(policy.as_ref(), first.grants.clone())?;
        let again = launch(&cell, &component, request).report;
        report.write(&again)?;
        check_same_question(&first, &again).map_err(usage)?;
        let differences = differences(&first, &again);
        for difference in &differences {
            note(format_args!("different: {difference}"))?;
        }
        if differences.is_empty() {
            let fuel = again
                .usage
                .fuel_used
                .map(|fuel| format!(", fuel {}", fuel))
                .unwrap_or_default();
            note(format_args!(
                "same: {}, {} results{fuel}",
                again.outcome.kind,
                again.results.len()
            ))?;
            return Ok(0);
        }
        if first.metering != Metering::Deterministic {
            note(format_args!(
                "note: the first run was in `{}`, which does not promise the same bytes",
                first.metering
            ))?;
        }
        Ok(DIFFERENT)
    }

    fn component(&self, first: &Report) -> Result<PathBuf> {
        let named = first.component.path.as_ref().map(PathBuf::from);
        self.component.clone().or(named).context(
            "the report does not say where the component was; name it with --component FILE",
        )
    }

    fn request(&self, first: &Report) -> Result<CommandRequest> {
        let mut request = Request::new()
            .tenant(self.host.policy.tenant())
            .metering(Metering::Deterministic)
            .wants(first.grants.iter())
            .entry(&first.component.entry);
        for (name, value) in &first.scalars {
            request = request.scalar(name, *value);
        }
        for (name, extent) in &first.dims {
            request = request.dim(name, *extent);
        }
        for (name, limit) in first
            .limits
            .iter()
            .filter(|(_, l)| l.source == LimitSource::Request)
        {
            request = request.limit(find_limit(name)?, limit.value);
        }
        if let Some(seed) = first.seed {
            request = request.seed(seed);
        }
        // One instance did it all: the kernel was not cut, or was told not to be.
        if first.outcome.kind == OutcomeKind::Done && first.usage.instances == 1 {
            request = request.cutting(Cutting::Whole);
        }
        check_unique("--in", self.inputs.iter().map(|pair| pair.name.as_str()))?;
        let inputs = self
            .inputs
            .iter()
            .map(|pair| Ok((pair.name.clone(), locator(pair)?)));
        Ok(CommandRequest {
            request,
            inputs: inputs.collect::<Result<_>>()?,
            outputs: Vec::new(),
            kept: Arc::default(),
            quiet: true,
        })
    }
}

/// Nothing runs but the component of the report.
fn check_component(first: &Report, path: &Path) -> Result<()> {
    let component =
        Component::read(path).map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
    if first.component.digest != Some(component.digest()) {
        return Err(CommandError::of(
            OutcomeKind::Usage,
            anyhow::anyhow!(
                "{} is not the component of the report; name the right one with --component FILE",
                path.display()
            ),
        ));
    }
    Ok(())
}

/// The component and the arguments must be those of the first run, or there is nothing to compare.
fn check_same_question(first: &Report, again: &Report) -> Result<()> {
    if first.component.digest != again.component.digest {
        bail!(
            "the component is not the one of the report; name the right one with --component FILE"
        );
    }
    if matches!(
        again.outcome.kind,
        OutcomeKind::Usage | OutcomeKind::Io | OutcomeKind::Denied
    ) && again.outcome.kind != first.outcome.kind
    {
        bail!("{}", explain(&again.outcome));
    }
    if first.outcome.kind == OutcomeKind::Done && first.arguments.len() != again.arguments.len() {
        bail!("the report does not have the arguments that this kernel takes");
    }
    for (first, again) in first.arguments.iter().zip(&again.arguments) {
        if first.blake3.is_none() {
            bail!(
                "the report has no digest of input `{}`, so it is no receipt",
                first.name
            );
        }
        if first != again {
            bail!("input `{}` is not the one of the report", first.name);
        }
    }
    Ok(())
}

fn differences(first: &Report, again: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if first.outcome.kind != again.outcome.kind {
        found.push(format!(
            "outcome {}, was {}",
            again.outcome.kind, first.outcome.kind
        ));
    }
    // A run in `fast` counted no fuel, which is no difference.
    if let (Some(was), Some(now)) = (first.usage.fuel_used, again.usage.fuel_used)
        && was != now
    {
        found.push(format!("fuel {}, was {}", now, was));
    }
    let by_name =
        |results: &[ArrayReport], name: &str| results.iter().find(|r| r.name == name).cloned();
    if first.results.len() != again.results.len() {
        found.push(format!(
            "{} results, were {}",
            again.results.len(),
            first.results.len()
        ));
    }
    for was in &first.results {
        if by_name(&again.results, &was.name).as_ref() != Some(was) {
            found.push(format!("bytes of result `{}`", was.name));
        }
    }
    found
}

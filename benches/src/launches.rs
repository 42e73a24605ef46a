//! Launches through the library, as an embedding program makes them.

use anyhow::{Context, Result, ensure};
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::report::Report;
use hotcell::{Array, Cell, Component, Digests, Metering, Request};
use hotcell_cases::{Arguments, Case, Level, Twin};

/// A kernel's component and twins.
pub(crate) struct Subject {
    /// The crate's name.
    pub(crate) name: String,
    /// The component.
    pub(crate) component: Component,
    /// Compiled for the architecture's baseline.
    pub(crate) baseline: Twin,
    /// Compiled for this machine.
    pub(crate) native: Twin,
}

impl Subject {
    /// Loads what `cargo xtask` has built.
    pub(crate) fn load(name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            component: Component::read(hotcell_cases::component(name))?,
            baseline: Twin::load(name, Level::Baseline)?,
            native: Twin::load(name, Level::Native)?,
        })
    }

    /// A case's arguments.
    pub(crate) fn arguments(&self, case: &Case) -> Result<Arguments> {
        let entry = self
            .baseline
            .manifest()
            .kernel(&case.entry)
            .context("the entry")?;
        case.arguments(&self.name, entry)
    }

    /// The arguments of a case with other dimensions.
    pub(crate) fn resized(&self, entry: &str, dims: &[(&str, u64)]) -> Result<Arguments> {
        let cases = Case::load(&self.name)?;
        let case = cases.into_iter().find(|case| case.entry == entry);
        let mut case = case.with_context(|| format!("no case of `{entry}`"))?;
        for (name, extent) in dims {
            case.dims.insert((*name).to_owned(), *extent);
        }
        self.arguments(&case)
    }
}

/// The names asked for, or all.
pub(crate) fn names(asked: &[String]) -> Result<Vec<String>> {
    let all = hotcell_cases::kernels()?;
    for name in asked {
        ensure!(all.contains(name), "there is no kernel `{name}`");
    }
    let is_asked = |name: &String| asked.is_empty() || asked.contains(name);
    Ok(all.into_iter().filter(is_asked).collect())
}

/// A request with limits out of the way and no digests.
pub(crate) fn request(arguments: &Arguments, metering: Metering) -> Result<Request> {
    let mut request = Request::new()
        .entry(arguments.kernel.name())
        .metering(metering)
        .digests(Digests::None)
        .threads(1)
        .limit(Limit::Memory, 2 << 30)
        .limit(Limit::Fuel, 1_000_000_000_000)
        .limit(Limit::Timeout, 600_000_000_000)
        .limit(Limit::CpuTime, 1_200_000_000_000);
    for (name, extent) in &arguments.dims {
        request = request.dim(name, *extent);
    }
    for (name, value) in &arguments.scalars {
        request = request.scalar(name, *value);
    }
    for input in arguments.inputs() {
        let bytes = input.data.bytes().to_vec();
        request = request.input(&input.name, Array::new(input.ty.clone(), bytes)?);
    }
    Ok(request)
}

/// Runs a request that must succeed.
pub(crate) fn run(cell: &Cell, component: &Component, request: &Request) -> Result<Report> {
    let ended = cell.run(component, request.clone());
    ensure!(
        ended.outcome.kind == OutcomeKind::Done,
        "{}",
        ended.outcome.message
    );
    Ok(ended.report)
}

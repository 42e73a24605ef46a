//! Profiles: what an entry costs by the sizes of its arrays.

use crate::cell::Cell;
use crate::component::Component;
use crate::plan::Plan;
use hotcell::manifest::Cost;
use hotcell_model::text::chain;
use hotcell_profile::inputs::Given;
use hotcell_profile::subject::{Subject, metering_of};
use hotcell_profile::suggest::{Margin, Style, policy_text, suggest};
use hotcell_profile::sweep::Sweep;
use hotcell_profile::{Profile, ProfileError, Settings, take};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Takes a profile, which is given as JSON. Sweeps, dimensions, scalars and fills are texts as the command takes them. An interrupt
/// stops it before the next launch.
#[pyfunction]
#[pyo3(signature = (cell, component, plan, entry, sweeps, *, dims, scalars, fills, seed, repeats, search, honest))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn profile(
    py: Python<'_>,
    cell: &Cell,
    component: &Component,
    plan: &Plan,
    entry: &str,
    sweeps: Vec<String>,
    dims: BTreeMap<String, String>,
    scalars: BTreeMap<String, String>,
    fills: BTreeMap<String, String>,
    seed: u64,
    repeats: u32,
    search: u32,
    honest: u32,
) -> PyResult<String> {
    let sweeps = sweeps.iter().map(|text| text.parse::<Sweep>());
    let given = fills
        .iter()
        .map(|(name, text)| Ok((name.clone(), text.parse::<Given>()?)));
    let settings = Settings {
        sweeps: sweeps
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error))?,
        given: given
            .collect::<Result<_, hotcell_profile::inputs::RecipeError>>()
            .map_err(|error| wrong(&error))?,
        seed,
        repeats,
        search,
        honest,
    };
    let fixed = dims
        .iter()
        .map(|(name, text)| Ok((name.clone(), Cost::parse(text)?)));
    let fixed: Result<BTreeMap<_, _>, hotcell::manifest::CostError> = fixed.collect();
    let fixed = fixed.map_err(|error| wrong(&error))?;
    let (cell, component, request) = (cell.cell()?, component.inner.clone(), plan.request.clone());
    let mut interrupt = None;
    let taken = py.detach(|| {
        let described = cell.describe_for(&component, &request);
        let description = described.map_err(|outcome| PyRuntimeError::new_err(outcome.message))?;
        let kernel = description.manifest.kernel(entry);
        let kernel =
            kernel.ok_or_else(|| PyValueError::new_err(format!("there is no entry `{entry}`")))?;
        let subject = Subject::new(&cell, &component, kernel, request, fixed, scalars);
        let metering = metering_of(&description.imports, kernel);
        let mut subject = subject.map_err(|error| wrong(&error))?.metered(metering);
        let host = concat!("hotcell ", env!("CARGO_PKG_VERSION"));
        let taken = take(
            &mut subject,
            &settings,
            host,
            &mut |_| match Python::attach(|py| py.check_signals()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    interrupt = Some(error);
                    ControlFlow::Break(())
                }
            },
        );
        taken.map_err(|error| match error {
            ProfileError::NothingDone { .. } => PyRuntimeError::new_err(chain(&error)),
            error => wrong(&error),
        })
    });
    match (interrupt, taken) {
        (Some(interrupt), _) => Err(interrupt),
        (None, taken) => serde_json::to_string(&taken?).map_err(|error| wrong(&error)),
    }
}

/// The page of a profile that is given as JSON.
#[pyfunction]
pub(crate) fn profile_page(profile: &str, margin: f64) -> PyResult<String> {
    let (profile, margin) = (read(profile)?, percent(margin)?);
    let suggestion = suggest(&profile, &[], margin);
    Ok(hotcell_profile::page(
        &profile,
        suggestion.as_ref(),
        margin,
        None,
    ))
}

/// The limits that a profile suggests, as a policy's text.
#[pyfunction]
pub(crate) fn profile_policy(profile: &str, margin: f64) -> PyResult<String> {
    let (profile, margin) = (read(profile)?, percent(margin)?);
    let suggestion = suggest(&profile, &[], margin);
    let suggestion =
        suggestion.ok_or_else(|| PyValueError::new_err("no launch of the profile was done"))?;
    Ok(policy_text(&[suggestion], margin, Style::Limits))
}

fn read(profile: &str) -> PyResult<Profile> {
    serde_json::from_str(profile).map_err(|error| wrong(&error))
}

fn percent(margin: f64) -> PyResult<Margin> {
    margin.to_string().parse().map_err(|error| wrong(&error))
}

fn wrong(error: &(dyn std::error::Error + 'static)) -> PyErr {
    PyValueError::new_err(chain(error))
}

//! How a launch ended, as Python looks at it.

use crate::hint;
use crate::host::{AnyReport, Launched};
use crate::memory::Memory;
use hotcell::limit::Limit;
use hotcell::outcome::Outcome;
use hotcell::report::Report;
use hotcell_model::outcome::Cause;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How a launch ended. What is not looked at is not made.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Ended {
    outcome: Outcome,
    report: AnyReport,
    results: Vec<(String, Py<Memory>)>,
}

impl Ended {
    pub(crate) fn of(py: Python<'_>, launched: Launched) -> PyResult<Self> {
        let results = launched.results.iter().map(|result| {
            let memory = py.detach(|| Memory::of(&result.array))?;
            Ok((result.name.clone(), Py::new(py, memory)?))
        });
        Ok(Self {
            results: results.collect::<PyResult<_>>()?,
            outcome: launched.outcome,
            report: launched.report,
        })
    }

    pub(crate) fn refused(outcome: Outcome) -> Self {
        Self {
            outcome,
            report: AnyReport::None,
            results: Vec::new(),
        }
    }
}

#[pymethods]
impl Ended {
    /// The kind of end, as `out-of-fuel`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.outcome.kind.name()
    }

    /// The command's exit code for it.
    #[getter]
    fn exit_code(&self) -> u8 {
        self.outcome.kind.exit_code()
    }

    /// Whose doing it was.
    #[getter]
    fn blame(&self) -> Option<&'static str> {
        self.outcome.blame.map(|blame| blame.name())
    }

    /// What happened, and what to do about it in Python.
    #[getter]
    fn message(&self) -> String {
        self.outcome.explain(hint::hint)
    }

    /// The guest's innermost functions at a trap, innermost first.
    #[getter]
    fn trace(&self) -> Vec<String> {
        self.outcome.trace.iter().map(ToString::to_string).collect()
    }

    /// Whether the guest returned early because it was asked to.
    #[getter]
    fn partial(&self) -> bool {
        self.outcome.partial
    }

    /// Whether the same launch would end the same way again.
    #[getter]
    fn reproducible(&self) -> bool {
        self.outcome.reproducible
    }

    /// The limit that was reached, or that it would have been, if one was: its name in reports, the amount, the maximum.
    #[getter]
    fn breach(&self) -> Option<(&'static str, u64, u64)> {
        self.outcome.causes.iter().find_map(|cause| match cause {
            Cause::Limit(breach) => {
                Some((breach.limit.name(), breach.amount.value(), breach.maximum))
            }
            Cause::Foretold { at_least, maximum } => {
                Some((Limit::Fuel.name(), *at_least, *maximum))
            }
            _ => None,
        })
    }

    /// In how many seconds a spent budget has enough, if that is known.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.outcome.causes.iter().find_map(|cause| match cause {
            Cause::BudgetSpent { retry_after_ns, .. } => {
                retry_after_ns.map(|ns| std::time::Duration::from_nanos(ns).as_secs_f64())
            }
            _ => None,
        })
    }

    /// The report as JSON; `None` where there is none.
    fn report_json(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let text = |report: &Report| serde_json::to_string(report);
        match &self.report {
            AnyReport::Own(report) => {
                let written = py.detach(|| text(report));
                let written =
                    written.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
                Ok(Some(written))
            }
            AnyReport::Told(report) => Ok(Some(report.json().to_owned())),
            AnyReport::None => Ok(None),
        }
    }

    /// The results by name, with their dtypes by their names in manifests.
    #[getter]
    fn results(&self, py: Python<'_>) -> Vec<(String, Py<Memory>)> {
        let results = self.results.iter();
        results
            .map(|(name, memory)| (name.clone(), memory.clone_ref(py)))
            .collect()
    }
}

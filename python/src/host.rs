//! Who launches: a cell of this process, or a daemon. Both are asked alike.

use crate::cell::Cell;
use crate::daemon::Daemon;
use crate::plan::Plan;
use hotcell::manifest::ScalarValue;
use hotcell::outcome::Outcome;
use hotcell::report::Report;
use hotcell::{Array, Component, NamedArray, Observer, StopSignal, Tenant};
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_serve::protocol::ReportText;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a kernel is launched on.
pub(crate) struct Arguments {
    pub(crate) inputs: Vec<(String, Array)>,
    pub(crate) scalars: Vec<(String, ScalarValue)>,
    pub(crate) dims: Vec<(String, u64)>,
}

/// A report, read where somebody looks at it.
pub(crate) enum AnyReport {
    Own(Box<Report>),
    Told(ReportText),
    /// The launch did not come so far.
    None,
}

/// How a launch ended.
pub(crate) struct Launched {
    pub(crate) outcome: Outcome,
    pub(crate) report: AnyReport,
    pub(crate) results: Vec<NamedArray>,
}

impl Launched {
    /// It could not even begin.
    pub(crate) fn failed(kind: OutcomeKind, blame: Blame, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::failed(kind, blame, message),
            report: AnyReport::None,
            results: Vec::new(),
        }
    }
}

/// Who launches. Any thread may ask, and none holds the interpreter's lock meanwhile.
pub(crate) trait Host: Send + Sync {
    /// What a component's manifest says, as JSON: `name`, `version` and `kernels`. A daemon knows itself whom to charge.
    fn describe(&self, component: &Component, tenant: Tenant) -> Result<String, Outcome>;

    /// Launches a kernel, and waits for its end.
    fn launch(
        &self,
        component: &Component,
        plan: &Plan,
        arguments: Arguments,
        observer: Option<Arc<dyn Observer>>,
        stop: &Arc<StopSignal>,
    ) -> Launched;
}

/// The host behind a Python object.
pub(crate) fn of(host: Bound<'_, PyAny>) -> PyResult<Arc<dyn Host>> {
    if let Ok(cell) = host.cast::<Cell>() {
        return cell.get().host();
    }
    match host.cast::<Daemon>() {
        Ok(daemon) => Ok(daemon.get().host()),
        Err(_) => Err(PyTypeError::new_err("neither a cell nor a daemon")),
    }
}

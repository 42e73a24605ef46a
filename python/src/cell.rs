//! A cell of this process.

use crate::host::{AnyReport, Arguments, Host, Launched};
use crate::launch::Described;
use crate::plan::{Plan, parsed};
use hotcell::grant::{Capability, Grants};
use hotcell::outcome::Outcome;
use hotcell::{
    Component, GpuDevice, Isolation, Observer, Places, Request, StopSignal, Tenant, Terms, Tier,
};
use hotcell_desk::{Lifetime, furnish, lacking};
use hotcell_model::text::chain;
use hotcell_policy::FilePolicy;
use hotcell_sandbox::process::ProcessIdentity;
use pyo3::exceptions::{PyOSError, PyPermissionError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde_json::json;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A cell of this process, with its workers.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Cell {
    local: ManuallyDrop<Arc<Local>>,
    /// The process that made it, whose children its workers are.
    process: ProcessIdentity,
}

struct Local {
    cell: hotcell::Cell,
}

impl Cell {
    /// The cell itself, for what else it does than launch.
    pub(crate) fn cell(&self) -> PyResult<hotcell::Cell> {
        self.host()?;
        Ok(self.local.cell.clone())
    }

    pub(crate) fn host(&self) -> PyResult<Arc<dyn Host>> {
        match ProcessIdentity::own() == self.process {
            true => Ok(Arc::clone(&self.local) as Arc<dyn Host>),
            false => Err(PyRuntimeError::new_err(
                "this cell was made before a fork, and its workers are the parent's: make one in each process",
            )),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if ProcessIdentity::own() == self.process {
            // SAFETY: it is taken once, here.
            let local = unsafe { ManuallyDrop::take(&mut self.local) };
            // Its threads may have something to tell Python before they end.
            let mut local = Some(local);
            let _ = Python::try_attach(|py| {
                let local = local.take();
                py.detach(|| drop(local));
            });
        }
    }
}

#[pymethods]
impl Cell {
    /// `workers` is the directory of the worker programs and `library` the file that holds this code. `policy` is a file, or
    /// `None` for the one that is found where policies are; with `is_free` there is none. Grants are those of a cell without a
    /// policy.
    #[new]
    #[pyo3(signature = (workers, library, *, policy=None, is_free=false, tier=None, grants=None, gpu_device=None, cache=true, on_problem=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        workers: PathBuf,
        library: PathBuf,
        policy: Option<PathBuf>,
        is_free: bool,
        tier: Option<&str>,
        grants: Option<Vec<String>>,
        gpu_device: Option<&str>,
        cache: bool,
        on_problem: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let tier = tier.map(|tier| parsed("tier", tier)).transpose()?;
        let gpu: Option<GpuDevice> = gpu_device
            .map(|device| parsed("gpu_device", device))
            .transpose()?;
        let grants = grants
            .map(|grants| grants.iter().map(|one| parsed("grants", one)).collect())
            .transpose()?;
        let tell = move |problem: String| {
            let Some(on_problem) = &on_problem else {
                return;
            };
            // An interpreter that ends hears nothing any more.
            let _ = Python::try_attach(|py| {
                if let Err(error) = on_problem.call1(py, (problem,)) {
                    error.write_unraisable(py, None);
                }
            });
        };
        let wish = Wish {
            workers,
            library,
            policy: match is_free {
                true => Policy::None,
                false => policy.map_or(Policy::Found, Policy::File),
            },
            tier,
            grants,
            gpu: gpu.unwrap_or_default(),
            has_cache: cache,
        };
        let cell = py.detach(|| wish.cell(Arc::new(tell)))?;
        Ok(Self {
            local: ManuallyDrop::new(Arc::new(Local { cell })),
            process: ProcessIdentity::own(),
        })
    }

    /// What a component's manifest says, as JSON, or why it is none. `tenant` is who is charged.
    #[pyo3(signature = (component, tenant=None))]
    fn describe(
        &self,
        py: Python<'_>,
        component: &crate::component::Component,
        tenant: Option<&str>,
    ) -> PyResult<Described> {
        Described::of(py, self.host()?, component, tenant)
    }
}

/// What is wished of a cell.
struct Wish {
    workers: PathBuf,
    library: PathBuf,
    policy: Policy,
    tier: Option<Tier>,
    grants: Option<Vec<Capability>>,
    gpu: GpuDevice,
    has_cache: bool,
}

enum Policy {
    File(PathBuf),
    /// Where policies are, if there is one.
    Found,
    None,
}

impl Wish {
    fn cell(self, on_problem: hotcell_desk::OnProblem) -> PyResult<hotcell::Cell> {
        let failed = |error: &dyn std::error::Error| PyOSError::new_err(chain(error));
        let policy = match &self.policy {
            Policy::File(path) => Some(load(path)?),
            Policy::Found => {
                let found = FilePolicy::find();
                found.map_err(|error| PyValueError::new_err(chain(&error)))?
            }
            Policy::None => None,
        };
        if let Some(policy) = &policy
            && let Some(required) = lacking(policy, Isolation::Confined, self.tier)
        {
            let asked = self.tier.map(|tier| tier.to_string()).unwrap_or_default();
            return Err(PyPermissionError::new_err(format!(
                "tier={asked:?} was asked for, and {} requires `{required}`",
                policy.name()
            )));
        }
        let least = policy.as_ref().map_or(Tier::Full, FilePolicy::tier);
        let builder = hotcell::Cell::confined()
            .workers(self.workers)
            .workers_as_trusted_as(self.library)
            .require_tier(self.tier.unwrap_or(least))
            .gpu(self.gpu);
        let builder = match (&policy, self.grants) {
            (None, Some(grants)) => {
                let built_in = Grants::built_in();
                let grants = built_in.iter().chain(grants).collect();
                builder.policy(Terms {
                    grants,
                    ..Terms::default()
                })
            }
            (Some(policy), Some(_)) => {
                return Err(PyPermissionError::new_err(format!(
                    "grants were asked for, and {} says what kernels are granted",
                    policy.name()
                )));
            }
            (_, None) => builder,
        };
        let places = Places::from_environment();
        let builder = match (self.has_cache, &places) {
            (true, Ok(places)) => builder.cache(places.clone()),
            // Whoever has no home has no cache.
            (true, Err(_)) | (false, _) => builder,
        };
        let builder = match &policy {
            Some(policy) => furnish(builder, Some(policy), places, Lifetime::Process, on_problem)
                .map_err(|error| failed(&error))?,
            // Nobody has asked for a record.
            None => builder,
        };
        builder.build().map_err(|error| failed(&error))
    }
}

fn load(path: &Path) -> PyResult<FilePolicy> {
    FilePolicy::load(path).map_err(|error| PyValueError::new_err(chain(&error)))
}

impl Host for Local {
    fn describe(&self, component: &Component, tenant: Tenant) -> Result<String, Outcome> {
        let request = Request::new().tenant(tenant);
        let described = self.cell.describe_for(component, &request)?;
        let manifest = &described.manifest;
        let kernels: Vec<_> = manifest
            .kernels()
            .iter()
            .map(|kernel| kernel.record())
            .collect();
        let component = manifest.component();
        Ok(
            json!({"name": component.name, "version": component.version, "kernels": kernels})
                .to_string(),
        )
    }

    fn launch(
        &self,
        component: &Component,
        plan: &Plan,
        arguments: Arguments,
        observer: Option<Arc<dyn Observer>>,
        stop: &Arc<StopSignal>,
    ) -> Launched {
        let request = requested(plan.request.clone(), arguments, observer);
        let ended = self.cell.run_until(component, request, stop);
        Launched {
            outcome: ended.outcome,
            report: AnyReport::Own(Box::new(ended.report)),
            results: ended.results,
        }
    }
}

fn requested(
    mut request: Request,
    arguments: Arguments,
    observer: Option<Arc<dyn Observer>>,
) -> Request {
    for (name, array) in arguments.inputs {
        request = request.input(name, array);
    }
    for (name, value) in arguments.scalars {
        request = request.scalar(name, value);
    }
    for (name, extent) in arguments.dims {
        request = request.dim(name, extent);
    }
    match observer {
        Some(observer) => request.observer(observer),
        None => request,
    }
}

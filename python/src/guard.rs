//! Guarded processes, as their supervisor's Python has them.

use crate::arrays::{Given, Taken};
use crate::cell::Cell;
use crate::ended::Ended;
use crate::host::{AnyReport, Launched};
use crate::kept;
use crate::launch::{Started, on_own_thread};
use crate::memory::{Memory, array_type, dtype};
use crate::plan::{amount, limit_of, parsed};
use crate::watched::{Ears, Listener, OnMain};
use bytes::Bytes;
use hotcell::guarded::GuardProfile;
use hotcell::limit::Limit;
use hotcell::manifest::DType;
use hotcell::{
    Array, ArrayType, Caller, GuardCall, GuardEnded, GuardSettings, Observer, Source, StopSignal,
    Tenant,
};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A guarded process of a cell.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Guard {
    inner: Arc<hotcell::Guard>,
}

/// How functions are called, apart from their arguments: read once, and used for many calls.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct GuardPlan {
    limits: BTreeMap<Limit, u64>,
    stop_grace: Duration,
    on_log: Option<Py<PyAny>>,
}

#[pymethods]
impl GuardPlan {
    /// `limits` as for kernels.
    #[new]
    #[pyo3(signature = (limits, *, stop_grace=None, on_log=None))]
    fn new(
        limits: BTreeMap<String, Bound<'_, PyAny>>,
        stop_grace: Option<f64>,
        on_log: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let limits = limits.iter().map(|(name, value)| {
            let limit = match name.as_str() {
                // What is a kernel's memory there is a process's here.
                "memory" => Limit::ProcessMemory,
                "scratch" => Limit::ScratchBytes,
                name => limit_of(name)?,
            };
            Ok((limit, amount(limit, name, value)?))
        });
        let stop_grace = stop_grace
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|error| PyValueError::new_err(format!("stop_grace: {error}")))?;
        Ok(Self {
            limits: limits.collect::<PyResult<_>>()?,
            stop_grace: stop_grace.unwrap_or(GuardCall::DEFAULT_STOP_GRACE),
            on_log,
        })
    }
}

/// What is called: its name and file for records, its pickle, and that of its arguments with what that is about.
#[derive(FromPyObject)]
struct Called<'py> {
    function: String,
    path: Option<String>,
    function_pickle: Bound<'py, PyBytes>,
    arguments_pickle: Bound<'py, PyBytes>,
    /// Arrays in C order, each with its dtype's name.
    buffers: Vec<(String, Bound<'py, PyAny>)>,
    /// Arguments that are arrays: names, dtypes, extents.
    arrays: Vec<(String, String, Vec<u64>)>,
}

struct Ready {
    call: GuardCall,
    buffers: Vec<Given>,
}

impl Ready {
    /// Reads the buffers, for which the interpreter's lock is not needed.
    fn call(self) -> PyResult<GuardCall> {
        let read = |given: &Given| Ok(given.array()?.source().clone());
        let buffers = self.buffers.iter().map(read).collect::<PyResult<_>>()?;
        Ok(GuardCall {
            buffers,
            ..self.call
        })
    }
}

impl GuardPlan {
    fn ready(&self, called: &Called<'_>) -> PyResult<Ready> {
        let buffers = called.buffers.iter().map(|(name, array)| {
            Taken::of(&called.function, "argument", dtype(name)?, array)?.given()
        });
        let array = |(name, of, shape): &(String, String, Vec<u64>)| {
            Ok((name.clone(), array_type(dtype(of)?, shape.clone())?))
        };
        Ok(Ready {
            buffers: buffers.collect::<PyResult<_>>()?,
            call: GuardCall {
                function: called.function.clone(),
                path: called.path.clone(),
                function_pickle: Bytes::copy_from_slice(called.function_pickle.as_bytes()),
                arguments_pickle: Bytes::copy_from_slice(called.arguments_pickle.as_bytes()),
                buffers: Vec::new(),
                arrays: called.arrays.iter().map(array).collect::<PyResult<_>>()?,
                limits: self.limits.clone(),
                stop_grace: self.stop_grace,
                caller: Caller::default(),
                observer: Arc::new(()),
                ticket: None,
            },
        })
    }

    fn ears(&self, py: Python<'_>, stop: &Arc<StopSignal>) -> Option<Arc<Ears>> {
        Ears::new(
            self.on_log.as_ref().map(|one| one.clone_ref(py)),
            None,
            stop,
        )
    }
}

/// How a guarded call ended: its end as that of any launch, the value's text, the memory of its arrays, and of each its dtype, its
/// extents and where it begins; and where it raised.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct GuardReturn {
    #[pyo3(get)]
    ended: Py<Ended>,
    #[pyo3(get)]
    text: Option<String>,
    #[pyo3(get)]
    memory: Option<Py<Memory>>,
    #[pyo3(get)]
    arrays: Vec<(&'static str, Vec<u64>, usize)>,
    #[pyo3(get)]
    traceback: String,
}

impl GuardReturn {
    fn of(py: Python<'_>, ended: GuardEnded) -> PyResult<Self> {
        let launched = Launched {
            outcome: ended.outcome,
            report: AnyReport::Own(Box::new(ended.report)),
            results: Vec::new(),
        };
        let (mut text, mut memory, mut arrays) = (None, None, Vec::new());
        if let Some(returned) = ended.returned {
            if !returned.arrays.is_empty() {
                let whole = py.detach(|| whole(returned.memory))?;
                memory = Some(Py::new(py, whole)?);
            }
            text = Some(returned.text);
            arrays = returned
                .arrays
                .iter()
                .map(|(ty, offset)| (ty.dtype().name(), ty.shape().to_vec(), *offset))
                .collect();
        }
        Ok(Self {
            ended: Py::new(py, Ended::of(py, launched)?)?,
            text,
            memory,
            arrays,
            traceback: ended.traceback,
        })
    }
}

/// All of what arrays lie in, as bytes.
fn whole(source: Source) -> PyResult<Memory> {
    let failed = |error: &dyn std::error::Error| PyMemoryError::new_err(error.to_string());
    let ty = ArrayType::new(DType::U8, [source.len_bytes()]).map_err(|error| failed(&error))?;
    let array = Array::from_source(ty, source).map_err(|error| failed(&error))?;
    Memory::of(&array)
}

#[pymethods]
impl Guard {
    #[new]
    #[pyo3(signature = (cell, interpreter, arguments, *, profiles, read, write, setup, tenant=None, spare=false))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        cell: &Cell,
        interpreter: PathBuf,
        arguments: Vec<OsString>,
        profiles: Vec<String>,
        read: Vec<PathBuf>,
        write: Vec<PathBuf>,
        setup: String,
        tenant: Option<&str>,
        spare: bool,
    ) -> PyResult<Self> {
        let profiles = profiles
            .iter()
            .map(|name| parsed::<GuardProfile>("profile", name));
        let tenant: Option<Tenant> = tenant.map(|tenant| parsed("tenant", tenant)).transpose()?;
        let settings = GuardSettings {
            interpreter,
            arguments,
            profiles: profiles.collect::<PyResult<_>>()?,
            read,
            write,
            setup,
            tenant: tenant.unwrap_or_default(),
            has_spare: spare,
        };
        Ok(Self {
            inner: Arc::new(cell.cell()?.guard(settings)),
        })
    }

    /// Calls a function, and waits for its end.
    fn call(&self, py: Python<'_>, plan: &GuardPlan, called: Called<'_>) -> PyResult<GuardReturn> {
        kept::release(py);
        let mut ready = plan.ready(&called)?;
        let on_main = OnMain::begin()?;
        let stop = match &on_main {
            Some(on_main) => Arc::clone(on_main.stop()),
            None => Arc::default(),
        };
        let ears = plan.ears(py, &stop);
        if let Some(ears) = &ears {
            ready.call.observer = Arc::clone(ears) as Arc<dyn Observer>;
        }
        let ended = py.detach(|| Ok::<_, PyErr>(self.inner.call(ready.call()?, &stop)))?;
        kept::release(py);
        if let Some(error) = on_main.and_then(|on_main| on_main.error()) {
            return Err(error);
        }
        match ears.and_then(|ears| ears.error()) {
            Some(error) => Err(error),
            None => GuardReturn::of(py, ended),
        }
    }

    /// Calls a function on a thread of its own, which calls `done` with its end or an exception.
    fn start(
        &self,
        py: Python<'_>,
        done: Py<PyAny>,
        plan: &GuardPlan,
        called: Called<'_>,
    ) -> PyResult<Started> {
        kept::release(py);
        let mut ready = plan.ready(&called)?;
        let stop = Arc::<StopSignal>::default();
        let ears = plan.ears(py, &stop);
        if let Some(ears) = &ears {
            ready.call.observer = Arc::clone(ears) as Arc<dyn Observer>;
        }
        // In the order in which they are asked for, and not in which threads come up.
        ready.call.ticket = Some(self.inner.ticket());
        let call = py.detach(|| ready.call())?;
        let (guard, signal) = (Arc::clone(&self.inner), Arc::clone(&stop));
        on_own_thread(
            done,
            ears,
            stop,
            move || guard.call(call, &signal),
            GuardReturn::of,
        )
    }

    /// Starts the process in the background, where there is none.
    fn warm(&self, py: Python<'_>) {
        py.detach(|| self.inner.warm());
    }

    /// Has the next call go to another process.
    fn renew(&self, py: Python<'_>) {
        py.detach(|| self.inner.renew());
    }

    /// Ends the process.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }
}

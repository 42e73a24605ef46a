//! Launching: arguments in, and their end out, with the interpreter's lock given up in between.

use crate::arrays;
use crate::component::Component;
use crate::ended::Ended;
use crate::host::{self, Arguments, Host, Launched};
use crate::kept;
use crate::kernel::{Call, Kernel};
use crate::memory::Memory;
use crate::plan::{Plan, parsed};
use crate::watched::{Ears, Listener, OnMain};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Array, Observer, StopSignal};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// What a component's manifest says, or how the reading ended.
#[derive(IntoPyObject)]
pub(crate) enum Described {
    Text(String),
    Ended(Ended),
}

impl Described {
    pub(crate) fn of(
        py: Python<'_>,
        host: Arc<dyn Host>,
        component: &Component,
        tenant: Option<&str>,
    ) -> PyResult<Self> {
        let tenant = tenant.map(|tenant| parsed("tenant", tenant)).transpose()?;
        let described = py.detach(|| host.describe(&component.inner, tenant.unwrap_or_default()));
        Ok(match described {
            Ok(text) => Self::Text(text),
            Err(outcome) => Self::Ended(Ended::refused(outcome)),
        })
    }
}

/// An entry that is launched, always in the same way and on the same host.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Entry {
    /// Python's host, whose native half may be another one in another process.
    host: Py<PyAny>,
    component: Py<Component>,
    kernel: Py<Kernel>,
    plan: Py<Plan>,
    on_log: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
}

/// A call that is ready to be launched.
struct Ready {
    host: Arc<dyn Host>,
    arguments: Arguments,
}

#[pymethods]
impl Entry {
    #[new]
    #[pyo3(signature = (host, component, kernel, plan, on_log=None, on_progress=None))]
    fn new(
        host: Py<PyAny>,
        component: Py<Component>,
        kernel: Py<Kernel>,
        plan: Py<Plan>,
        on_log: Option<Py<PyAny>>,
        on_progress: Option<Py<PyAny>>,
    ) -> Self {
        Self {
            host,
            component,
            kernel,
            plan,
            on_log,
            on_progress,
        }
    }

    /// Launches the kernel and waits for its end: its result, or several as one; or the error that the end is.
    ///
    /// On the interpreter's main thread, where signals are handled, it looks for them while it waits, and what a handler raises
    /// cancels the launch and is raised.
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let launched = self.launch(py, args, kwargs)?;
        if launched.outcome.kind != OutcomeKind::Done {
            return Err(failed(py, launched));
        }
        let kernel = self.kernel.get();
        let result = |name: &String| {
            let result = launched.results.iter().find(|result| result.name == *name);
            let result = result.ok_or_else(|| {
                PyRuntimeError::new_err(format!("{}: no result `{name}` came back", kernel.name))
            })?;
            let memory = py.detach(|| Memory::of(&result.array))?;
            arrays::result(py, memory)
        };
        match (&kernel.outputs[..], &kernel.many) {
            ([], _) => Ok(py.None().into_bound(py)),
            ([only], _) => result(only),
            (several, None) => PyTuple::new(
                py,
                several.iter().map(result).collect::<PyResult<Vec<_>>>()?,
            )
            .map(Bound::into_any),
            (several, Some(many)) => {
                let results = several.iter().map(result).collect::<PyResult<Vec<_>>>()?;
                many.bind(py).call1(PyTuple::new(py, results)?)
            }
        }
    }

    /// As [`Self::call`], and gives how it ended.
    fn run(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Ended> {
        let launched = self.launch(py, args, kwargs)?;
        Ended::of(py, launched)
    }

    /// Launches the kernel on a thread of its own, which calls `done` with its end or an exception.
    fn start(
        &self,
        py: Python<'_>,
        done: Py<PyAny>,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Started> {
        let Ready { host, arguments } = self.ready(py, args, kwargs)?;
        let stop = Arc::<StopSignal>::default();
        let ears = self.ears(py, &stop);
        let component = self.component.get().inner.clone();
        let (plan, signal) = (self.plan.get().clone(), Arc::clone(&stop));
        let heard = ears.clone();
        let work = move || {
            let observer = ears.map(|ears| ears as Arc<dyn Observer>);
            let launched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                host.launch(&component, &plan, arguments, observer, &signal)
            }));
            launched.unwrap_or_else(|_| {
                Launched::failed(OutcomeKind::HostFault, Blame::Host, "the host panicked")
            })
        };
        on_own_thread(done, heard, stop, work, Ended::of)
    }

    /// Launches so often from here, as a program in Rust would, and says how many nanoseconds each took: what a call from Python
    /// is measured against (`python/benches`).
    fn repeat(
        &self,
        py: Python<'_>,
        count: usize,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Vec<u64>> {
        let host = host::of(self.host.bind(py).getattr(intern!(py, "_native"))?)?;
        let Call {
            arrays,
            scalars,
            dims,
        } = self.kernel.get().bind(args, kwargs)?;
        let (component, plan) = (&self.component.get().inner, self.plan.get());
        let stop = Arc::<StopSignal>::default();
        py.detach(|| {
            let copied =
                |(name, given): &(String, arrays::Given)| Ok((name.clone(), given.copied()?));
            let copies: Vec<_> = arrays.iter().map(copied).collect::<PyResult<_>>()?;
            let launch = |_| {
                let begun = std::time::Instant::now();
                let inputs = copies.iter().map(|(name, (ty, bytes))| {
                    let array = Array::new(ty.clone(), bytes.clone());
                    let array = array.map_err(|error| PyValueError::new_err(error.to_string()))?;
                    Ok((name.clone(), array))
                });
                let arguments = Arguments {
                    inputs: inputs.collect::<PyResult<_>>()?,
                    scalars: scalars.clone(),
                    dims: dims.clone(),
                };
                drop(host.launch(component, plan, arguments, None, &stop));
                Ok(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
            };
            (0..count).map(launch).collect()
        })
    }

    /// For Python's collector of cycles, since callbacks may lead back here.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        visit.call(&self.on_log)?;
        visit.call(&self.on_progress)
    }
}

impl Entry {
    fn ready(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Ready> {
        kept::release(py);
        let call = self.kernel.get().bind(args, kwargs)?;
        let host = host::of(self.host.bind(py).getattr(intern!(py, "_native"))?)?;
        let Call {
            arrays,
            scalars,
            dims,
        } = call;
        let read = |(name, given): &(String, arrays::Given)| Ok((name.clone(), given.array()?));
        let inputs = || arrays.iter().map(read).collect::<PyResult<Vec<_>>>();
        let arguments = Arguments {
            inputs: py.detach(inputs)?,
            scalars,
            dims,
        };
        Ok(Ready { host, arguments })
    }

    fn ears(&self, py: Python<'_>, stop: &Arc<StopSignal>) -> Option<Arc<Ears>> {
        let of = |callback: &Option<Py<PyAny>>| callback.as_ref().map(|one| one.clone_ref(py));
        Ears::new(of(&self.on_log), of(&self.on_progress), stop)
    }

    fn launch(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Launched> {
        let Ready { host, arguments } = self.ready(py, args, kwargs)?;
        let on_main = OnMain::begin()?;
        let stop = match &on_main {
            Some(on_main) => Arc::clone(on_main.stop()),
            None => Arc::default(),
        };
        let ears = self.ears(py, &stop);
        let observer = ears.clone().map(|ears| ears as Arc<dyn Observer>);
        let (component, plan) = (&self.component.get().inner, self.plan.get());
        // The host is let go of there too: its threads may want the lock before they end.
        let launched = py.detach(|| {
            let launched = host.launch(component, plan, arguments, observer, &stop);
            drop(host);
            launched
        });
        kept::release(py);
        if let Some(error) = on_main.and_then(|on_main| on_main.error()) {
            return Err(error);
        }
        match ears.and_then(|ears| ears.error()) {
            Some(error) => Err(error),
            None => Ok(launched),
        }
    }
}

/// Works on a thread of its own, without the interpreter's lock, and calls `done` with what `make` makes of the end, or with an
/// exception.
pub(crate) fn on_own_thread<T: Send + 'static, P>(
    done: Py<PyAny>,
    ears: Option<Arc<Ears>>,
    stop: Arc<StopSignal>,
    work: impl FnOnce() -> T + Send + 'static,
    make: impl FnOnce(Python<'_>, T) -> PyResult<P> + Send + 'static,
) -> PyResult<Started>
where
    P: for<'py> IntoPyObject<'py>,
{
    let work = move || {
        let worked = work();
        // An interpreter that ends hears nothing any more.
        let _ = Python::try_attach(move |py| {
            let ended = match ears.and_then(|ears| ears.error()) {
                Some(error) => Err(error),
                None => make(py, worked),
            };
            let told = match ended {
                Ok(ended) => done.call1(py, (ended, py.None())),
                Err(error) => done.call1(py, (py.None(), error.into_value(py))),
            };
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
            kept::release(py);
        });
    };
    let thread = std::thread::Builder::new().name("hotcell-launch".to_owned());
    thread
        .spawn(work)
        .map_err(|error| PyRuntimeError::new_err(format!("no thread for the launch: {error}")))?;
    Ok(Started { stop })
}

/// The error that an end is.
fn failed(py: Python<'_>, launched: Launched) -> PyErr {
    let error = || -> PyResult<Bound<'_, PyAny>> {
        let ended = Ended::of(py, launched)?;
        let module = py.import(intern!(py, "hotcell._launch"))?;
        module.call_method1(intern!(py, "failed"), (ended,))
    };
    error().map_or_else(|error| error, PyErr::from_value)
}

/// A launch on a thread of its own.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Started {
    stop: Arc<StopSignal>,
}

#[pymethods]
impl Started {
    /// Asks the launch to stop.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.stop.cancel());
    }
}

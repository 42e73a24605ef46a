//! Launching: arguments in, and their end out, with the interpreter's lock given up in between.

use crate::component::Component;
use crate::ended::Ended;
use crate::host::{self, Arguments, Host, Launched};
use crate::memory::{Memory, array_type};
use crate::plan::{Plan, parsed};
use crate::watched::{Ears, Listener, OnMain};
use bytes::Bytes;
use hotcell::manifest::{DType, ScalarValue};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Array, ArrayType, Observer, StopSignal};
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::Arc;

/// An array of the caller's: its parameter, dtype and shape, where it begins, its bytes, and what keeps it there.
type Given<'py> = (String, String, Vec<u64>, usize, usize, Bound<'py, PyAny>);
/// A scalar of the caller's: its parameter, the type that this has, the value.
type GivenScalar<'py> = (String, String, Bound<'py, PyAny>);

/// Memory of Python's.
struct Lent {
    address: usize,
    len: usize,
    /// Keeps the memory there.
    _owner: Py<PyAny>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the package takes the address and the size from an array that the owner keeps, and its documentation says
        // that arrays must not be written to while they are being passed.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.len) }
    }
}

/// An array of the caller's, not yet read.
struct Gathered {
    name: String,
    ty: ArrayType,
    bytes: Where,
}

/// Where an array's bytes are.
enum Where {
    /// In memory that was made to be passed.
    Own(Py<Memory>),
    Lent(Lent),
}

impl Gathered {
    fn of(given: Given<'_>) -> PyResult<Self> {
        let (name, dtype, shape, address, len, owner) = given;
        let bytes = match owner.cast::<Memory>() {
            Ok(memory) => Where::Own(memory.clone().unbind()),
            Err(_) => Where::Lent(Lent {
                address,
                len,
                _owner: owner.unbind(),
            }),
        };
        let ty = array_type(&dtype, shape)?;
        Ok(Self { name, ty, bytes })
    }

    /// The array; without the interpreter's lock, since memory that was written to is copied.
    fn array(self) -> PyResult<(String, Array)> {
        let array = match self.bytes {
            Where::Own(memory) => memory.get().lend(self.ty)?,
            Where::Lent(lent) => Array::new(self.ty, Bytes::from_owner(lent))
                .map_err(|error| PyValueError::new_err(error.to_string()))?,
        };
        Ok((self.name, array))
    }
}

/// A value as the parameter's type has it.
fn scalar(given: GivenScalar<'_>) -> PyResult<(String, ScalarValue)> {
    let (name, dtype, value) = given;
    let dtype: DType = dtype
        .parse()
        .map_err(|error: hotcell::manifest::UnknownDType| {
            PyValueError::new_err(error.to_string())
        })?;
    let read = || -> PyResult<ScalarValue> {
        Ok(match dtype {
            DType::Bool => ScalarValue::Bool(value.extract::<bool>()?),
            DType::I32 => ScalarValue::I32(value.extract()?),
            DType::I64 => ScalarValue::I64(value.extract()?),
            DType::U32 => ScalarValue::U32(value.extract()?),
            DType::U64 => ScalarValue::U64(value.extract()?),
            DType::F32 => {
                let (given, single): (f64, f32) = (value.extract()?, value.extract()?);
                if given.is_finite() && !single.is_finite() {
                    return Err(PyOverflowError::new_err("too large"));
                }
                ScalarValue::F32(single)
            }
            DType::F64 => ScalarValue::F64(value.extract()?),
            other => return Err(PyTypeError::new_err(format!("no scalar is {other}"))),
        })
    };
    let value = read().map_err(|error| {
        let shown = value
            .repr()
            .map(|text| text.to_string())
            .unwrap_or_default();
        let words = format!("`{name}` is a scalar of type {dtype}, and {shown} is none");
        match error.is_instance_of::<PyOverflowError>(value.py()) {
            true => PyOverflowError::new_err(words),
            false => PyTypeError::new_err(words),
        }
    })?;
    Ok((name, value))
}

fn arguments(
    py: Python<'_>,
    inputs: Vec<Given<'_>>,
    scalars: Vec<GivenScalar<'_>>,
    dims: Vec<(String, u64)>,
) -> PyResult<Arguments> {
    let gathered = inputs.into_iter().map(Gathered::of);
    let gathered: Vec<_> = gathered.collect::<PyResult<_>>()?;
    let read = || -> PyResult<Vec<_>> { gathered.into_iter().map(Gathered::array).collect() };
    Ok(Arguments {
        inputs: py.detach(read)?,
        scalars: scalars.into_iter().map(scalar).collect::<PyResult<_>>()?,
        dims,
    })
}

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

/// Launches a kernel and waits for its end.
///
/// `is_main` says that this is the interpreter's main thread, on which signals are handled: it then looks for them while it
/// waits, and what a handler raises cancels the launch and is raised.
#[pyfunction]
#[pyo3(signature = (host, component, plan, inputs, scalars, dims, is_main, on_log=None, on_progress=None))]
#[expect(clippy::too_many_arguments, reason = "nobody but the package calls it")]
pub(crate) fn launch(
    py: Python<'_>,
    host: &Bound<'_, PyAny>,
    component: &Component,
    plan: &Plan,
    inputs: Vec<Given<'_>>,
    scalars: Vec<GivenScalar<'_>>,
    dims: Vec<(String, u64)>,
    is_main: bool,
    on_log: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Ended> {
    let host = host::of(host)?;
    let arguments = arguments(py, inputs, scalars, dims)?;
    let on_main = is_main.then(OnMain::begin).transpose()?;
    let stop = match &on_main {
        Some(on_main) => Arc::clone(on_main.stop()),
        None => Arc::default(),
    };
    let ears = Ears::new(on_log, on_progress, &stop);
    let observer = ears.clone().map(|ears| ears as Arc<dyn Observer>);
    // The host is let go of there too: its threads may want the lock before they end.
    let launched = py.detach(|| {
        let launched = host.launch(&component.inner, plan, arguments, observer, &stop);
        drop(host);
        launched
    });
    if let Some(error) = on_main.and_then(|on_main| on_main.error()) {
        return Err(error);
    }
    if let Some(error) = ears.and_then(|ears| ears.error()) {
        return Err(error);
    }
    Ended::of(py, launched)
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

/// Launches a kernel on a thread of its own, which calls `done` with its end or an exception.
#[pyfunction]
#[pyo3(signature = (host, component, plan, inputs, scalars, dims, done, on_log=None, on_progress=None))]
#[expect(clippy::too_many_arguments, reason = "nobody but the package calls it")]
pub(crate) fn start(
    py: Python<'_>,
    host: &Bound<'_, PyAny>,
    component: &Component,
    plan: &Plan,
    inputs: Vec<Given<'_>>,
    scalars: Vec<GivenScalar<'_>>,
    dims: Vec<(String, u64)>,
    done: Py<PyAny>,
    on_log: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Started> {
    let host = host::of(host)?;
    let arguments = arguments(py, inputs, scalars, dims)?;
    let stop = Arc::<StopSignal>::default();
    let ears = Ears::new(on_log, on_progress, &stop);
    let (component, plan, signal) = (component.inner.clone(), plan.clone(), Arc::clone(&stop));
    let work = move || {
        let observer = ears.clone().map(|ears| ears as Arc<dyn Observer>);
        let launched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            host.launch(&component, &plan, arguments, observer, &signal)
        }));
        let launched = launched.unwrap_or_else(|_| {
            Launched::failed(OutcomeKind::HostFault, Blame::Host, "the host panicked")
        });
        drop(host);
        // An interpreter that ends hears nothing any more.
        let _ = Python::try_attach(|py| {
            let ended = match ears.and_then(|ears| ears.error()) {
                Some(error) => Err(error),
                None => Ended::of(py, launched),
            };
            let told = match ended {
                Ok(ended) => done.call1(py, (ended, py.None())),
                Err(error) => done.call1(py, (py.None(), error.into_value(py))),
            };
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
        });
    };
    let thread = std::thread::Builder::new().name("hotcell-launch".to_owned());
    let thread = thread.spawn(work);
    thread
        .map_err(|error| PyRuntimeError::new_err(format!("no thread for the launch: {error}")))?;
    Ok(Started { stop })
}

/// Launches so often from here, as a program in Rust would, and says how many nanoseconds each took: what a call from Python is
/// measured against (`python/benches`).
#[pyfunction]
pub(crate) fn repeat(
    py: Python<'_>,
    host: &Bound<'_, PyAny>,
    component: &Component,
    plan: &Plan,
    inputs: Vec<Given<'_>>,
    scalars: Vec<GivenScalar<'_>>,
    count: usize,
) -> PyResult<Vec<u64>> {
    let host = host::of(host)?;
    let given = arguments(py, inputs, scalars, Vec::new())?;
    let copies: Vec<_> = given
        .inputs
        .iter()
        .map(|(name, array)| {
            let bytes = Bytes::copy_from_slice(array.bytes().map_or(&[], |bytes| &bytes[..]));
            (name.clone(), array.ty().clone(), bytes)
        })
        .collect();
    let stop = Arc::<StopSignal>::default();
    py.detach(|| {
        let launch = |_| {
            let begun = std::time::Instant::now();
            let inputs = copies.iter().map(|(name, ty, bytes)| {
                let array = Array::new(ty.clone(), bytes.clone());
                Ok((
                    name.clone(),
                    array.map_err(|error| PyValueError::new_err(error.to_string()))?,
                ))
            });
            let arguments = Arguments {
                inputs: inputs.collect::<PyResult<_>>()?,
                scalars: given.scalars.clone(),
                dims: Vec::new(),
            };
            drop(host.launch(&component.inner, plan, arguments, None, &stop));
            Ok(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
        };
        (0..count).map(launch).collect()
    })
}

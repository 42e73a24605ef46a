//! A component's bytes.

use hotcell_model::text::chain;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// A component as bytes. Nothing here looks inside.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Component {
    pub(crate) inner: hotcell::Component,
}

#[pymethods]
impl Component {
    #[new]
    fn new(py: Python<'_>, bytes: Vec<u8>) -> Self {
        let inner = py.detach(|| hotcell::Component::new(bytes));
        Self { inner }
    }

    /// Reads a file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        match py.detach(|| hotcell::Component::read(&path)) {
            Ok(inner) => Ok(Self { inner }),
            // Python knows the kinds of error of its own operating system's calls.
            Err(hotcell::ComponentError::Io { source, .. }) if source.raw_os_error().is_some() => {
                let errno = source.raw_os_error();
                let words = py
                    .import("os")?
                    .call_method1("strerror", (errno,))?
                    .unbind();
                Err(PyOSError::new_err((
                    errno,
                    words,
                    path.display().to_string(),
                )))
            }
            Err(error) => Err(PyOSError::new_err(chain(&error))),
        }
    }

    /// BLAKE3 of the bytes.
    #[getter]
    fn digest(&self) -> String {
        self.inner.digest().to_string()
    }

    /// The bytes.
    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.bytes())
    }
}

//! Arrays' memory, as NumPy sees it.

use crate::arrays;
use hotcell::manifest::DType;
use hotcell::{Array, ArrayType, Buffer};
use hotcell_sandbox::process::PerProcess;
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The memory of one array, in C order. Results come in it, and inputs that were made in it go without a copy.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Memory {
    ty: ArrayType,
    buffer: Arc<Buffer>,
}

/// Memory that was made to be filled: a fork's child would write to it where its parent reads.
static MADE: PerProcess<Mutex<Vec<Weak<Buffer>>>> = PerProcess::new();

/// Has all memory be this process's alone, before it forks.
#[pyfunction]
pub(crate) fn before_fork() {
    let mut made = MADE.get().lock().unwrap_or_else(PoisonError::into_inner);
    for buffer in made.drain(..).filter_map(|buffer| buffer.upgrade()) {
        // Where there is no address space left, a fork has other worries.
        let _ = buffer.settle();
    }
}

/// Keeps in mind what was made, and forgets what is gone.
fn made(buffer: &Arc<Buffer>) {
    let mut made = MADE.get().lock().unwrap_or_else(PoisonError::into_inner);
    if made.len() == made.capacity() {
        made.retain(|buffer| buffer.strong_count() > 0);
    }
    made.push(Arc::downgrade(buffer));
}

impl Memory {
    /// The memory of a result.
    pub(crate) fn of(array: &Array) -> PyResult<Self> {
        let buffer =
            Buffer::of(array).map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        Ok(Self {
            ty: array.ty().clone(),
            buffer: Arc::new(buffer),
        })
    }

    /// What it is of.
    pub(crate) fn ty(&self) -> &ArrayType {
        &self.ty
    }

    /// Where it begins.
    pub(crate) fn start(&self) -> *const u8 {
        self.buffer.as_ptr().as_ptr()
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// What is in it now, as an array of that type.
    pub(crate) fn lend(&self, ty: ArrayType) -> PyResult<Array> {
        // SAFETY: the package's documentation says that arrays must not be written to while they are being passed, and what
        // is read of one that is cannot but be some bytes.
        let array = unsafe { self.buffer.array(ty) };
        array.map_err(|error| PyMemoryError::new_err(error.to_string()))
    }
}

#[pymethods]
impl Memory {
    /// Zeros.
    #[new]
    fn new(py: Python<'_>, dtype: &str, shape: Vec<u64>) -> PyResult<Self> {
        let ty = array_type(self::dtype(dtype)?, shape)?;
        let len =
            usize::try_from(ty.size_bytes()).map_err(|_| PyMemoryError::new_err("too large"))?;
        let buffer = py.detach(|| Buffer::new(len));
        let buffer = buffer.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        let buffer = Arc::new(buffer);
        made(&buffer);
        Ok(Self { ty, buffer })
    }

    /// The element type by its name in manifests.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.ty.dtype().name()
    }

    /// NumPy's array over it. Of a dtype that it has none for, unsigned integers of that size.
    fn array<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        arrays::over(slf)
    }
}

/// An element type by its name.
pub(crate) fn dtype(name: &str) -> PyResult<DType> {
    name.parse()
        .map_err(|error: hotcell::manifest::UnknownDType| PyValueError::new_err(error.to_string()))
}

/// A type with those extents.
pub(crate) fn array_type(dtype: DType, shape: Vec<u64>) -> PyResult<ArrayType> {
    ArrayType::new(dtype, shape).map_err(|error| PyValueError::new_err(error.to_string()))
}

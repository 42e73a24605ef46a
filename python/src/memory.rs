//! Arrays' memory, as NumPy sees it.

use hotcell::manifest::DType;
use hotcell::{Array, ArrayType, Buffer};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The memory of one array, in C order. Results come in it, and inputs that were made in it go without a copy.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Memory {
    ty: ArrayType,
    buffer: Arc<Buffer>,
}

/// Memory that was made to be filled: a fork's child would write to it where its parent reads.
static MADE: Mutex<Vec<Weak<Buffer>>> = Mutex::new(Vec::new());

/// Has all memory be this process's alone, before it forks.
#[pyfunction]
pub(crate) fn before_fork() {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    for buffer in made.drain(..).filter_map(|buffer| buffer.upgrade()) {
        // Where there is no address space left, a fork has other worries.
        let _ = buffer.settle();
    }
}

/// Keeps in mind what was made, and forgets what is gone.
fn made(buffer: &Arc<Buffer>) {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
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
        let ty = array_type(dtype, shape)?;
        let len =
            usize::try_from(ty.size_bytes()).map_err(|_| PyMemoryError::new_err("too large"))?;
        let buffer = py.detach(|| Buffer::new(len));
        let buffer = buffer.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        let buffer = Arc::new(buffer);
        made(&buffer);
        Ok(Self { ty, buffer })
    }

    /// Where it begins.
    #[getter]
    fn address(&self) -> usize {
        self.buffer.as_ptr().as_ptr() as usize
    }

    /// Its size in bytes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.buffer.len()
    }

    /// The element type by its name in manifests.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.ty.dtype().name()
    }

    /// What NumPy makes an array of. Of a dtype that it has none for, unsigned integers of that size.
    #[getter(__array_interface__)]
    fn array_interface<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("shape", PyTuple::new(py, self.ty.shape())?)?;
        interface.set_item("typestr", typestr(self.ty.dtype()))?;
        interface.set_item("data", (self.address(), false))?;
        interface.set_item("version", 3)?;
        Ok(interface)
    }
}

/// A type by the name of its elements and its extents.
pub(crate) fn array_type(dtype: &str, shape: Vec<u64>) -> PyResult<ArrayType> {
    let dtype: DType = dtype
        .parse()
        .map_err(|error: hotcell::manifest::UnknownDType| {
            PyValueError::new_err(error.to_string())
        })?;
    ArrayType::new(dtype, shape).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// NumPy's code of an element type.
fn typestr(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "|b1",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 | DType::Bf16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::Complex64 => "<c8",
        DType::Complex128 => "<c16",
    }
}

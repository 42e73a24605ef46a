//! NumPy's arrays: what is given in them, and results as such.

use crate::kept::Kept;
use crate::memory::{Memory, array_type};
use bytes::Bytes;
use hotcell::manifest::DType;
use hotcell::{Array, ArrayType};
use hotcell_formats::FrameDelay;
use numpy::npyffi::{
    NPY_ARRAY_CARRAY, NPY_TYPES, NpyTypes, PyArray_CheckExact, PyArrayObject, get_type_object,
    npy_intp,
};
use numpy::{PY_ARRAY_API, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

/// An array of the caller's: of a parameter's dtype, and in C order.
pub(crate) struct Taken<'py> {
    dtype: DType,
    array: Bound<'py, PyUntypedArray>,
}

/// An array of the caller's as it lies, not yet read. While there is one no Python code may run that could have the array be elsewhere.
pub(crate) struct Given {
    ty: ArrayType,
    bytes: Where,
}

/// Where an array's bytes are.
enum Where {
    /// In memory that was made to be passed.
    Own(Py<Memory>),
    Lent(Arc<Lent>),
}

/// Memory of Python's.
struct Lent {
    address: *const u8,
    len: usize,
    /// Keeps the memory there.
    _owner: Kept,
}

// SAFETY: the memory is only read, and whoever passes an array does not write to it meanwhile.
unsafe impl Send for Lent {}

// SAFETY: as above.
unsafe impl Sync for Lent {}

/// A share in an array's memory, as bytes.
struct Share(Arc<Lent>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Lent {
    fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the address and the size are those of an array that the owner keeps, and the package's documentation says
        // that arrays must not be written to while they are being passed.
        unsafe { std::slice::from_raw_parts(self.address, self.len) }
    }
}

impl<'py> Taken<'py> {
    /// The argument for a parameter of that dtype. What is no array in C order of it becomes one, where nothing is lost.
    pub(crate) fn of(
        kernel: &str,
        parameter: &str,
        dtype: DType,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let array = match value.cast_exact::<PyUntypedArray>() {
            Ok(array) if is_of(array, dtype) && array.is_c_contiguous() => array.clone(),
            _ => {
                let py = value.py();
                let arrays = py.import(intern!(py, "hotcell._arrays"))?;
                let made =
                    arrays.call_method1("given", (kernel, parameter, dtype.name(), value))?;
                made.cast_into::<PyUntypedArray>()?
            }
        };
        Ok(Self { dtype, array })
    }

    /// Where it lies. The reading of other arguments may have run code that changed it.
    pub(crate) fn given(self) -> PyResult<Given> {
        let Self { dtype, array } = self;
        if !array.is_c_contiguous() || array.dtype().itemsize() as u64 != dtype.size_bytes() {
            return Err(PyValueError::new_err(
                "an array was changed while other arguments were being read",
            ));
        }
        Given::read(&array, dtype)
    }
}

impl Given {
    fn read(array: &Bound<'_, PyUntypedArray>, dtype: DType) -> PyResult<Self> {
        let shape: Vec<u64> = array.shape().iter().map(|extent| *extent as u64).collect();
        let ty = array_type(dtype, shape)?;
        let len = usize::try_from(ty.size_bytes())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        // SAFETY: it is an array, and the interpreter's lock is held.
        let address = unsafe { (*array.as_array_ptr()).fields.data }
            .cast_const()
            .cast::<u8>();
        let bytes = match whole(array, address, len) {
            Some(memory) => Where::Own(memory),
            None => Where::Lent(Arc::new(Lent {
                address,
                len,
                _owner: Kept::new(array.clone().into_any().unbind()),
            })),
        };
        Ok(Self { ty, bytes })
    }

    /// The array; without the interpreter's lock, since memory that was written to is copied.
    pub(crate) fn array(&self) -> PyResult<Array> {
        let ty = self.ty.clone();
        match &self.bytes {
            Where::Own(memory) => memory.get().lend(ty),
            Where::Lent(lent) => Array::new(ty, Bytes::from_owner(Share(Arc::clone(lent))))
                .map_err(|error| PyValueError::new_err(error.to_string())),
        }
    }

    /// A copy of the array, which nobody else has.
    pub(crate) fn copied(&self) -> PyResult<(ArrayType, Bytes)> {
        let array = self.array()?;
        let bytes = array.bytes().map_or(&[][..], |bytes| &bytes[..]);
        Ok((array.ty().clone(), Bytes::copy_from_slice(bytes)))
    }
}

/// An array as the bytes of a PNG, or of an APNG where it is several; `None` if it is no picture.
#[pyfunction]
pub(crate) fn picture<'py>(
    dtype: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = array.py();
    let given = Taken::of("picture", "array", crate::memory::dtype(dtype)?, array)?.given()?;
    let encoded = py.detach(|| {
        let array = given.array()?;
        let bytes = array.bytes().map_or(&[][..], |bytes| &bytes[..]);
        Ok::<_, PyErr>(
            hotcell_formats::picture(array.ty(), bytes, FrameDelay::default()).transpose()?,
        )
    })?;
    Ok(encoded.map(|encoded| PyBytes::new(py, &encoded)))
}

/// The memory that was made to be passed, where an array is the whole of it.
fn whole(array: &Bound<'_, PyUntypedArray>, address: *const u8, len: usize) -> Option<Py<Memory>> {
    let py = array.py();
    // SAFETY: it is an array, whose base is an object or null, and the interpreter's lock is held.
    let mut base = unsafe { (*array.as_array_ptr()).fields.base };
    // SAFETY: as above; an array's base that is an array is one in turn.
    while !base.is_null() && unsafe { PyArray_CheckExact(py, base) } != 0 {
        // SAFETY: as above.
        base = unsafe { (*base.cast::<PyArrayObject>()).fields.base };
    }
    // SAFETY: as above; the array keeps it.
    let base = unsafe { Bound::from_borrowed_ptr_or_opt(py, base) }?;
    let memory = base.cast::<Memory>().ok()?;
    let is_whole = memory.get().start() == address && memory.get().len() == len;
    is_whole.then(|| memory.clone().unbind())
}

/// Whether an array has elements of that dtype, as this machine has them. Of those that NumPy has no name for it does not say.
fn is_of(array: &Bound<'_, PyUntypedArray>, dtype: DType) -> bool {
    let kind = match dtype {
        DType::Bool => b'b',
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => b'i',
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => b'u',
        DType::F16 | DType::F32 | DType::F64 => b'f',
        DType::Complex64 | DType::Complex128 => b'c',
        DType::Bf16 => return false,
    };
    let descr = array.dtype();
    descr.kind() == kind
        && descr.itemsize() as u64 == dtype.size_bytes()
        && descr.is_native_byteorder() != Some(false)
}

/// NumPy's number of an element type. Of one that it has none for, that of unsigned integers of that size.
fn number(dtype: DType) -> NPY_TYPES {
    match dtype {
        DType::Bool => NPY_TYPES::NPY_BOOL,
        DType::I8 => NPY_TYPES::NPY_BYTE,
        DType::I16 => NPY_TYPES::NPY_SHORT,
        DType::I32 => NPY_TYPES::NPY_INT,
        DType::I64 => NPY_TYPES::NPY_LONG,
        DType::U8 => NPY_TYPES::NPY_UBYTE,
        DType::U16 | DType::Bf16 => NPY_TYPES::NPY_USHORT,
        DType::U32 => NPY_TYPES::NPY_UINT,
        DType::U64 => NPY_TYPES::NPY_ULONG,
        DType::F16 => NPY_TYPES::NPY_HALF,
        DType::F32 => NPY_TYPES::NPY_FLOAT,
        DType::F64 => NPY_TYPES::NPY_DOUBLE,
        DType::Complex64 => NPY_TYPES::NPY_CFLOAT,
        DType::Complex128 => NPY_TYPES::NPY_CDOUBLE,
    }
}

/// The array over memory, which lives as long as any view of it. Where NumPy has no name for its dtype, of unsigned integers of
/// that size.
pub(crate) fn over<'py>(memory: &Bound<'py, Memory>) -> PyResult<Bound<'py, PyAny>> {
    let py = memory.py();
    let ty = memory.get().ty();
    let mut extents = ty
        .shape()
        .iter()
        .map(|extent| npy_intp::try_from(*extent))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let rank =
        c_int::try_from(extents.len()).map_err(|error| PyValueError::new_err(error.to_string()))?;
    // SAFETY: the descriptor is of one of NumPy's own types and its reference goes to the array; there are as many extents as the
    // rank says; and the memory has their product of elements, aligned, to be read and written while the array's base
    // lives, whose reference goes to the array, too, also where that fails.
    unsafe {
        let descr = PY_ARRAY_API.PyArray_DescrFromType(py, number(ty.dtype()) as c_int);
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            descr,
            rank,
            extents.as_mut_ptr(),
            ptr::null_mut(),
            memory.get().start().cast_mut().cast(),
            NPY_ARRAY_CARRAY,
            ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        let base = memory.clone().into_ptr();
        match PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), base) {
            0 => Ok(array),
            _ => Err(PyErr::fetch(py)),
        }
    }
}

/// The array that a result is.
pub(crate) fn result<'py>(py: Python<'py>, memory: Memory) -> PyResult<Bound<'py, PyAny>> {
    let is_named = memory.ty().dtype() != DType::Bf16;
    let memory = Bound::new(py, memory)?;
    if is_named {
        return over(&memory);
    }
    let arrays = py.import(intern!(py, "hotcell._arrays"))?;
    arrays.call_method1("of_memory", (memory,))
}

//! What a call of an entry takes, and how it is read.

use crate::arrays::{Given, Taken};
use hotcell::manifest::{DType, ScalarValue};
use pyo3::exceptions::{PyException, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

/// An entry as calls have it: what they take and give.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Kernel {
    pub(crate) name: String,
    /// As Python writes it.
    signature: String,
    /// Those that may be given by position first, in their order.
    parameters: Vec<Parameter>,
    positional: usize,
    /// The names of its results.
    pub(crate) outputs: Vec<String>,
    /// What makes one of several results.
    pub(crate) many: Option<Py<PyAny>>,
}

struct Parameter {
    name: String,
    /// The name that Python has for it.
    spoken: String,
    kind: Kind,
    is_required: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Array(DType),
    Scalar(DType),
    /// The extent of a dimension.
    Extent,
}

/// What a call gave.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) arrays: Vec<(String, Given)>,
    pub(crate) scalars: Vec<(String, ScalarValue)>,
    pub(crate) dims: Vec<(String, u64)>,
}

/// A parameter as Python describes it: its name, the name that calls have for it, `array`, `scalar` or `extent`, its dtype, and
/// whether a call has to give it.
type Described = (String, String, String, String, bool);

#[pymethods]
impl Kernel {
    /// The first `positional` parameters may be given by their position.
    #[new]
    fn new(
        name: String,
        signature: String,
        parameters: Vec<Described>,
        positional: usize,
        outputs: Vec<String>,
        many: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let read = |(name, spoken, kind, dtype, is_required): Described| -> PyResult<_> {
            let dtype = || crate::memory::dtype(&dtype);
            let kind = match kind.as_str() {
                "array" => Kind::Array(dtype()?),
                "scalar" => Kind::Scalar(dtype()?),
                _ => Kind::Extent,
            };
            Ok(Parameter {
                name,
                spoken,
                kind,
                is_required,
            })
        };
        if positional > parameters.len() {
            return Err(PyValueError::new_err("more places than parameters"));
        }
        Ok(Self {
            name,
            signature,
            parameters: parameters.into_iter().map(read).collect::<PyResult<_>>()?,
            positional,
            outputs,
            many,
        })
    }
}

impl Kernel {
    /// Reads what a call gives.
    pub(crate) fn bind(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: &Bound<'_, PyDict>,
    ) -> PyResult<Call> {
        let name = &self.name;
        if args.len() > self.positional {
            return Err(PyTypeError::new_err(format!(
                "{name}() takes {} positional arguments, and {} were given",
                self.positional,
                args.len()
            )));
        }
        let mut call = Call::default();
        let mut taken = Vec::with_capacity(self.parameters.len());
        let mut is_given = vec![false; self.parameters.len()];
        for (place, value) in args.iter_borrowed().enumerate() {
            is_given[place] = true;
            self.read(place, &value, &mut call, &mut taken)?;
        }
        for (key, value) in kwargs.copy()?.iter() {
            let key = key.cast_into::<PyString>()?;
            let key = key.to_cow()?;
            let called = |parameter: &Parameter| parameter.spoken == key || parameter.name == key;
            let Some(place) = self.parameters.iter().position(called) else {
                return Err(PyTypeError::new_err(format!(
                    "{name}() has no argument `{key}`; it is {name}{}",
                    self.signature
                )));
            };
            if std::mem::replace(&mut is_given[place], true) {
                return Err(PyTypeError::new_err(format!(
                    "{name}() got several values for the argument `{}`",
                    self.parameters[place].name
                )));
            }
            self.read(place, &value, &mut call, &mut taken)?;
        }
        let parameters = self.parameters.iter().zip(is_given);
        let missing = parameters
            .filter(|(parameter, is_given)| parameter.is_required && !is_given)
            .map(|(parameter, _)| format!("`{}`", parameter.name));
        let missing: Vec<_> = missing.collect();
        let given = |(place, array): (usize, Taken<'_>)| {
            Ok((self.parameters[place].name.clone(), array.given()?))
        };
        match missing.is_empty() {
            // From here on no code of the caller's runs.
            true => Ok(Call {
                arrays: taken.into_iter().map(given).collect::<PyResult<_>>()?,
                ..call
            }),
            false => Err(PyTypeError::new_err(format!(
                "{name}() misses {}; it is {name}{}",
                missing.join(", "),
                self.signature
            ))),
        }
    }

    fn read<'py>(
        &self,
        place: usize,
        value: &Bound<'py, PyAny>,
        call: &mut Call,
        taken: &mut Vec<(usize, Taken<'py>)>,
    ) -> PyResult<()> {
        let parameter = &self.parameters[place];
        let name = || parameter.name.clone();
        match parameter.kind {
            Kind::Array(dtype) => {
                taken.push((place, Taken::of(&self.name, &parameter.name, dtype, value)?));
            }
            Kind::Scalar(dtype) => {
                let value = scalar(&parameter.name, dtype, value)?;
                call.scalars.push((name(), value));
            }
            Kind::Extent => call
                .dims
                .push((name(), self.extent(&parameter.name, value)?)),
        }
        Ok(())
    }

    fn extent(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
        value.extract().map_err(|error: PyErr| {
            // No number that is too large either.
            let error = match error.is_instance_of::<PyOverflowError>(value.py()) {
                true => PyValueError::new_err(error.to_string()),
                false => error,
            };
            let kernel = &self.name;
            let what = "is the extent of a dimension, a whole number from 0, and";
            unfit(value, error, |shown| {
                format!("`{name}` of `{kernel}` {what} {shown} was given")
            })
        })
    }
}

/// The error that a value is none of what is wanted, because of that one; which is kept where it says something else.
fn unfit(value: &Bound<'_, PyAny>, error: PyErr, words: impl FnOnce(&str) -> String) -> PyErr {
    let py = value.py();
    let is_too_large = error.is_instance_of::<PyOverflowError>(py);
    let is_unfit = is_too_large
        || error.is_instance_of::<PyTypeError>(py)
        || error.is_instance_of::<PyValueError>(py);
    if !is_unfit {
        return error;
    }
    let shown = match value.repr() {
        Ok(shown) => shown.to_string(),
        Err(error) if error.is_instance_of::<PyException>(py) => "something else".to_owned(),
        Err(error) => return error,
    };
    let unfit = match is_too_large {
        true => PyOverflowError::new_err(words(&shown)),
        false => PyTypeError::new_err(words(&shown)),
    };
    unfit.set_cause(py, Some(error));
    unfit
}

/// A value as the parameter's type has it. NumPy's own numbers, and arrays of one, are numbers.
fn scalar(name: &str, dtype: DType, given: &Bound<'_, PyAny>) -> PyResult<ScalarValue> {
    let is_plain = given.is_instance_of::<PyBool>()
        || given.is_instance_of::<PyInt>()
        || given.is_instance_of::<PyFloat>();
    let value = match is_plain {
        true => given.clone(),
        false => match given.getattr_opt("item")? {
            Some(item) if item.is_callable() => item.call0().map_err(|error| {
                let words = |shown: &str| {
                    format!("`{name}` is a scalar of type {dtype}, and {shown} is none")
                };
                unfit(given, error, words)
            })?,
            _ => given.clone(),
        },
    };
    // What is no float may be larger than any.
    let float = || -> PyResult<f64> {
        let float: f64 = value.extract()?;
        match float.is_infinite() && !value.is_instance_of::<PyFloat>() && !value.eq(float)? {
            true => Err(PyOverflowError::new_err("too large")),
            false => Ok(float),
        }
    };
    let read = || -> PyResult<ScalarValue> {
        Ok(match dtype {
            DType::Bool => ScalarValue::Bool(value.extract::<bool>()?),
            DType::I32 => ScalarValue::I32(value.extract()?),
            DType::I64 => ScalarValue::I64(value.extract()?),
            DType::U32 => ScalarValue::U32(value.extract()?),
            DType::U64 => ScalarValue::U64(value.extract()?),
            DType::F32 => {
                let (given, single): (f64, f32) = (float()?, value.extract()?);
                if given.is_finite() && !single.is_finite() {
                    return Err(PyOverflowError::new_err("too large"));
                }
                ScalarValue::F32(single)
            }
            DType::F64 => ScalarValue::F64(float()?),
            other => return Err(PyTypeError::new_err(format!("no scalar is {other}"))),
        })
    };
    read().map_err(|error| {
        unfit(&value, error, |shown| {
            format!("`{name}` is a scalar of type {dtype}, and {shown} is none")
        })
    })
}

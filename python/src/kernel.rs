//! What a call of an entry takes, and how it is read.

use crate::arrays::Given;
use hotcell::manifest::{DType, ScalarValue};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
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
        let mut is_given = vec![false; self.parameters.len()];
        for (place, value) in args.iter_borrowed().enumerate() {
            is_given[place] = true;
            self.read(&self.parameters[place], &value, &mut call)?;
        }
        for (key, value) in kwargs.iter() {
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
            self.read(&self.parameters[place], &value, &mut call)?;
        }
        let parameters = self.parameters.iter().zip(is_given);
        let missing = parameters
            .filter(|(parameter, is_given)| parameter.is_required && !is_given)
            .map(|(parameter, _)| format!("`{}`", parameter.name));
        let missing: Vec<_> = missing.collect();
        match missing.is_empty() {
            true => Ok(call),
            false => Err(PyTypeError::new_err(format!(
                "{name}() misses {}; it is {name}{}",
                missing.join(", "),
                self.signature
            ))),
        }
    }

    fn read(
        &self,
        parameter: &Parameter,
        value: &Bound<'_, PyAny>,
        call: &mut Call,
    ) -> PyResult<()> {
        let name = || parameter.name.clone();
        match parameter.kind {
            Kind::Array(dtype) => {
                let given = Given::of(&self.name, &parameter.name, dtype, value)?;
                call.arrays.push((name(), given));
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
        let shown = || shown(value);
        value.extract().map_err(|_| {
            PyTypeError::new_err(format!(
                "`{name}` of `{}` is the extent of a dimension, a whole number from 0, and {} was given",
                self.name,
                shown()
            ))
        })
    }
}

fn shown(value: &Bound<'_, PyAny>) -> String {
    let shown = value.repr();
    shown.map(|text| text.to_string()).unwrap_or_default()
}

/// A value as the parameter's type has it. NumPy's own numbers, and arrays of one, are numbers.
fn scalar(name: &str, dtype: DType, given: &Bound<'_, PyAny>) -> PyResult<ScalarValue> {
    let is_plain = given.is_instance_of::<PyBool>()
        || given.is_instance_of::<PyInt>()
        || given.is_instance_of::<PyFloat>();
    let value = match is_plain {
        true => given.clone(),
        false => match given.getattr_opt("item")? {
            Some(item) if item.is_callable() => item.call0()?,
            _ => given.clone(),
        },
    };
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
    read().map_err(|error| {
        let words = format!(
            "`{name}` is a scalar of type {dtype}, and {} is none",
            shown(&value)
        );
        match error.is_instance_of::<PyOverflowError>(value.py()) {
            true => PyOverflowError::new_err(words),
            false => PyTypeError::new_err(words),
        }
    })
}

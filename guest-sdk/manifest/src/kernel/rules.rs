//! The rules that a kernel's record keeps, and what is wrong with one that breaks them.

use super::record::{KernelRecord, Parameter, Role};
use super::{ArrayParameter, Kernel, ScalarParameter};
use crate::{Cost, CostError, DType, Dim, Signature, SignatureError, is_identifier, units};

/// Why a kernel's record is not one.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordError {
    /// A name that is no identifier.
    Name(String),
    /// Two parameters, or a parameter and a dimension, share a name.
    Duplicate(String),
    /// The documentation is too long.
    DocTooLong {
        /// What was there.
        used: usize,
        /// What is allowed.
        maximum: usize,
    },
    /// The signature is malformed.
    Signature(SignatureError),
    /// The cost is malformed or names something unknown.
    Cost(CostError),
    /// A wanted limit is malformed.
    Unit(units::UnitError),
    /// The signature and the parameters disagree.
    Arity {
        /// `inputs` or `outputs`.
        side: &'static str,
        /// How many the signature has.
        signature: usize,
        /// How many parameters have that role.
        parameters: usize,
    },
    /// An in-out parameter's two shapes differ.
    InoutShape(String),
    /// An array that is never written: nothing would come back.
    NoOutput,
    /// A scalar of a type that scalars cannot have.
    ScalarType {
        /// The parameter.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// A default of another type, or on an array.
    Default(String),
    /// The split is no named dimension.
    SplitUnknown(String),
    /// A halo where nothing is cut: on a scalar, on what is written, on an input without the split.
    Halo(String),
    /// A wanted capability that is none.
    Want(String),
    /// The split is missing in an output, or not an array's first dimension.
    SplitPlace {
        /// The split.
        split: String,
        /// The array that breaks the rule.
        parameter: String,
    },
}

crate::words! { RecordError:
    Self::Name(a) => ("`{a}` is no name: a letter or `_`, then up to 63 letters, digits or `_`"),
    Self::Duplicate(a) => ("`{a}` is named twice"),
    Self::DocTooLong { used, maximum } => ("documentation of {used} bytes, at most {maximum} are allowed"),
    Self::Signature(a) => ("{a}"),
    Self::Cost(a) => ("{a}"),
    Self::Unit(a) => ("{a}"),
    Self::Arity { side, signature, parameters } => ("the signature has {signature} {side}, the parameters have {parameters}"),
    Self::InoutShape(a) => ("in-out `{a}` has different dimensions on the two sides of the signature"),
    Self::NoOutput => ("no parameter is written: a kernel needs an output"),
    Self::ScalarType { name, dtype } => ("scalar `{name}` cannot be {dtype} (scalars are bool, i32, i64, u32, u64, f32, f64)"),
    Self::Default(a) => ("the default of `{a}` does not fit it"),
    Self::SplitUnknown(a) => ("split `{a}` is not a dimension of the signature"),
    Self::Halo(a) => ("`{a}` cannot have a halo: inputs that are only read and begin with the split dimension can"),
    Self::Want(a) => ("`{}` is no capability (there are {})", a.escape_debug(), CAPABILITIES.join(", ")),
    Self::SplitPlace { split, parameter } => ("split `{split}` must be the first dimension wherever it occurs, and occur in every output; `{parameter}` breaks that"),
}

impl std::error::Error for RecordError {}

impl From<SignatureError> for RecordError {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<CostError> for RecordError {
    fn from(error: CostError) -> Self {
        Self::Cost(error)
    }
}

impl From<units::UnitError> for RecordError {
    fn from(error: units::UnitError) -> Self {
        Self::Unit(error)
    }
}

pub(super) fn check_names(record: &KernelRecord) -> Result<(), RecordError> {
    let names = || record.parameters.iter().map(|p| &p.name);
    for name in names().chain([&record.name]) {
        if !is_identifier(name) {
            return Err(RecordError::Name(name.chars().take(64).collect()));
        }
    }
    for (index, name) in names().enumerate() {
        if names().take(index).any(|earlier| earlier == name) {
            return Err(RecordError::Duplicate(name.clone()));
        }
    }
    if record.doc.len() > Kernel::MAX_DOC_BYTES {
        return Err(RecordError::DocTooLong {
            used: record.doc.len(),
            maximum: Kernel::MAX_DOC_BYTES,
        });
    }
    Ok(())
}

/// Gives each array parameter its dimensions: the signature's sides list them in order.
pub(super) fn match_arrays(
    parameters: &[Parameter],
    signature: &Signature,
) -> Result<Vec<ArrayParameter>, RecordError> {
    let count = |side: fn(Role) -> bool| parameters.iter().filter(|p| side(p.role)).count();
    for (side, signature, parameters) in [
        ("inputs", signature.inputs.len(), count(Role::is_read)),
        ("outputs", signature.outputs.len(), count(Role::is_written)),
    ] {
        if signature != parameters {
            return Err(RecordError::Arity {
                side,
                signature,
                parameters,
            });
        }
    }
    if signature.outputs.is_empty() {
        return Err(RecordError::NoOutput);
    }
    let (mut inputs, mut outputs) = (signature.inputs.iter(), signature.outputs.iter());
    let mut arrays = Vec::new();
    for parameter in parameters.iter().filter(|p| p.role != Role::Scalar) {
        if parameter.default.is_some() {
            return Err(RecordError::Default(parameter.name.clone()));
        }
        let read = parameter.role.is_read().then(|| inputs.next()).flatten();
        let written = parameter
            .role
            .is_written()
            .then(|| outputs.next())
            .flatten();
        if let (Some(read), Some(written)) = (read, written)
            && read != written
        {
            return Err(RecordError::InoutShape(parameter.name.clone()));
        }
        arrays.push(ArrayParameter {
            name: parameter.name.clone(),
            role: parameter.role,
            dtype: parameter.dtype,
            // The counts above guarantee one of the two.
            dims: read.or(written).cloned().unwrap_or_default(),
            halo: parameter.halo,
        });
    }
    Ok(arrays)
}

pub(super) fn check_scalars(parameters: &[Parameter]) -> Result<Vec<ScalarParameter>, RecordError> {
    let mut scalars = Vec::new();
    for parameter in parameters.iter().filter(|p| p.role == Role::Scalar) {
        let (name, dtype) = (parameter.name.clone(), parameter.dtype);
        if !matches!(
            dtype,
            DType::Bool
                | DType::I32
                | DType::I64
                | DType::U32
                | DType::U64
                | DType::F32
                | DType::F64
        ) {
            return Err(RecordError::ScalarType { name, dtype });
        }
        if parameter
            .default
            .is_some_and(|value| value.dtype() != dtype)
        {
            return Err(RecordError::Default(name));
        }
        scalars.push(ScalarParameter {
            name,
            dtype,
            default: parameter.default,
        });
    }
    Ok(scalars)
}

pub(super) fn check_split(
    split: &str,
    dims: &[String],
    arrays: &[ArrayParameter],
) -> Result<(), RecordError> {
    if !dims.iter().any(|dim| dim == split) {
        return Err(RecordError::SplitUnknown(split.to_owned()));
    }
    let is_split = |dim: &Dim| *dim == Dim::Name(split.to_owned());
    let breaks_rule = |array: &&ArrayParameter| {
        let first = array.dims.first().is_some_and(is_split);
        let inner = array.dims.iter().skip(1).any(is_split);
        inner || (array.role.is_written() && !first)
    };
    match arrays.iter().find(breaks_rule) {
        None => Ok(()),
        Some(array) => Err(RecordError::SplitPlace {
            split: split.to_owned(),
            parameter: array.name.clone(),
        }),
    }
}

/// A halo is of an input that is cut.
pub(super) fn check_halos(
    record: &KernelRecord,
    arrays: &[ArrayParameter],
) -> Result<(), RecordError> {
    let is_cut = |name: &str| {
        let array = arrays.iter().find(|array| array.name == name);
        array.is_some_and(|array| {
            let first = match array.dims.first() {
                Some(Dim::Name(first)) => Some(first),
                _ => None,
            };
            array.role == Role::Input && first.is_some() && first == record.split.as_ref()
        })
    };
    let mut with_halo = record.parameters.iter().filter(|p| p.halo > 0);
    match with_halo.find(|p| !is_cut(&p.name)) {
        None => Ok(()),
        Some(parameter) => Err(RecordError::Halo(parameter.name.clone())),
    }
}

/// The names of all capabilities, as a kernel may want them.
pub const CAPABILITIES: [&str; 8] = [
    "log", "control", "clock", "random", "gpu", "gpu-text", "wasi", "files",
];

pub(super) fn check_wants(wants: &[String]) -> Result<(), RecordError> {
    for (index, name) in wants.iter().enumerate() {
        if !CAPABILITIES.contains(&name.as_str()) {
            return Err(RecordError::Want(name.chars().take(64).collect()));
        }
        if wants[..index].contains(name) {
            return Err(RecordError::Duplicate(name.clone()));
        }
    }
    Ok(())
}

pub(super) fn check_cost(
    cost: &Cost,
    dims: &[String],
    scalars: &[ScalarParameter],
) -> Result<(), RecordError> {
    let integer = |scalar: &&ScalarParameter| {
        matches!(
            scalar.dtype,
            DType::I32 | DType::I64 | DType::U32 | DType::U64
        )
    };
    let known = |name: &&str| {
        dims.iter().any(|dim| dim == name)
            || scalars
                .iter()
                .filter(integer)
                .any(|scalar| scalar.name == **name)
    };
    match cost.names().into_iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(CostError::UnknownName(name.to_owned()).into()),
    }
}

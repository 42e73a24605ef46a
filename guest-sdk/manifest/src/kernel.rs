//! The record of one kernel, as written and as checked.
//!
//! [`KernelRecord`] is what stands in the manifest. [`Kernel`] can only be made by checking one, so
//! whoever holds a `Kernel` knows that its signature, split, cost and limits fit together.

use crate::{
    Cost, CostError, DType, Dim, ScalarError, Signature, SignatureError, is_identifier, units,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One entry of a component, as its author wrote it down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelRecord {
    /// The entry's name; an identifier.
    pub name: String,
    /// What it computes: the first paragraph of the author's documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Shapes in gufunc notation; see [`Signature`].
    pub signature: String,
    /// Arrays and scalars in the order of the author's function.
    pub parameters: Vec<Parameter>,
    /// The dimension that the host may cut into chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Arithmetic operations of one launch; see [`Cost`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// How much the author expects a launch to take.
    #[serde(default)]
    pub weight: Weight,
    /// Limits the author asks for in place of the host's defaults.
    #[serde(default, skip_serializing_if = "WantedLimits::is_empty")]
    pub limits: WantedLimits,
    /// The capabilities that this entry uses, of those that the component imports; where it says
    /// nothing, all of them. What an entry does not want it cannot call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<Vec<String>>,
}

/// One parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The parameter's name; an identifier.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The array's element type, or the scalar's type: one of [`ScalarValue`]'s for a scalar.
    pub dtype: DType,
    /// The value of a scalar that the caller leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ScalarValue>,
    /// How many indices of the split dimension a chunk gets of this input on either side of its own,
    /// where there are any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub halo: u32,
}

fn is_zero(halo: &u32) -> bool {
    *halo == 0
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An array that is read.
    Input,
    /// An array that is written.
    Output,
    /// An array that is read and written.
    Inout,
    /// A number or truth value.
    Scalar,
}

impl Role {
    /// Whether the array's bytes come from the caller.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Input | Self::Inout)
    }

    /// Whether the array's bytes go back to the caller.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Output | Self::Inout)
    }
}

/// The value of a scalar parameter, with its type.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalarValue {
    /// `bool`
    Bool(bool),
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(#[serde(with = "crate::float")] f32),
    /// `f64`
    F64(#[serde(with = "crate::float")] f64),
}

impl ScalarValue {
    /// The dtype that a parameter of this value has.
    pub fn dtype(self) -> DType {
        match self {
            Self::Bool(_) => DType::Bool,
            Self::I32(_) => DType::I32,
            Self::I64(_) => DType::I64,
            Self::U32(_) => DType::U32,
            Self::U64(_) => DType::U64,
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
        }
    }

    /// Reads `text` as a scalar of type `dtype`; `None` where [`Self::try_parse`] says why not.
    pub fn parse(dtype: DType, text: &str) -> Option<Self> {
        Self::try_parse(dtype, text).ok()
    }

    /// Reads `text` as a scalar of type `dtype`.
    ///
    /// Whole numbers are taken in decimal, in `0x`, `0o` and `0b` notation and in scientific notation, truth values
    /// as `true` or `false` (or 1 or 0), floats as Rust's `parse` takes them (`nan` and `inf` included). `_` may
    /// stand between digits.
    ///
    /// # Errors
    /// The text is no value of that type, is beyond its range, or no scalar has that type.
    pub fn try_parse(dtype: DType, text: &str) -> Result<Self, ScalarError> {
        crate::scalar::parse(dtype, text)
    }

    /// The value as a non-negative integer, where it is one: for cost expressions.
    pub fn as_extent(self) -> Option<u64> {
        match self {
            Self::I32(value) => u64::try_from(value).ok(),
            Self::I64(value) => u64::try_from(value).ok(),
            Self::U32(value) => Some(value.into()),
            Self::U64(value) => Some(value),
            Self::Bool(_) | Self::F32(_) | Self::F64(_) => None,
        }
    }
}

macro_rules! scalar_from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for ScalarValue {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

scalar_from!(bool => Bool, i32 => I32, i64 => I64, u32 => U32, u64 => U64, f32 => F32, f64 => F64);

impl std::fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I32(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
        }
    }
}

/// How much an author expects a launch to take: it scales the host's default limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Well under a second.
    Light,
    /// Seconds.
    #[default]
    Normal,
    /// Up to minutes.
    Heavy,
}

/// Limits an author asks for, as text in the units of [`units`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedLimits {
    /// A count: `10G`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<String>,
    /// A duration: `200ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Bytes: `256MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

impl WantedLimits {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a kernel's record is not one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// A name that is no identifier.
    #[error("`{0}` is no name: a letter or `_`, then up to 63 letters, digits or `_`")]
    Name(String),
    /// Two parameters, or a parameter and a dimension, share a name.
    #[error("`{0}` is named twice")]
    Duplicate(String),
    /// The documentation is too long.
    #[error("documentation of {used} bytes, at most {maximum} are allowed")]
    DocTooLong {
        /// What was there.
        used: usize,
        /// What is allowed.
        maximum: usize,
    },
    /// The signature is malformed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The cost is malformed or names something unknown.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// A wanted limit is malformed.
    #[error(transparent)]
    Unit(#[from] units::UnitError),
    /// The signature and the parameters disagree.
    #[error("the signature has {signature} {side}, the parameters have {parameters}")]
    Arity {
        /// `inputs` or `outputs`.
        side: &'static str,
        /// How many the signature has.
        signature: usize,
        /// How many parameters have that role.
        parameters: usize,
    },
    /// An in-out parameter's two shapes differ.
    #[error("in-out `{0}` has different dimensions on the two sides of the signature")]
    InoutShape(String),
    /// An array that is never written: nothing would come back.
    #[error("no parameter is written: a kernel needs an output")]
    NoOutput,
    /// A scalar of a type that scalars cannot have.
    #[error("scalar `{name}` cannot be {dtype} (scalars are bool, i32, i64, u32, u64, f32, f64)")]
    ScalarType {
        /// The parameter.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// A default of another type, or on an array.
    #[error("the default of `{0}` does not fit it")]
    Default(String),
    /// The split is no named dimension.
    #[error("split `{0}` is not a dimension of the signature")]
    SplitUnknown(String),
    /// A halo where nothing is cut: on a scalar, on what is written, on an input without the split.
    #[error(
        "`{0}` cannot have a halo: inputs that are only read and begin with the split dimension can"
    )]
    Halo(String),
    /// A wanted capability that is none.
    #[error("`{}` is no capability (there are {})", .0.escape_debug(), CAPABILITIES.join(", "))]
    Want(String),
    /// The split is missing in an output, or not an array's first dimension.
    #[error(
        "split `{split}` must be the first dimension wherever it occurs, and occur in every output; `{parameter}` breaks that"
    )]
    SplitPlace {
        /// The split.
        split: String,
        /// The array that breaks the rule.
        parameter: String,
    },
}

/// An array of a checked kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayParameter {
    /// The parameter's name.
    pub name: String,
    /// Input, output or in-out.
    pub role: Role,
    /// The element type.
    pub dtype: DType,
    /// The dimensions, outermost first.
    pub dims: Vec<Dim>,
    /// Indices of the split dimension that a chunk gets on either side of its own.
    pub halo: u32,
}

/// A scalar of a checked kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarParameter {
    /// The parameter's name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Its value when the caller gives none.
    pub default: Option<ScalarValue>,
}

/// A kernel whose record has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    record: KernelRecord,
    signature: Signature,
    dims: Vec<String>,
    arrays: Vec<ArrayParameter>,
    scalars: Vec<ScalarParameter>,
    cost: Option<Cost>,
    fuel: Option<u64>,
    timeout: Option<Duration>,
    memory_bytes: Option<u64>,
}

impl Kernel {
    /// The longest documentation kept, in bytes.
    pub const MAX_DOC_BYTES: usize = 4096;

    /// Checks a record.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(record: KernelRecord) -> Result<Self, RecordError> {
        check_names(&record)?;
        let signature = Signature::parse(&record.signature)?;
        let arrays = match_arrays(&record.parameters, &signature)?;
        let scalars = check_scalars(&record.parameters)?;
        let dims: Vec<String> = signature.names().into_iter().map(str::to_owned).collect();
        if let Some(clash) = dims
            .iter()
            .find(|dim| record.parameters.iter().any(|p| p.name == **dim))
        {
            return Err(RecordError::Duplicate(clash.clone()));
        }
        if let Some(split) = &record.split {
            check_split(split, &dims, &arrays)?;
        }
        check_halos(&record, &arrays)?;
        check_wants(record.wants.as_deref().unwrap_or_default())?;
        let cost = record.cost.as_deref().map(Cost::parse).transpose()?;
        if let Some(cost) = &cost {
            check_cost(cost, &dims, &scalars)?;
        }
        let limits = &record.limits;
        Ok(Self {
            fuel: limits.fuel.as_deref().map(units::parse_count).transpose()?,
            timeout: limits
                .timeout
                .as_deref()
                .map(units::parse_duration)
                .transpose()?,
            memory_bytes: limits
                .memory
                .as_deref()
                .map(units::parse_bytes)
                .transpose()?,
            signature,
            dims,
            arrays,
            scalars,
            cost,
            record,
        })
    }

    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The record it was made from.
    pub fn record(&self) -> &KernelRecord {
        &self.record
    }

    /// The shapes.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The named dimensions, in order of first appearance in the signature.
    pub fn dims(&self) -> &[String] {
        &self.dims
    }

    /// The arrays, in the order of the author's function.
    pub fn arrays(&self) -> &[ArrayParameter] {
        &self.arrays
    }

    /// The scalars, in the order of the author's function.
    pub fn scalars(&self) -> &[ScalarParameter] {
        &self.scalars
    }

    /// The dimension that the host may cut.
    pub fn split(&self) -> Option<&str> {
        self.record.split.as_deref()
    }

    /// The capabilities that the entry uses; `None` where its author does not say.
    pub fn wants(&self) -> Option<&[String]> {
        self.record.wants.as_deref()
    }

    /// Arithmetic operations of a launch.
    pub fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    /// How much the author expects a launch to take.
    pub fn weight(&self) -> Weight {
        self.record.weight
    }

    /// Fuel that the author asks for.
    pub fn wanted_fuel(&self) -> Option<u64> {
        self.fuel
    }

    /// The timeout that the author asks for.
    pub fn wanted_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Memory that the author asks for, in bytes.
    pub fn wanted_memory_bytes(&self) -> Option<u64> {
        self.memory_bytes
    }
}

fn check_names(record: &KernelRecord) -> Result<(), RecordError> {
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
fn match_arrays(
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

fn check_scalars(parameters: &[Parameter]) -> Result<Vec<ScalarParameter>, RecordError> {
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

fn check_split(split: &str, dims: &[String], arrays: &[ArrayParameter]) -> Result<(), RecordError> {
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
fn check_halos(record: &KernelRecord, arrays: &[ArrayParameter]) -> Result<(), RecordError> {
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

/// The names of all capabilities.
const CAPABILITIES: [&str; 6] = ["log", "control", "clock", "random", "gpu", "gpu-text"];

fn check_wants(wants: &[String]) -> Result<(), RecordError> {
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

fn check_cost(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, role: Role) -> Parameter {
        Parameter {
            name: name.into(),
            role,
            dtype: DType::F32,
            default: None,
            halo: 0,
        }
    }

    fn saxpy() -> KernelRecord {
        KernelRecord {
            name: "saxpy".into(),
            doc: String::new(),
            signature: "(n),(n)->(n)".into(),
            parameters: vec![
                parameter("a", Role::Scalar),
                parameter("x", Role::Input),
                parameter("y", Role::Input),
                parameter("out", Role::Output),
            ],
            split: Some("n".into()),
            cost: Some("2*n".into()),
            weight: Weight::Normal,
            limits: WantedLimits {
                fuel: Some("1G".into()),
                ..WantedLimits::default()
            },
            wants: None,
        }
    }

    fn broken(change: impl FnOnce(&mut KernelRecord)) -> RecordError {
        let mut record = saxpy();
        change(&mut record);
        Kernel::check(record).unwrap_err()
    }

    #[test]
    fn a_good_record_is_checked_into_its_parts() {
        let kernel = Kernel::check(saxpy()).unwrap();
        assert_eq!(kernel.dims(), ["n"]);
        assert_eq!(kernel.arrays().len(), 3);
        assert_eq!(kernel.scalars()[0].name, "a");
        assert_eq!(kernel.wanted_fuel(), Some(1_000_000_000));
        let json = serde_json::to_string(kernel.record()).unwrap();
        assert_eq!(
            serde_json::from_str::<KernelRecord>(&json).unwrap(),
            saxpy()
        );
    }

    #[test]
    fn only_inputs_that_are_cut_have_a_halo() {
        let mut record = saxpy();
        record.parameters[1].halo = 2;
        let kernel = Kernel::check(record.clone()).unwrap();
        let halos: Vec<_> = kernel.arrays().iter().map(|array| array.halo).collect();
        assert_eq!(halos, [2, 0, 0]);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(json.matches("halo").count(), 1);

        let refused = |change: fn(&mut KernelRecord)| {
            assert!(matches!(broken(change), RecordError::Halo(_)));
        };
        refused(|r| r.parameters[0].halo = 1);
        refused(|r| r.parameters[3].halo = 1);
        refused(|r| {
            r.split = None;
            r.parameters[1].halo = 1;
        });
        refused(|r| {
            r.signature = "(k),(n)->(n)".into();
            r.parameters[1].halo = 1;
        });
        refused(|r| {
            r.signature = "(n),(n),(n)->(n)".into();
            r.parameters[3].role = Role::Inout;
            r.parameters[3].halo = 1;
        });
    }

    #[test]
    fn wants_are_capabilities_without_duplicates() {
        let wants = |names: &[&str]| {
            let mut record = saxpy();
            record.wants = Some(names.iter().map(|name| (*name).to_owned()).collect());
            Kernel::check(record)
        };
        assert_eq!(wants(&[]).unwrap().wants(), Some(&[][..]));
        assert_eq!(wants(&["gpu", "log"]).unwrap().wants().unwrap().len(), 2);
        assert_eq!(Kernel::check(saxpy()).unwrap().wants(), None);
        assert!(matches!(wants(&["files"]), Err(RecordError::Want(_))));
        assert!(matches!(
            wants(&["log", "log"]),
            Err(RecordError::Duplicate(_))
        ));
    }

    #[test]
    fn an_inout_array_stands_on_both_sides() {
        let mut record = saxpy();
        record.signature = "(n),(n),(n)->(n)".into();
        record.parameters[3].role = Role::Inout;
        assert_eq!(Kernel::check(record.clone()).unwrap().arrays().len(), 3);
        record.signature = "(n),(n),(m)->(n)".into();
        assert_eq!(
            Kernel::check(record).unwrap_err(),
            RecordError::InoutShape("out".into())
        );
    }

    #[test]
    fn each_broken_rule_is_named() {
        assert!(matches!(
            broken(|r| r.name = "a b".into()),
            RecordError::Name(_)
        ));
        assert!(matches!(
            broken(|r| r.doc = "x".repeat(5000)),
            RecordError::DocTooLong { .. }
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n".into()),
            RecordError::Signature(_)
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n)->(n)".into()),
            RecordError::Arity { .. }
        ));
        assert!(matches!(
            broken(|r| r.cost = Some("k".into())),
            RecordError::Cost(_)
        ));
        assert!(matches!(
            broken(|r| r.cost = Some("a".into())),
            RecordError::Cost(_)
        ));
        assert!(matches!(
            broken(|r| r.split = Some("m".into())),
            RecordError::SplitUnknown(_)
        ));
        assert!(matches!(
            broken(|r| r.limits.memory = Some("1MB".into())),
            RecordError::Unit(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[1].name = "a".into()),
            RecordError::Duplicate(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[1].name = "n".into()),
            RecordError::Duplicate(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[0].dtype = DType::U8),
            RecordError::ScalarType { .. }
        ));
        assert!(matches!(
            broken(|r| r.parameters[0].default = Some(ScalarValue::I32(1))),
            RecordError::Default(_)
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n),(k,n)->(n)".into()),
            RecordError::SplitPlace { .. }
        ));
        assert!(matches!(
            broken(|r| {
                r.signature = "(n),(n)->()".into();
                r.split = Some("n".into());
            }),
            RecordError::SplitPlace { .. }
        ));
    }
}

//! `kernel.toml`: the manifest of a component made without the SDK, as its author writes it.
//!
//! The file has the manifest's records in TOML, with one difference: a scalar's default is a plain value,
//! whose type is the parameter's. Every error names the line and the key.

use hotcell_manifest::{
    ComponentRecord, DType, Kernel, KernelRecord, Manifest, ManifestError, Parameter, Record,
    RecordError, Role, ScalarValue, WantedLimits, Weight,
};
use serde::Deserialize;
use std::ops::Range;
use toml::{Spanned, Value};

/// What is wrong with a manifest file, and where.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}")]
pub struct ManifestFileError {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub mistake: Mistake,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// It is not the TOML of a manifest.
    #[error("{}", .0.message().replace('\n', ", "))]
    Toml(toml::de::Error),
    /// A default is not of its parameter's type.
    #[error("default: {value} is no finite value of type {dtype}")]
    Default {
        /// The default.
        value: Value,
        /// The parameter's type.
        dtype: DType,
    },
    /// A kernel's record is refused.
    #[error("{key}")]
    Kernel {
        /// The key that is to blame.
        key: &'static str,
        /// The cause.
        #[source]
        source: RecordError,
    },
    /// The records do not go together.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    component: Spanned<ComponentRecord>,
    kernel: Vec<KernelTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KernelTable {
    name: Spanned<String>,
    #[serde(default)]
    doc: String,
    signature: Spanned<String>,
    parameters: Spanned<Vec<ParameterTable>>,
    split: Option<Spanned<String>>,
    cost: Option<Spanned<String>>,
    #[serde(default)]
    weight: Weight,
    limits: Option<Spanned<WantedLimits>>,
    wants: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterTable {
    name: String,
    role: Role,
    dtype: DType,
    default: Option<Spanned<Value>>,
    #[serde(default)]
    halo: u32,
}

/// Reads a manifest file's text; `name` stands before the line in errors.
///
/// # Errors
/// The first thing that is wrong, as `NAME:LINE: KEY: …`.
pub fn parse(name: &str, text: &str) -> Result<Manifest, ManifestFileError> {
    let at = |span: Range<usize>, mistake| ManifestFileError {
        file: name.to_owned(),
        line: 1 + text[..span.start].matches('\n').count(),
        mistake,
    };
    let file: File = toml::from_str(text)
        .map_err(|error| at(error.span().unwrap_or_default(), Mistake::Toml(error)))?;
    let mut records = Vec::new();
    for kernel in file.kernel {
        records.push(Record::from(
            check_kernel(kernel).map_err(|(span, mistake)| at(span, mistake))?,
        ));
    }
    let component = file.component.span();
    records.push(file.component.into_inner().into());
    Manifest::from_records(records).map_err(|error| at(component, error.into()))
}

/// A mistake and the part of the file that it is about.
type Located = (Range<usize>, Mistake);

/// Checks one kernel by itself, so that its errors point at their keys.
fn check_kernel(table: KernelTable) -> Result<KernelRecord, Located> {
    let spans = Spans::of(&table);
    let mut parameters = Vec::new();
    for parameter in table.parameters.into_inner() {
        parameters.push(check_parameter(parameter)?);
    }
    let record = KernelRecord {
        name: table.name.into_inner(),
        doc: table.doc,
        signature: table.signature.into_inner(),
        parameters,
        split: table.split.map(Spanned::into_inner),
        cost: table.cost.map(Spanned::into_inner),
        weight: table.weight,
        limits: table.limits.map(Spanned::into_inner).unwrap_or_default(),
        wants: table.wants.map(Spanned::into_inner),
    };
    match Kernel::check(record) {
        Ok(kernel) => Ok(kernel.record().clone()),
        Err(source) => {
            let (key, span) = spans.blamed(&source);
            Err((span, Mistake::Kernel { key, source }))
        }
    }
}

fn check_parameter(table: ParameterTable) -> Result<Parameter, Located> {
    let dtype = table.dtype;
    let default = match table.default {
        None => None,
        Some(default) => Some(scalar(dtype, default.get_ref()).ok_or_else(|| {
            let (span, value) = (default.span(), default.get_ref().clone());
            (span, Mistake::Default { value, dtype })
        })?),
    };
    Ok(Parameter {
        name: table.name,
        role: table.role,
        dtype,
        default,
        halo: table.halo,
    })
}

/// A plain TOML value as a scalar; as text, for numbers beyond TOML's 64-bit signed integers.
fn scalar(dtype: DType, value: &Value) -> Option<ScalarValue> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Boolean(value) => value.to_string(),
        _ => return None,
    };
    ScalarValue::parse(dtype, &text).filter(|value| match value {
        ScalarValue::F32(value) => value.is_finite(),
        ScalarValue::F64(value) => value.is_finite(),
        _ => true,
    })
}

/// Where a kernel's keys stand.
struct Spans {
    name: Range<usize>,
    signature: Range<usize>,
    parameters: Range<usize>,
    split: Option<Range<usize>>,
    cost: Option<Range<usize>>,
    limits: Option<Range<usize>>,
    wants: Option<Range<usize>>,
}

impl Spans {
    fn of(table: &KernelTable) -> Self {
        Self {
            name: table.name.span(),
            signature: table.signature.span(),
            parameters: table.parameters.span(),
            split: table.split.as_ref().map(Spanned::span),
            cost: table.cost.as_ref().map(Spanned::span),
            limits: table.limits.as_ref().map(Spanned::span),
            wants: table.wants.as_ref().map(Spanned::span),
        }
    }

    /// The key that an error is about.
    fn blamed(self, error: &RecordError) -> (&'static str, Range<usize>) {
        let (key, span) = match error {
            RecordError::Signature(_) | RecordError::Arity { .. } | RecordError::InoutShape(_) => {
                ("signature", Some(self.signature))
            }
            RecordError::Duplicate(_)
            | RecordError::NoOutput
            | RecordError::ScalarType { .. }
            | RecordError::Halo(_)
            | RecordError::Default(_) => ("parameters", Some(self.parameters)),
            RecordError::SplitUnknown(_) | RecordError::SplitPlace { .. } => ("split", self.split),
            RecordError::Cost(_) => ("cost", self.cost),
            RecordError::Want(_) => ("wants", self.wants),
            RecordError::Unit(_) => ("limits", self.limits),
            RecordError::DocTooLong { .. } => ("doc", None),
            RecordError::Name(_) => ("name", None),
        };
        (key, span.unwrap_or(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: &str = r#"[component]
name = "scale"

[[kernel]]
name = "scale"
signature = "(n)->(n)"
split = "n"
cost = "n"
limits = { timeout = "2s" }
parameters = [
    { name = "a", role = "scalar", dtype = "f32", default = 0.1 },
    { name = "x", role = "input", dtype = "f32" },
    { name = "out", role = "output", dtype = "f32" },
]
"#;

    #[test]
    fn a_manifest_file_says_what_the_records_say() {
        let manifest = parse("kernel.toml", SCALE).unwrap();
        assert_eq!(manifest.component().name, "scale");
        let kernel = manifest.kernel("scale").unwrap();
        assert_eq!(kernel.split(), Some("n"));
        assert_eq!(kernel.scalars()[0].default, Some(ScalarValue::F32(0.1)));
        assert_eq!(
            Manifest::decode(&manifest.encode()).unwrap(),
            manifest,
            "it survives the section"
        );
    }

    #[test]
    fn mistakes_are_named_with_line_and_key() {
        for (from, to, wanted) in [
            (
                "cost = \"n\"",
                "cots = \"n\"",
                "k.toml:8: unknown field `cots`",
            ),
            ("cost = \"n\"", "cost = \"q\"", "k.toml:8: cost: "),
            (
                "split = \"n\"",
                "split = \"m\"",
                "k.toml:7: split: split `m` is not",
            ),
            ("(n)->(n)", "(n)->(n", "k.toml:6: signature: "),
            (
                "(n)->(n)",
                "(n),(n)->(n)",
                "k.toml:6: signature: the signature has 2 inputs",
            ),
            ("\"2s\"", "\"2 days\"", "k.toml:9: limits: "),
            (
                "0.1 }",
                "\"nan\" }",
                "k.toml:11: default: \"nan\" is no finite value of type f32",
            ),
            ("0.1 }", "[] }", "k.toml:11: default: [] is no"),
            (
                "\"input\"",
                "\"inptu\"",
                "k.toml:12: unknown variant `inptu`",
            ),
            (
                "\"x\"",
                "\"n\"",
                "k.toml:10: parameters: `n` is named twice",
            ),
            (
                "[component]\nname = \"scale\"",
                "",
                "k.toml:1: missing field `component`",
            ),
            ("name = \"scale\"\n\n", "", "k.toml:1: missing field `name`"),
            (
                "\"scale\"\nsig",
                "\"a b\"\nsig",
                "k.toml:5: name: `a b` is no name",
            ),
            (
                "\"f32\" },\n]",
                "\"f32\", halo = 1 },\n]",
                "k.toml:10: parameters: `out` cannot have a halo",
            ),
            (
                "cost = \"n\"",
                "wants = [\"gpu\", \"wifi\"]",
                "k.toml:8: wants: `wifi` is no capability",
            ),
            ("]\n", "", "k.toml:"),
        ] {
            let text = SCALE.replacen(from, to, 1);
            assert_ne!(text, SCALE, "{from}");
            let error = anyhow::Error::from(parse("k.toml", &text).unwrap_err());
            let error = format!("{error:#}");
            assert!(error.starts_with(wanted), "{wanted}\n{error}");
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn halos_and_wants_are_read() {
        let text = SCALE
            .replace(
                "\"input\", dtype = \"f32\"",
                "\"input\", dtype = \"f32\", halo = 3",
            )
            .replace("cost = \"n\"", "wants = [\"clock\"]");
        let manifest = parse("k.toml", &text).unwrap();
        let kernel = manifest.kernel("scale").unwrap();
        assert_eq!(kernel.arrays()[0].halo, 3);
        assert_eq!(kernel.wants(), Some(&["clock".to_owned()][..]));
    }

    #[test]
    fn defaults_have_their_parameters_type() {
        let value = |dtype, toml: &str| {
            let table: toml::Table = format!("v = {toml}").parse().unwrap();
            scalar(dtype, &table["v"])
        };
        assert_eq!(value(DType::F64, "3"), Some(ScalarValue::F64(3.0)));
        assert_eq!(value(DType::Bool, "true"), Some(ScalarValue::Bool(true)));
        assert_eq!(
            value(DType::U64, "\"18446744073709551615\""),
            Some(ScalarValue::U64(u64::MAX))
        );
        assert_eq!(value(DType::U32, "-1"), None);
        assert_eq!(value(DType::I32, "1.5"), None);
        assert_eq!(value(DType::F32, "1e300"), None);
        assert_eq!(value(DType::F16, "1"), None);
    }
}

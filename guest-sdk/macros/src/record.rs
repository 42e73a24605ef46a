//! The kernel's record in the manifest, from the attribute and the function's documentation.

use crate::attributes::{Attributes, NamedValue};
use crate::function::Function;
use crate::parameters::{Halo, Kind, Parameter, at, halo_of};
use hotcell_manifest::{DType, KernelRecord, Role, ScalarValue, WantedLimits, Weight, units};
use std::fmt::Display;
use syn::{Attribute, Expr, Lit, LitStr, Meta, Result};

/// The record, with each parameter's role.
pub(crate) fn record(
    attributes: &Attributes,
    function: &Function,
    parameters: &[Parameter],
    roles: &[Role],
    halos: &[Halo],
) -> Result<KernelRecord> {
    let defaults = &attributes.defaults;
    let listed = parameters.iter().zip(roles);
    let listed =
        listed.filter_map(|(parameter, &role)| listed_parameter(parameter, role, defaults, halos));
    let listed = listed.collect::<Result<Vec<_>>>()?;
    let is_listed = |default: &&NamedValue| listed.iter().any(|p| default.name == p.name);
    if let Some(unknown) = defaults.iter().find(|default| !is_listed(default)) {
        let message = format!("there is no scalar `{}`", unknown.name);
        return Err(at(&unknown.name, message));
    }
    Ok(KernelRecord {
        name: function.name.to_string(),
        doc: first_paragraph(function),
        signature: attributes.sig.value(),
        parameters: listed,
        split: attributes.split.as_ref().map(LitStr::value),
        cost: attributes.cost.as_ref().map(LitStr::value),
        weight: weight(attributes.weight.as_ref())?,
        limits: limits(attributes)?,
        wants: attributes.wants.as_ref().map(wants),
    })
}

/// What the manifest lists: arrays and scalars.
fn listed_parameter(
    parameter: &Parameter,
    role: Role,
    defaults: &[NamedValue],
    halos: &[Halo],
) -> Option<Result<hotcell_manifest::Parameter>> {
    let dtype = match &parameter.kind {
        Kind::Scalar(dtype) => *dtype,
        Kind::Array(array) => array.dtype,
        Kind::Extent | Kind::Chunk => return None,
    };
    let default = defaults
        .iter()
        .find(|default| parameter.name == default.name);
    let default = default
        .map(|default| default_value(default, role, dtype))
        .transpose();
    Some(default.map(|default| hotcell_manifest::Parameter {
        name: parameter.name.to_string(),
        role,
        dtype,
        default,
        halo: halo_of(halos, parameter).map_or(0, |halo| halo.rows),
    }))
}

fn default_value(default: &NamedValue, role: Role, dtype: DType) -> Result<ScalarValue> {
    let name = &default.name;
    if role != Role::Scalar {
        let message = format!("`{name}` is an array: only scalars have defaults");
        return Err(at(name, message));
    }
    let value = literal_text(default, dtype).and_then(|text| ScalarValue::parse(dtype, &text));
    let is_finite = |value: &ScalarValue| match value {
        ScalarValue::F32(value) => value.is_finite(),
        ScalarValue::F64(value) => value.is_finite(),
        _ => true,
    };
    value.filter(is_finite).ok_or_else(|| {
        let message = format!("`{name}` is {dtype}, and this is no finite value of that type");
        at(&default.value, message)
    })
}

/// The literal's text, if it is of the kind that `dtype` has; as strict as Rust is.
fn literal_text(default: &NamedValue, dtype: DType) -> Option<String> {
    let is_float = matches!(dtype, DType::F32 | DType::F64);
    let (digits, suffix, fits) = match &default.value {
        Lit::Bool(value) => {
            let fits = dtype == DType::Bool && !default.negative;
            (value.value.to_string(), "", fits)
        }
        Lit::Int(value) => {
            let fits = !is_float && dtype != DType::Bool;
            (value.base10_digits().to_owned(), value.suffix(), fits)
        }
        Lit::Float(value) => (value.base10_digits().to_owned(), value.suffix(), is_float),
        _ => return None,
    };
    let sign = if default.negative { "-" } else { "" };
    let fits = fits && (suffix.is_empty() || suffix == dtype.name());
    fits.then(|| format!("{sign}{digits}"))
}

/// The names in `wants`; which there are is the manifest's to say.
fn wants(literal: &LitStr) -> Vec<String> {
    let text = literal.value();
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn weight(literal: Option<&LitStr>) -> Result<Weight> {
    let Some(literal) = literal else {
        return Ok(Weight::default());
    };
    match literal.value().as_str() {
        "light" => Ok(Weight::Light),
        "normal" => Ok(Weight::Normal),
        "heavy" => Ok(Weight::Heavy),
        _ => Err(at(
            literal,
            "a weight is \"light\", \"normal\" or \"heavy\"",
        )),
    }
}

fn limits(attributes: &Attributes) -> Result<WantedLimits> {
    fn check<T, E: Display>(
        literal: Option<&LitStr>,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<String>> {
        let Some(literal) = literal else {
            return Ok(None);
        };
        parse(&literal.value()).map_err(|error| at(literal, error))?;
        Ok(Some(literal.value()))
    }
    Ok(WantedLimits {
        fuel: check(attributes.fuel.as_ref(), units::parse_count)?,
        timeout: check(attributes.timeout.as_ref(), units::parse_duration)?,
        memory: check(attributes.memory.as_ref(), units::parse_bytes)?,
    })
}

/// The documentation up to its first empty line, as one line.
fn first_paragraph(function: &Function) -> String {
    let text: Vec<String> = function.attrs.iter().filter_map(doc_text).collect();
    let lines = text.iter().flat_map(|text| text.split('\n')).map(str::trim);
    let paragraph = lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ")
}

/// The text of a doc comment's attribute.
fn doc_text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else {
        return None;
    };
    match &meta.value {
        Expr::Lit(value) if meta.path.is_ident("doc") => match &value.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

//! Records as JSON, written by hand: what `serde_json` makes of them, for builds without it.

use crate::kernel::{KernelRecord, Parameter, WantedLimits};
use crate::{ComponentRecord, Record, ScalarValue};
use std::fmt::{Display, Write as _};

/// A record's text.
pub(crate) fn text(record: &Record) -> String {
    object(|fields| {
        fields.value("schema", record.schema);
        fields.optional("component", record.component.as_ref().map(component));
        fields.optional("kernel", record.kernel.as_ref().map(kernel));
    })
}

fn component(record: &ComponentRecord) -> String {
    object(|fields| {
        fields.value("name", string(&record.name));
        fields.unless_empty("version", &record.version);
    })
}

fn kernel(record: &KernelRecord) -> String {
    object(|fields| {
        fields.value("name", string(&record.name));
        fields.unless_empty("doc", &record.doc);
        fields.value("signature", string(&record.signature));
        fields.value("parameters", list(record.parameters.iter().map(parameter)));
        fields.optional("split", record.split.as_deref().map(string));
        fields.optional("cost", record.cost.as_deref().map(string));
        fields.value("weight", string(record.weight.name()));
        let limits = Some(&record.limits).filter(|limits| !limits.is_empty());
        fields.optional("limits", limits.map(wanted_limits));
        let wants = record.wants.as_ref();
        fields.optional(
            "wants",
            wants.map(|names| list(names.iter().map(|name| string(name)))),
        );
    })
}

fn parameter(parameter: &Parameter) -> String {
    object(|fields| {
        fields.value("name", string(&parameter.name));
        fields.value("role", string(parameter.role.name()));
        fields.value("dtype", string(parameter.dtype.name()));
        fields.optional("default", parameter.default.map(scalar));
        fields.optional("halo", Some(parameter.halo).filter(|halo| *halo != 0));
    })
}

fn wanted_limits(limits: &WantedLimits) -> String {
    object(|fields| {
        fields.optional("fuel", limits.fuel.as_deref().map(string));
        fields.optional("timeout", limits.timeout.as_deref().map(string));
        fields.optional("memory", limits.memory.as_deref().map(string));
    })
}

fn scalar(value: ScalarValue) -> String {
    let number: &dyn Display = match &value {
        ScalarValue::Bool(value) => value,
        ScalarValue::I32(value) => value,
        ScalarValue::I64(value) => value,
        ScalarValue::U32(value) => value,
        ScalarValue::U64(value) => value,
        ScalarValue::F32(value) => &float(value.is_finite(), value),
        ScalarValue::F64(value) => &float(value.is_finite(), value),
    };
    object(|fields| fields.value(value.dtype().name(), number))
}

/// `Debug` has the exponents that `Display` lacks; JSON has no word for what is not finite.
fn float(is_finite: bool, value: &(impl Display + std::fmt::Debug)) -> String {
    if is_finite {
        format!("{value:?}")
    } else {
        string(&value.to_string())
    }
}

/// The fields of an object on their way into a text.
struct Fields(String);

fn object(fill: impl FnOnce(&mut Fields)) -> String {
    let mut fields = Fields("{".to_owned());
    fill(&mut fields);
    fields.0.push('}');
    fields.0
}

impl Fields {
    /// Adds a field; `value` is JSON.
    fn value(&mut self, name: &str, value: impl Display) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        write!(self.0, "{comma}\"{name}\":{value}").expect("a string grows");
    }

    fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    fn unless_empty(&mut self, name: &str, text: &str) {
        self.optional(name, Some(text).filter(|text| !text.is_empty()).map(string));
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A text with what JSON cannot have in one escaped.
fn string(text: &str) -> String {
    let mut json = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..' ' => write!(json, "\\u{:04x}", u32::from(c)).expect("a string grows"),
            _ => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(all(test, feature = "read"))]
mod tests {
    use super::*;
    use crate::{DType, Role, Weight};

    fn parameter_of(dtype: DType, default: Option<ScalarValue>, halo: u32) -> Parameter {
        Parameter {
            name: "x".to_owned(),
            role: if halo > 0 { Role::Input } else { Role::Scalar },
            dtype,
            default,
            halo,
        }
    }

    fn records() -> Vec<Record> {
        let full = KernelRecord {
            name: "k".to_owned(),
            doc: "says \"\\ä\u{1f600}\" \u{1}\u{8}\u{c}\u{7f}\n\r\t".to_owned(),
            signature: "(n)->(n)".to_owned(),
            parameters: vec![
                parameter_of(DType::F32, Some(ScalarValue::F32(-0.1)), 0),
                parameter_of(DType::Bool, Some(ScalarValue::Bool(true)), 0),
                parameter_of(DType::I64, Some(ScalarValue::I64(i64::MIN)), 0),
                parameter_of(DType::Complex128, None, 3),
            ],
            split: Some("n".to_owned()),
            cost: Some("2*n".to_owned()),
            weight: Weight::Heavy,
            limits: WantedLimits {
                fuel: Some("1G".to_owned()),
                timeout: None,
                memory: Some("1MiB".to_owned()),
            },
            wants: Some(vec!["gpu".to_owned(), "log".to_owned()]),
        };
        let bare = KernelRecord {
            doc: String::new(),
            parameters: Vec::new(),
            split: None,
            cost: None,
            weight: Weight::Normal,
            limits: WantedLimits::default(),
            wants: Some(Vec::new()),
            ..full.clone()
        };
        let component = |version: &str| ComponentRecord {
            name: "c".to_owned(),
            version: version.to_owned(),
        };
        vec![
            full.into(),
            bare.into(),
            component("").into(),
            component("1").into(),
        ]
    }

    #[test]
    fn records_are_written_as_serde_json_writes_them() {
        for record in records() {
            assert_eq!(text(&record), serde_json::to_string(&record).unwrap());
        }
    }

    #[test]
    fn every_float_is_read_as_it_was_written() {
        for bits in (0..u32::MAX).step_by(100_003) {
            let value = f32::from_bits(bits);
            let read: ScalarValue = serde_json::from_str(&scalar(ScalarValue::F32(value))).unwrap();
            match read {
                ScalarValue::F32(read) => {
                    assert!(read.to_bits() == bits || read.is_nan() && value.is_nan());
                }
                other => panic!("{other:?}"),
            }
            let value = ScalarValue::F64(f64::from(value) * 1e-150);
            let read: ScalarValue = serde_json::from_str(&scalar(value)).unwrap();
            let theirs = serde_json::to_string(&value).unwrap();
            let theirs = serde_json::from_str::<ScalarValue>(&theirs).unwrap();
            assert!(read == theirs || format!("{read:?}") == format!("{theirs:?}"));
        }
    }
}

//! Values against JSON Schemas.

use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a value against a schema, as far as this one goes: types, keys, enumerations; collects the
/// places of the schema's properties that occurred.
pub struct Walk<'a> {
    root: &'a Value,
    /// The places of the properties that occurred.
    pub seen: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    /// One that has seen nothing.
    pub fn new(root: &'a Value) -> Self {
        Self {
            root,
            seen: BTreeSet::new(),
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(place) => &self.root["$defs"][place.trim_start_matches("#/$defs/")],
            None => schema,
        }
    }

    /// Whether `value` fits; `at` is its place in the whole.
    ///
    /// # Errors
    /// The place of what does not, and why.
    pub fn check(&mut self, schema: &'a Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = self.resolve(schema);
        if schema.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(());
        }
        if let Some(alternatives) = schema["oneOf"].as_array()
            && schema.get("properties").is_none()
        {
            let fits: Vec<_> = alternatives
                .iter()
                .filter(|one| self.check(one, value, at).is_ok())
                .collect();
            return match fits.len() {
                1 => Ok(()),
                fits => Err(format!("{at}: {value} fits {fits} alternatives")),
            };
        }
        if let Some(wanted) = schema.get("const")
            && wanted != value
        {
            return Err(format!("{at}: {value} is not {wanted}"));
        }
        if let Some(known) = schema["enum"].as_array()
            && !known.contains(value)
        {
            return Err(format!("{at}: {value} is none of {known:?}"));
        }
        let is = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => true,
        };
        if !is {
            return Err(format!("{at}: {value} is no {}", schema["type"]));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(schema) = schema.get("items") {
                self.check(schema, item, &format!("{at}[{index}]"))?;
            }
        }
        self.check_keys(schema, value, at)
    }

    fn check_keys(&mut self, schema: &'a Value, value: &Value, at: &str) -> Result<(), String> {
        let Some(object) = value.as_object() else {
            return Ok(());
        };
        for required in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(required.as_str().unwrap_or_default()) {
                return Err(format!("{at}: {required} is missing"));
            }
        }
        for (key, value) in object {
            let at = format!("{at}.{key}");
            match (
                schema["properties"].get(key),
                &schema["additionalProperties"],
            ) {
                (Some(known), _) => {
                    self.seen
                        .insert(at.replace(|c: char| c.is_ascii_digit(), ""));
                    self.check(known, value, &at)?;
                }
                (None, Value::Object(_)) => {
                    self.check(&schema["additionalProperties"], value, &at)?
                }
                (None, _) => return Err(format!("{at} is not in the schema")),
            }
        }
        Ok(())
    }
}

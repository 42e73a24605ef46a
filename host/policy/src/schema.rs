//! The file's JSON Schema, for editors: made from the same tables that the reader reads by.

use crate::file::KERNELS_ISOLATION;
use crate::keys::{self, Key, Kind, Table};
use crate::record::{AuditMode, AuditSync};
use hotcell::observable;
use hotcell_model::budget::Resource;
use hotcell_model::grant::Capability;
use hotcell_model::layer::Tier;
use hotcell_model::limit::{Limit, Unit};
use hotcell_model::profile::{Isolation, Metering};
use serde_json::{Map, Value, json};

/// The schema of a policy, in the words of JSON Schema's draft of 2020-12.
pub fn json() -> Value {
    let mut schema = table(&keys::FILE);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("hotcell policy");
    schema["required"] = json!(["schema"]);
    schema
}

fn table(table: &Table) -> Value {
    let keys = table.keys.iter().map(|key| {
        let mut value = of_key(key);
        value["description"] = json!(key.about);
        (key.name.to_owned(), value)
    });
    json!({
        "type": "object",
        "description": table.about,
        "additionalProperties": false,
        "properties": keys.collect::<Map<_, _>>(),
    })
}

fn of_key(key: &Key) -> Value {
    match key.kind {
        Kind::Schema => json!({ "const": crate::read::SCHEMA }),
        Kind::Grants => list(json!({ "enum": Capability::ALL.map(Capability::name) })),
        Kind::Metering => json!({ "enum": Metering::ALL.map(Metering::name) }),
        Kind::Tier => json!({ "enum": Tier::ALL.map(Tier::name) }),
        Kind::Isolation => json!({ "enum": KERNELS_ISOLATION.map(Isolation::name) }),
        Kind::Limits => by_limit(|limit| {
            let mut forms = vec![amount(limit)];
            let modes: &[&str] = match observable(limit) {
                true => &["enforce", "observe"],
                false => &["enforce"],
            };
            forms.push(json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["value"],
                "properties": { "value": amount(limit), "mode": { "enum": modes } },
            }));
            json!({ "anyOf": forms })
        }),
        Kind::Ceilings => by_limit(amount),
        Kind::Profiles => by_name(&keys::PROFILE),
        Kind::Tenants => by_name(&keys::TENANT),
        Kind::Kernels => list(table(&keys::KERNEL)),
        Kind::Digest => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        Kind::Weight => json!({ "enum": ["light", "normal", "heavy"] }),
        Kind::Pattern | Kind::Profile | Kind::Words => json!({ "type": "string" }),
        Kind::ProfileList => list(json!({ "type": "string" })),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Directories => {
            let mut one = table(&keys::Table {
                heading: "a directory",
                about: "A directory that kernels are given.",
                keys: &keys::DIRECTORY_KEYS,
            });
            one["required"] = json!(["path"]);
            let path = json!({ "type": "string", "pattern": "^/" });
            one["properties"]["path"] = path.clone();
            json!({
                "type": "object",
                "propertyNames": { "pattern": "^/" },
                "additionalProperties": { "anyOf": [path, one] },
            })
        }
        Kind::Audit => table(&keys::AUDIT),
        Kind::Alerts => table(&keys::ALERTS),
        Kind::Metrics => table(&keys::METRICS),
        Kind::AuditMode => json!({ "enum": AuditMode::ALL.map(AuditMode::name) }),
        Kind::AuditSync => json!({ "enum": AuditSync::ALL.map(AuditSync::name) }),
        Kind::Bytes => in_unit(Unit::Bytes),
        Kind::Duration => in_unit(Unit::Ns),
        Kind::Days => json!({ "type": "integer", "minimum": 1 }),
        Kind::Path => json!({ "type": "string", "pattern": "^/" }),
        Kind::Command => {
            let first = json!([{ "type": "string", "pattern": "^/" }]);
            json!({ "type": "array", "minItems": 1, "prefixItems": first, "items": { "type": "string" } })
        }
        Kind::Web => json!({ "type": "string", "pattern": "^https?://[^/]" }),
        Kind::Witness => json!({ "type": "string", "pattern": "^http://[^/]" }),
        Kind::Local => json!({ "type": "string" }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Budgets => {
            let budgets = Resource::ALL.into_iter().map(|resource| {
                let mut rate = table(&keys::BUDGET);
                rate["required"] = json!(["size", "refill", "per"]);
                for (name, unit) in [
                    ("size", resource.unit()),
                    ("refill", resource.unit()),
                    ("per", Unit::Ns),
                ] {
                    rate["properties"][name] = in_unit(unit);
                }
                (resource.name().to_owned(), rate)
            });
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": budgets.collect::<Map<_, _>>(),
            })
        }
        Kind::Subjects => {
            list(json!({ "type": "string", "pattern": "^(user:.+|group:.+|[ug]id:[0-9]+)$" }))
        }
    }
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn by_name(of: &Table) -> Value {
    json!({ "type": "object", "additionalProperties": table(of) })
}

fn by_limit(of: impl Fn(Limit) -> Value) -> Value {
    let limits = Limit::ALL.iter().copied();
    let limits = limits.map(|limit| (limit.name().to_owned(), of(limit)));
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": limits.collect::<Map<_, _>>(),
    })
}

fn amount(limit: Limit) -> Value {
    in_unit(limit.unit())
}

fn in_unit(unit: Unit) -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match unit {
        Unit::Ns => text("^[0-9.]+ ?(ns|us|ms|s|m)$"),
        Unit::Bytes => text("^[0-9.]+ ?(B|KiB|MiB|GiB)$"),
        Unit::Fuel | Unit::Count => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            text("^[0-9.]+ ?[kMGT]?$"),
        ] }),
    }
}

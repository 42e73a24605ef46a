//! The reference of all keys, for `docs/policy.md`: made from the tables that the reader reads by.

use crate::keys::{self, Kind, TABLES};
use std::fmt::Write as _;

/// Where the reference begins and ends in a document that has it.
pub const BEGIN: &str = "<!-- The reference below is made by `hotcell policy reference`. -->";
/// The end of it.
pub const END: &str = "<!-- The end of what is made. -->";

/// The reference in Markdown.
pub fn markdown() -> String {
    let mut text = String::new();
    for table in TABLES {
        let heading = match table.heading.is_empty() {
            true => "At the top of the file".to_owned(),
            false => format!("`{}`", table.heading),
        };
        let _ = write!(
            text,
            "### {heading}\n\n{}\n\n| key | value | |\n| --- | --- | --- |\n",
            table.about
        );
        for key in table.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} |",
                key.name,
                value(key.kind),
                key.about
            );
        }
        text.push('\n');
    }
    text.push_str("### A limit\n\nEither its value, `timeout_ns = \"2s\"`, or a table, `timeout_ns = { value = \"2s\", mode = \"observe\" }`:\n\n");
    text.push_str("| key | value | |\n| --- | --- | --- |\n");
    for key in keys::LIMIT_KEYS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            key.name,
            value(key.kind),
            key.about
        );
    }
    let _ = write!(
        text,
        "\n### A budget\n\n`launches = {{ size = 100, refill = 10, per = \"1s\" }}`. {}\n\n| key | value | |\n| --- | --- | --- |\n",
        keys::BUDGET.about
    );
    for key in keys::BUDGET.keys {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            key.name,
            value(key.kind),
            key.about
        );
    }
    text
}

fn value(kind: Kind) -> &'static str {
    match kind {
        Kind::Schema => "`1`",
        Kind::Grants => "a list of capabilities",
        Kind::Metering => "`fast`, `strict` or `deterministic`",
        Kind::Tier => "`full`, `unprivileged` or `insecure`",
        Kind::Isolation => "`confined` or `in-process`",
        Kind::Limits => "a table of [limits](limits.md) by name",
        Kind::Ceilings => "a table of values by limit",
        Kind::Profiles => "tables by name",
        Kind::Kernels => "a list of tables",
        Kind::Tenants => "tables by name",
        Kind::Digest => "64 hexadecimal digits",
        Kind::Pattern => "text; `*` stands for any characters",
        Kind::Weight => "`light`, `normal` or `heavy`",
        Kind::Profile => "a profile's name",
        Kind::Words => "text",
        Kind::ProfileList => "a list of profiles' names",
        Kind::Subjects => "a list of users and groups",
        Kind::Budgets => {
            "a table of budgets: `launches`, `fuel`, `cpu_ns`, `compile_ns`, `gpu_fuel`, `bytes`"
        }
        Kind::Number => "a number of launches",
    }
}

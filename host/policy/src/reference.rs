//! The reference of all keys, for `docs/policy.md`: made from the tables that the reader reads by.

use crate::keys::{BUDGET, DIRECTORY_KEYS, Key, Kind, LIMIT_KEYS, TABLES};
use std::fmt::Write as _;

/// Where the reference begins and ends in a document that has it.
pub const BEGIN: &str = "<!-- The reference below is made by `hotcell policy reference`. -->";
/// The end of it.
pub const END: &str = "<!-- The end of what is made. -->";

/// The reference in Markdown.
pub fn markdown() -> String {
    let mut parts: Vec<String> = TABLES
        .iter()
        .map(|table| {
            let heading = match table.heading.is_empty() {
                true => "At the top of the file".to_owned(),
                false => format!("`{}`", table.heading),
            };
            part(&heading, table.about, table.keys)
        })
        .collect();
    let limit = "Either its value, `timeout_ns = \"2s\"`, or a table, `timeout_ns = { value = \"2s\", mode = \"observe\" }`:";
    parts.push(part("A limit", limit, &LIMIT_KEYS));
    let budget = "`launches = { size = 100, refill = 10, per = \"1s\" }`.";
    let budget = format!("{budget} {}", BUDGET.about);
    parts.push(part("A budget", &budget, BUDGET.keys));
    let directory = "Either its path, `\"/data\" = \"/srv/data\"`, to be read, or a table, `\"/out\" = { path = \"/srv/out\", write = true }`:";
    parts.push(part("A directory", directory, &DIRECTORY_KEYS));
    parts.join("\n")
}

/// A table of keys under its heading.
fn part(heading: &str, about: &str, keys: &[Key]) -> String {
    let mut text = format!("### {heading}\n\n{about}\n\n| key | value | |\n| --- | --- | --- |\n");
    for key in keys {
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
        Kind::Truth => "`true` or `false`",
        Kind::Directories => "a table of directories by the guest's name",
        Kind::Audit | Kind::Alerts | Kind::Metrics => "a table",
        Kind::AuditMode => "`off`, `on` or `required`",
        Kind::AuditSync => "`batch` or `record`",
        Kind::Bytes => "bytes: `1GiB`",
        Kind::Duration => "a duration: `10m`",
        Kind::Days => "a number of days",
        Kind::Path => "an absolute path",
        Kind::Command => "a program's absolute path and its arguments, as a list",
        Kind::Web => "an address, `http://` or `https://`",
        Kind::Witness => "an address, `http://`: what it answers is signed",
        Kind::Local => "an address and a port: `127.0.0.1:9464`",
    }
}

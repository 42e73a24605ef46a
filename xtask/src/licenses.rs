//! The licences of what is compiled into the programs, as those who hand the programs on have to hand on.

use crate::process::{cargo, root};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The packages that programs and libraries are made of.
const ROOTS: [&str; 5] = [
    "hotcell-cli",
    "hotcell-compiler",
    "hotcell-gpu",
    "hotcell-python",
    "hotcell-runner",
];
/// How the names of files begin that say under which terms a package is had.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

/// All packages of others that are compiled in, with their licences and the texts that they bring; each text once.
pub(crate) fn third_party() -> Result<String> {
    let mut packages = String::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in compiled_in()? {
        let name = format!("{} {}", text(&package, "name")?, text(&package, "version")?);
        let license = package["license"].as_str().unwrap_or("as its file says");
        writeln!(packages, "{name}: {license}")?;
        let folder = Path::new(text(&package, "manifest_path")?).parent();
        let mut own = licenses_in(folder.context("a manifest is in a folder")?)?;
        if own.is_empty() {
            // Some bring none. What they say they are under is a text that this repository has.
            ensure!(
                license.contains("Apache-2.0"),
                "{name} is under {license}, and brings no text of it"
            );
            own.push(fs::read_to_string(root().join("LICENSE-APACHE"))?);
        }
        for license in own {
            texts.entry(license).or_default().insert(name.clone());
        }
    }
    let mut all = format!(
        "hotcell is under the MIT licence or the Apache License 2.0. Its programs have in them Rust's standard library (MIT or Apache-2.0), and \
         hotcell-compiler and hotcell-runner the GNU C library of the system that they were built on (LGPL-2.1 or later; they can be linked with \
         another one from hotcell's own sources). Compiled into the programs and the library are\n\n{packages}"
    );
    for (license, users) in texts {
        let users: Vec<_> = users.into_iter().collect();
        write!(
            all,
            "\n{}\n{}\n\n{}\n",
            "=".repeat(72),
            users.join(", "),
            license.trim_end()
        )?;
    }
    Ok(all)
}

/// What cargo says of every package of others that one of the roots needs when it runs.
fn compiled_in() -> Result<Vec<Value>> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = metadata.output().context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let list = list.as_array().into_iter().flatten();
        let of_id = |one: &Value| Some((one["id"].as_str()?.to_owned(), one.clone()));
        list.filter_map(of_id).collect()
    };
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let is_root = |package: &Value| ROOTS.iter().any(|root| package["name"] == *root);
    let roots = packages.iter().filter(|(_, package)| is_root(package));
    let mut left: Vec<&str> = roots.map(|(id, _)| id.as_str()).collect();
    ensure!(left.len() == ROOTS.len(), "a package has another name now");
    let mut found = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        let needs = nodes[id]["deps"].as_array().into_iter().flatten();
        let at_run_time = needs.filter(|need| {
            let mut kinds = need["dep_kinds"].as_array().into_iter().flatten();
            kinds.any(|kind| kind["kind"].is_null())
        });
        left.extend(at_run_time.filter_map(|need| need["pkg"].as_str()));
    }
    let others = found.into_iter().map(|id| &packages[id]);
    Ok(others
        .filter(|package| !package["source"].is_null())
        .cloned()
        .collect())
}

fn licenses_in(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_license = NAMES
            .iter()
            .any(|begin| name.to_uppercase().starts_with(begin));
        if is_license && path.is_file() {
            texts.push(String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    Ok(texts)
}

fn text<'a>(package: &'a Value, key: &str) -> Result<&'a str> {
    package[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no `{key}` of a package"))
}

//! Gathers the SDK's sources, which `hotcell new` unpacks, into `$OUT_DIR/files.rs`: a list of paths and bytes,
//! sorted by path.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What a project's `vendor/` needs of this folder; tests stay behind.
const PARTS: [&str; 7] = [
    "guest/Cargo.toml",
    "guest/README.md",
    "guest/src",
    "macros/Cargo.toml",
    "macros/src",
    "manifest/Cargo.toml",
    "manifest/src",
];

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
        gather(&root.join(part), &mut files);
    }
    files.sort();

    let mut list = String::from("&[\n");
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .expect("every part is below the root");
        writeln!(list, "    ({name:?}, include_bytes!({file:?})),").expect("a string grows");
    }
    list.push_str("]\n");
    let target = PathBuf::from(variable("OUT_DIR")).join("files.rs");
    fs::write(target, list).expect("OUT_DIR is writable");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}, which cargo sets: {error}"))
}

/// Adds the file `path`, or every file below it.
fn gather(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for entry in entries {
        gather(&entry.expect("a folder's entry").path(), files);
    }
}

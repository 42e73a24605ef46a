//! Gathers the guest SDK's sources and the kernel's WIT, which `hotcell new` unpacks and `hotcell build`
//! checks against, into `$OUT_DIR/sdk.rs`: a list of paths and bytes, sorted by path.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What a project's `vendor/` needs, relative to the repository; tests stay behind.
const PARTS: [&str; 9] = [
    "guest-sdk/guest/Cargo.toml",
    "guest-sdk/guest/README.md",
    "guest-sdk/guest/src",
    "guest-sdk/macros/Cargo.toml",
    "guest-sdk/macros/src",
    "guest-sdk/manifest/Cargo.toml",
    "guest-sdk/manifest/src",
    "wit/gpu",
    "wit/kernel",
];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository's root is two folders up");
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
    let target = PathBuf::from(variable("OUT_DIR")).join("sdk.rs");
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

//! Hashes what a supervisor and its workers must agree on into the build's id.

use std::io;
use std::path::{Path, PathBuf};

/// What decides how the two sides speak and what they do, from the workspace's root.
const PARTS: [&str; 9] = [
    "Cargo.lock",
    "guest-sdk/manifest/src",
    "host/compiler/src",
    "host/engine/src",
    "host/gpu/src",
    "host/model/src",
    "host/runner/src",
    "host/sandbox/src",
    "host/shader/src",
];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for part in PARTS {
        let path = root.join(part);
        println!("cargo::rerun-if-changed={}", path.display());
        collect(&path, &mut files)?;
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let name = file
            .strip_prefix(&root)
            .unwrap_or(&file)
            .display()
            .to_string();
        let bytes = std::fs::read(&file)?;
        hasher
            .update(&name.len().to_le_bytes())
            .update(name.as_bytes());
        hasher.update(&bytes.len().to_le_bytes()).update(&bytes);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    println!(
        "cargo::rustc-env=HOTCELL_BUILD_ID={}",
        u128::from_le_bytes(id)
    );
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

//! Hashes what a supervisor and its workers must agree on into the build's id.

use std::io;
use std::path::{Path, PathBuf};

/// Crates of which nothing is in a worker. Every other one below this folder counts, a new one too.
const APART: [&str; 12] = [
    "audit", "build", "cli", "desk", "formats", "hotcell", "ledger", "policy", "profile", "serve",
    "state", "watch",
];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let source = entry.path().join("src");
        if source.is_dir() && !APART.iter().any(|name| entry.file_name() == *name) {
            println!("cargo::rerun-if-changed={}", source.display());
            collect(&source, &mut files)?;
        }
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&part.len().to_le_bytes()).update(part);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    for text in hotcell_manifest::SOURCE {
        add(text.as_bytes());
    }
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        add(name.display().to_string().as_bytes());
        add(&std::fs::read(&file)?);
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

//! Names that cargo takes for a package, and rustc for the library in it.

use anyhow::{Result, bail, ensure};

/// The longest name: it is an identifier of the manifest's as well.
const MAX_BYTES: usize = 64;
/// Words that Rust keeps for itself, in any edition.
const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_",
];
/// Crates that a kernel's own would hide: the toolchain's, and the SDK's.
const TAKEN: [&str; 9] = [
    "alloc",
    "core",
    "std",
    "test",
    "proc_macro",
    "proc-macro",
    "hotcell-guest",
    "hotcell-guest-macros",
    "hotcell-manifest",
];

/// Checks a project's name.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn check(name: &str) -> Result<()> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_later = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    ensure!(!name.is_empty(), "a project needs a name");
    ensure!(
        name.len() <= MAX_BYTES,
        "a name of {} bytes, at most {MAX_BYTES} are allowed",
        name.len()
    );
    if !name.starts_with(is_first) || !name.chars().all(is_later) {
        bail!(
            "`{}` is no package name: a letter or `_`, then letters, digits, `_` or `-`",
            name.escape_debug()
        );
    }
    ensure!(
        !KEYWORDS.contains(&name),
        "`{name}` is a word of Rust's own"
    );
    ensure!(
        !TAKEN.contains(&name.replace('_', "-").as_str()) && !TAKEN.contains(&name),
        "`{name}` is the name of a crate that the project needs"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_cargos() {
        for good in ["k", "saxpy", "my-kernel_2", "_x", "Gemm"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for (bad, why) in [
            ("", "needs a name"),
            ("9lives", "no package name"),
            ("-x", "no package name"),
            ("a b", "no package name"),
            ("a.b", "no package name"),
            ("../x", "no package name"),
            ("kärnel", "no package name"),
            ("a\nb", "no package name"),
            ("fn", "word of Rust's"),
            ("_", "word of Rust's"),
            ("std", "crate that the project needs"),
            ("proc_macro", "crate that the project needs"),
            ("hotcell_guest", "crate that the project needs"),
            (&long, "at most 64"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad:?}: {error}");
        }
    }
}

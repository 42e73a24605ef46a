//! Imports of a core module that no host could give it: what its linker left open, and other hosts' interfaces.
//!
//! A linker that is told to allow undefined symbols makes imports of them, and a compiler for another host takes
//! that host's. The component encoder would only say that it does not know the module's name; here each kind is
//! told apart, since there is something else to do about each.

use crate::flags::Target;
use hotcell_model::wasi;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use wasmparser::{BinaryReaderError, Parser, Payload, TypeRef};

/// The most names that a message lists.
const NAMES_SHOWN: usize = 8;
/// The longest name shown, in characters.
const NAME_CHARS: usize = 120;

/// Why a core module's imports are refused.
#[derive(Debug, thiserror::Error)]
pub enum UndefinedError {
    /// The module cannot be read.
    #[error(transparent)]
    Unreadable(#[from] BinaryReaderError),
    /// No host offers what it imports.
    #[error(transparent)]
    Undefined(#[from] Undefined),
}

/// Imports that no host offers, by kind; it reads as one line with what to do about each kind.
#[derive(Debug, thiserror::Error)]
pub struct Undefined(BTreeMap<UndefinedKind, Vec<String>>);

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(kind, names)| explain(*kind, names));
        f.write_str(&words.collect::<Vec<_>>().join("; and "))
    }
}

/// What an import is, by what is to be done about it; in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum UndefinedKind {
    /// A function that nothing defines.
    Symbol,
    /// A memory, table or global that the module should have itself.
    Storage,
    /// A part of position-independent code.
    Shared,
    /// The system interface of wasi-libc and of Rust's `wasm32-wasip1`.
    Wasi,
    /// JavaScript's side of wasm-bindgen or Emscripten.
    Script,
}

/// Refuses a core module with imports that are no interface's.
///
/// # Errors
/// All of them by kind, each with what to do.
pub(crate) fn check(module: &[u8], target: Target) -> Result<(), UndefinedError> {
    let mut found = imports(module)?;
    if target == Target::Wasi {
        // What of it no host offers, the check of the component says.
        found.remove(&UndefinedKind::Wasi);
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(Undefined(found).into()),
    }
}

/// What no host offers, by kind.
fn imports(module: &[u8]) -> Result<BTreeMap<UndefinedKind, Vec<String>>, BinaryReaderError> {
    let mut found: BTreeMap<UndefinedKind, Vec<String>> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ImportSection(section) = payload? else {
            continue;
        };
        for import in section.into_imports() {
            let import = import?;
            if let Some(kind) = kind(import.module, import.name, &import.ty) {
                let name = format!("{}.{}", import.module, import.name);
                let names = found.entry(kind).or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    Ok(found)
}

/// The kind of an import; none for one that may be an interface's, which the encoder knows better.
fn kind(module: &str, name: &str, ty: &TypeRef) -> Option<UndefinedKind> {
    let is_function = matches!(ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
    match module {
        _ if module.starts_with("wasi_") || wasi::is_wasi(module) => Some(UndefinedKind::Wasi),
        _ if module.starts_with("__wbindgen") || module == "wbg" => Some(UndefinedKind::Script),
        "GOT.func" | "GOT.mem" => Some(UndefinedKind::Shared),
        "env" if ["__memory_base", "__table_base", "__stack_pointer"].contains(&name) => {
            Some(UndefinedKind::Shared)
        }
        "env" if is_function && is_emscripten(name) => Some(UndefinedKind::Script),
        "env" if is_function => Some(UndefinedKind::Symbol),
        "env" => Some(UndefinedKind::Storage),
        // Emscripten's names when it has made them short.
        "a" | "asm2wasm" => Some(UndefinedKind::Script),
        _ => None,
    }
}

/// Whether a function is of Emscripten's runtime, which is JavaScript.
fn is_emscripten(name: &str) -> bool {
    [
        "emscripten_",
        "_emscripten_",
        "__syscall_",
        "invoke_",
        "_embind_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

/// What is wrong and what to do, in one line.
fn explain(kind: UndefinedKind, names: &[String]) -> String {
    let (list, is) = (list(names), if names.len() == 1 { "is" } else { "are" });
    match kind {
        UndefinedKind::Symbol => format!(
            "{list} {is} undefined: nothing that was linked defines {it}, and no host offers what is asked of `env`; link \
             the source or library that has {it} (a kernel brings its own libm and libc), or, where an `extern` block \
             declares {it}, define {it} in the kernel; without `--allow-undefined` the linker says where {it} {is} used",
            it = if names.len() == 1 { "it" } else { "them" },
        ),
        UndefinedKind::Storage => format!(
            "{list} {is} imported, but a kernel has its own: build without `--import-memory` and `--import-table` \
             (with Emscripten, `-sSTANDALONE_WASM` and no imported memory)"
        ),
        UndefinedKind::Shared => format!(
            "{list} {is} what position-independent code asks of a dynamic linker, which a kernel does not have: \
             build without `-fPIC` and `-shared`"
        ),
        UndefinedKind::Wasi => format!(
            "{list} {is} WASI, which a kernel has where it is built for that (`hotcell build --wasi`) and then granted; \
             else build for `wasm32-unknown-unknown` (with clang `--target=wasm32 -nostdlib`), without what opens or \
             prints, and log through `hotcell:kernel/log`"
        ),
        UndefinedKind::Script => format!(
            "{list} {is} JavaScript's part of wasm-bindgen or Emscripten, and there is no JavaScript here: build \
             without it, for plain `wasm32-unknown-unknown`"
        ),
    }
}

/// The first names, quoted, and how many more there are.
fn list(names: &[String]) -> String {
    let quoted = names.iter().take(NAMES_SHOWN).map(|name| {
        let name: String = name.chars().take(NAME_CHARS).collect();
        format!("`{}`", name.escape_debug())
    });
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        let _ = write!(text, " and {} more", names.len() - NAMES_SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(imports: &str) -> String {
        let module = wat::parse_str(format!("(module {imports})")).unwrap();
        check(&module, Target::Bare).unwrap_err().to_string()
    }

    #[test]
    fn undefined_symbols_are_named_all_at_once() {
        let pow = r#"(import "env" "pow" (func (param f64 f64) (result f64)))"#;
        let one = refusal(pow);
        assert!(one.starts_with("`env.pow` is undefined"), "{one}");
        assert!(one.contains("link") && one.contains("`env`"), "{one}");
        let two = refusal(&format!(r#"{pow} (import "env" "malloc" (func))"#));
        assert!(
            two.starts_with("`env.pow`, `env.malloc` are undefined"),
            "{two}"
        );
        let many: String = (0..30)
            .map(|i| format!(r#"(import "env" "f{i}" (func))"#))
            .collect();
        assert!(refusal(&many).contains("`env.f7` and 22 more are undefined"));
    }

    #[test]
    fn each_kind_is_told_apart() {
        for (import, words) in [
            (
                r#""wasi_snapshot_preview1" "fd_write" (func)"#,
                "`wasi_snapshot_preview1.fd_write` is WASI, which a kernel has where",
            ),
            (r#""wasi_unstable" "fd_write" (func)"#, "WASI"),
            (r#""wasi:cli/stdout@0.2.0" "get-stdout" (func)"#, "WASI"),
            (r#""env" "memory" (memory 1)"#, "`--import-memory`"),
            (
                r#""env" "__indirect_function_table" (table 1 funcref)"#,
                "`--import-table`",
            ),
            (r#""env" "__memory_base" (global i32)"#, "`-fPIC`"),
            (r#""GOT.mem" "x" (global (mut i32))"#, "`-fPIC`"),
            (r#""env" "emscripten_resize_heap" (func)"#, "Emscripten"),
            (r#""a" "b" (func)"#, "Emscripten"),
            (
                r#""__wbindgen_placeholder__" "__wbindgen_describe" (func)"#,
                "wasm-bindgen",
            ),
        ] {
            let refused = refusal(&format!("(import {import})"));
            assert!(refused.contains(words), "{import}: {refused}");
            assert!(!refused.contains("undefined:"), "{import}: {refused}");
        }
    }

    #[test]
    fn what_is_built_for_wasi_may_ask_for_it_and_for_nothing_else() {
        let import = r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#;
        let check = |imports: &str| {
            let module = wat::parse_str(format!("(module {imports})")).unwrap();
            check(&module, Target::Wasi)
        };
        assert!(check(import).is_ok());
        let pow = r#"(import "env" "pow" (func))"#;
        let refused = check(&format!("{import} {pow}")).unwrap_err();
        assert!(refused.to_string().starts_with("`env.pow` is undefined"));
    }

    #[test]
    fn several_kinds_are_told_in_one_answer() {
        let refused = refusal(
            r#"(import "wasi_snapshot_preview1" "fd_write" (func)) (import "env" "pow" (func))"#,
        );
        assert!(refused.contains("`env.pow` is undefined") && refused.contains("WASI"));
    }

    #[test]
    fn interfaces_are_left_to_the_encoder() {
        let module = r#"(module
            (import "hotcell:kernel/log@0.2.0" "emit" (func (param i32 i32 i32)))
            (import "hotcell:kernel/lgo@0.2.0" "emit" (func)))"#;
        assert!(check(&wat::parse_str(module).unwrap(), Target::Bare).is_ok());
    }

    #[test]
    fn names_are_escaped_and_cut() {
        let name = format!("\\1b[2J{}", "x".repeat(9000));
        let refused = refusal(&format!(r#"(import "env" "{name}" (func))"#));
        assert!(
            refused.len() < 1500 && !refused.contains('\x1b'),
            "{refused}"
        );
    }
}

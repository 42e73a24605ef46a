//! The guest's innermost functions, as its author knows them.
//!
//! A stack begins in what a compiler put there: the standard library's panic machinery, and at its other end
//! the SDK's glue. Neither tells an author anything, so both are left out, unless there is nothing else. Rust's
//! names are demangled; those of other languages stay as they are. Names are the component's own words: what is
//! looked at of them, and how many, is bounded.

use crate::end::NAME_BYTES;
use hotcell_engine::BACKTRACE_FRAMES;
use hotcell_model::outcome::Frame;
use hotcell_model::text;
use std::fmt::Write;
use wasmtime::{Error, FrameInfo, WasmBacktrace};

/// Frames shown of a guest's stack.
const FRAMES: usize = 8;
/// Frames looked at: panic machinery is some dozen deep.
const LOOKED_AT: usize = 64;
/// The longest name that is demangled, and the most that is made of it.
const MANGLED_BYTES: usize = 4096;

/// Crates whose functions are nobody's own, by the first part of a demangled path.
const LIBRARY: [&str; 9] = [
    "std",
    "core",
    "alloc",
    "__rustc",
    "compiler_builtins",
    "panic_abort",
    "dlmalloc",
    "hotcell_guest",
    "wit_bindgen",
];
/// Types of the language itself: an implementation for one belongs to the trait's crate.
const PRIMITIVES: [&str; 18] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64", "",
];
/// Symbols that runtimes and the component's adapters have in place of a path, by their beginning.
const GLUE: [&str; 9] = [
    "rust_begin_unwind",
    "rust_panic",
    "__rust",
    "__rdl_",
    "__rg_",
    "cabi_",
    "hotcell:kernel/",
    "wit-component:",
    "__wasm_call_ctors",
];

/// The guest's innermost functions, as far as names and debug information tell.
pub(crate) fn trace(error: &Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let named = named(backtrace, |frame| {
        NamedFunction::new(frame.func_name(), None, None)
    });
    shown(named)
}

/// The stack of a guest that runs, for a profile: the outermost function first, from the author's outermost on, and
/// whether there may be more outside. What a library does for the author is kept: time goes there, too.
pub(crate) fn stack(backtrace: &WasmBacktrace) -> (Vec<Frame>, bool) {
    let mut named = named(backtrace, |frame| match frame.func_name() {
        // An export's or a number: functions without names are to be told apart.
        None => NamedFunction::new(
            Some(&format!("function {}", frame.func_index())),
            None,
            None,
        ),
        name => NamedFunction::new(name, None, None),
    });
    let is_cut = backtrace.frames().len() >= BACKTRACE_FRAMES || named.len() >= LOOKED_AT;
    let outermost = named.iter().rposition(|named| !named.is_library);
    if let (Some(outermost), false) = (outermost, is_cut) {
        named.truncate(outermost + 1);
    }
    let frames = named.into_iter().rev().map(|named| named.frame);
    (frames.collect(), is_cut)
}

/// The functions of a stack, innermost first, with those that were inlined; `plain` names one without debug information.
fn named(
    backtrace: &WasmBacktrace,
    plain: impl Fn(&FrameInfo) -> NamedFunction,
) -> Vec<NamedFunction> {
    let mut named = Vec::new();
    for frame in backtrace.frames() {
        let symbols = frame.symbols();
        for (at, symbol) in symbols.iter().enumerate() {
            // The last is the function itself, into which the others were inlined.
            let own = frame.func_name().filter(|_| at + 1 == symbols.len());
            let name = symbol.name().or(own);
            named.push(NamedFunction::new(name, symbol.file(), symbol.line()));
        }
        if symbols.is_empty() {
            named.push(plain(frame));
        }
        if named.len() >= LOOKED_AT {
            break;
        }
    }
    named
}

/// A frame, and whether its function is a library's.
struct NamedFunction {
    frame: Frame,
    is_library: bool,
}

impl NamedFunction {
    fn new(function: Option<&str>, file: Option<&str>, line: Option<u32>) -> Self {
        let function = function.map(demangled);
        let is_library =
            function.as_deref().is_some_and(is_library) || file.is_some_and(is_librarys_file);
        let escaped = |name: &str| text::escape(name, NAME_BYTES);
        Self {
            frame: Frame {
                function: function.as_deref().map(escaped),
                file: file.map(escaped),
                line,
            },
            is_library,
        }
    }
}

/// From the author's innermost function to the outermost, if there is one; else all.
fn shown(mut named: Vec<NamedFunction>) -> Vec<Frame> {
    let own = |named: &NamedFunction| !named.is_library;
    if let (Some(first), Some(last)) = (named.iter().position(own), named.iter().rposition(own)) {
        named.truncate(last + 1);
        named.drain(..first);
    }
    named.truncate(FRAMES);
    named.into_iter().map(|named| named.frame).collect()
}

/// A Rust symbol as its author would write it, without the hash; any other name as it is.
fn demangled(name: &str) -> String {
    let is_rust = name.starts_with("_R") || has_legacy_hash(name);
    if is_rust
        && name.len() <= MANGLED_BYTES
        && let Ok(demangled) = rustc_demangle::try_demangle(name)
    {
        let mut text = Bounded(String::new());
        if write!(text, "{demangled:#}").is_ok() {
            return text.0;
        }
    }
    name.to_owned()
}

/// Whether a name is of Rust's old scheme, which is that of C++ with a hash as the last part.
fn has_legacy_hash(name: &str) -> bool {
    let hash = name
        .strip_prefix("_ZN")
        .and_then(|rest| rest.strip_suffix('E'))
        .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(19)?));
    hash.is_some_and(|(_, hash)| {
        let digits = hash.strip_prefix("17h");
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// Text of at most [`MANGLED_BYTES`]: a short name can stand for a very long one.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        if self.0.len() + part.len() > MANGLED_BYTES {
            return Err(std::fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

/// Whether a file is the standard library's or the SDK's, as `hotcell build` names them.
fn is_librarys_file(file: &str) -> bool {
    file.starts_with("/rustc/")
        || file.starts_with("hotcell-guest-")
        || file.contains("guest-sdk/guest/src/")
}

/// Whether a demangled function is the standard library's or the SDK's.
fn is_library(function: &str) -> bool {
    // What the macro writes beside the author's function.
    if function.rsplit("::").next() == Some("__hotcell_call") {
        return true;
    }
    if GLUE.iter().any(|prefix| function.starts_with(prefix)) {
        return true;
    }
    let Some(inside) = function.strip_prefix('<') else {
        return function.contains("::") && LIBRARY.contains(&root(function));
    };
    // `<Type>::method` or `<Type as Trait>::method`: one part that is an author's makes it the author's.
    let (ty, of_trait) = match split_trait(inside) {
        Some((ty, of_trait)) => (ty, Some(of_trait)),
        None => (inside, None),
    };
    let ty = root(ty);
    (LIBRARY.contains(&ty) || PRIMITIVES.contains(&ty))
        && of_trait.is_none_or(|of_trait| LIBRARY.contains(&root(of_trait)))
}

/// The two sides of the ` as ` that belongs to the first bracket, if there is one.
fn split_trait(inside: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            // The arrow of a function's type closes nothing.
            b'>' if at > 0 && inside.as_bytes()[at - 1] == b'-' => {}
            b'>' if depth == 0 => return None,
            b'>' => depth -= 1,
            b' ' if depth == 0 && inside[at..].starts_with(" as ") => {
                return Some((&inside[..at], &inside[at + 4..]));
            }
            _ => {}
        }
    }
    None
}

/// The first name of a path or type, whatever stands before it.
fn root(path: &str) -> &str {
    let mut path = path;
    loop {
        let stripped = path.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        let stripped = ["mut ", "const ", "dyn "]
            .iter()
            .find_map(|word| stripped.strip_prefix(word))
            .unwrap_or(stripped);
        if stripped.len() == path.len() {
            break;
        }
        path = stripped;
    }
    let end = path
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(path.len());
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a stack with these names, innermost first.
    fn names(stack: &[&str]) -> Vec<String> {
        let named = stack
            .iter()
            .map(|name| NamedFunction::new(Some(name), None, None));
        shown(named.collect())
            .into_iter()
            .filter_map(|frame| frame.function)
            .collect()
    }

    #[test]
    fn names_of_rust_are_demangled_and_others_left() {
        for (mangled, plain) in [
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            (
                "_ZN4gaps10widest_gap17h0123456789abcdefE",
                "gaps::widest_gap",
            ),
            ("_ZN3foo3barEv", "_ZN3foo3barEv"),
            ("_ZN3foo3barE", "_ZN3foo3barE"),
            ("_Reset", "_Reset"),
            ("hotcell-kernel:gaps", "hotcell-kernel:gaps"),
            ("", ""),
        ] {
            assert_eq!(demangled(mangled), plain);
        }
    }

    #[test]
    fn a_name_that_stands_for_a_long_one_is_left() {
        let long = format!("_R{}", "N".repeat(MANGLED_BYTES));
        assert_eq!(demangled(&long), long);
        // Each reference back doubles what is written.
        let mut bomb = String::from("_RINvC1a1b");
        bomb.push_str(&"TTB4_B4_E".repeat(200));
        bomb.push('E');
        assert!(demangled(&bomb).len() <= MANGLED_BYTES);
    }

    #[test]
    fn a_stack_begins_and_ends_with_the_authors_code() {
        let stack = [
            "__rustc::rust_begin_unwind",
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
            "core::panicking::panic_bounds_check",
            "gaps::widest_gap",
            "core::iter::traits::iterator::Iterator::fold",
            "hotcell-kernel:gaps",
            "hotcell_guest::raw::call",
            "hotcell:kernel/entries@0.1.0#launch",
        ];
        let wanted = [
            "gaps::widest_gap",
            "core::iter::traits::iterator::Iterator::fold",
            "hotcell-kernel:gaps",
        ];
        assert_eq!(names(&stack), wanted);
        assert_eq!(names(&stack[..3]).len(), 3, "better than nothing");
        assert_eq!(names(&["abort", "scale"]), ["abort", "scale"]);
    }

    #[test]
    fn the_authors_types_and_traits_make_a_function_the_authors() {
        for (function, library) in [
            ("std::thread::Builder::spawn", true),
            (
                "<alloc::vec::Vec<gaps::T> as core::ops::Index<usize>>::index",
                true,
            ),
            ("<[f32] as core::ops::Index<usize>>::index", true),
            ("<core::result::Result<u8, u8>>::unwrap", true),
            (
                "<&mut dyn core::fmt::Write as core::fmt::Write>::write_str",
                true,
            ),
            ("<gaps::Steps as core::ops::Add>::add", false),
            ("<u32 as gaps::Gap>::gap", false),
            ("<[f32] as gaps::Gap>::gap", false),
            ("<fn(u8) -> u8 as gaps::Gap>::gap", false),
            ("gaps::gaps__entry::__hotcell_call", true),
            ("gaps::standard", false),
            ("std", false),
            ("core", false),
            ("stdlib_of_mine::sort", false),
            ("malloc", false),
        ] {
            assert_eq!(is_library(function), library, "{function}");
        }
    }

    #[test]
    fn what_debug_information_places_in_the_library_is_the_librarys() {
        let inner = NamedFunction::new(
            Some("unwrap"),
            Some("/rustc/abc/library/core/src/option.rs"),
            Some(1),
        );
        let own = NamedFunction::new(Some("widest"), Some("src/lib.rs"), Some(7));
        let sdk = "vendor/guest-sdk/guest/src/launch.rs";
        let glue = NamedFunction::new(Some("run"), Some(sdk), Some(73));
        let frames = shown(vec![inner, own, glue]);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].line, Some(7));
    }
}

//! What an object's functions need and nobody defines, each with what to do about it.

use super::Listed;
use std::collections::BTreeMap;
use std::fmt;

/// Symbols that are defined nowhere, by kind; it reads as one line.
#[derive(Debug, thiserror::Error)]
pub struct Unresolved(BTreeMap<Kind, Vec<String>>);

/// What a symbol is, by what is to be done about it; in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Memory,
    Math,
    Compiler,
    System,
    Shared,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        const MATH: [&str; 34] = [
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atan2",
            "atanh",
            "cbrt",
            "cos",
            "cosh",
            "erf",
            "erfc",
            "exp",
            "exp2",
            "expm1",
            "fma",
            "fmod",
            "frexp",
            "hypot",
            "ldexp",
            "lgamma",
            "log",
            "log10",
            "log1p",
            "log2",
            "modf",
            "pow",
            "remainder",
            "round",
            "sin",
            "sincos",
            "sinh",
            "tan",
            "tanh",
        ];
        let is_math = |name: &str| MATH.contains(&name) || name == "tgamma" || name == "scalbn";
        match name {
            "malloc" | "calloc" | "realloc" | "free" | "aligned_alloc" | "posix_memalign" => {
                Self::Memory
            }
            _ if name.starts_with("_Zn") || name.starts_with("_Zd") => Self::Memory,
            _ if is_math(name) || name.strip_suffix(['f', 'l']).is_some_and(is_math) => Self::Math,
            _ if name.starts_with("__") && (name.ends_with('3') || name.ends_with('2')) => {
                Self::Compiler
            }
            "printf" | "puts" | "putchar" | "fprintf" | "abort" | "exit" | "time" | "clock"
            | "rand" | "getenv" | "fopen" | "__assert_fail" => Self::System,
            "__dso_handle" | "__memory_base" | "__table_base" | "__tls_base" => Self::Shared,
            _ => Self::Other,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Memory => {
                "memory is taken with `void *hotcell_alloc(size_t bytes, size_t align)` and stays until the launch ends; better still the \
                 manifest gives the kernel an array to work in"
            }
            Self::Math => {
                "there is no math library here: put one into the object (`wasm-ld -r -o all.o kernel.o libm.a`)"
            }
            Self::Compiler => {
                "it is of the compiler's own library: put that into the object (`wasm-ld -r -o all.o kernel.o libclang_rt.builtins-wasm32.a`), or \
                 do without integers of 128 bits and `long double`"
            }
            Self::System => {
                "a kernel has no operating system: return a message where it fails (`const char *`), and take what is random as an argument"
            }
            Self::Shared => "compile without -fPIC and -pthread",
            Self::Other => {
                "define it in the object, or put in the one that does (`wasm-ld -r -o all.o kernel.o other.o`)"
            }
        }
    }
}

impl Unresolved {
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut kinds: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for name in names {
            kinds
                .entry(Kind::of(name))
                .or_default()
                .push(name.to_owned());
        }
        Self(kinds)
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, names)) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { "; and " };
            let is = if names.len() == 1 { "is" } else { "are" };
            let names = Listed::of(names.iter().map(String::as_str));
            write!(f, "{before}{names} {is} undefined: {}", kind.advice())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_with_what_to_do() {
        for (name, advice) in [
            ("malloc", "hotcell_alloc"),
            ("_Znwm", "hotcell_alloc"),
            ("expf", "libm.a"),
            ("sincos", "libm.a"),
            ("fminl", "wasm-ld -r"),
            ("__multi3", "libclang_rt.builtins"),
            ("printf", "no operating system"),
            ("helper", "define it in the object"),
        ] {
            let words = Unresolved::of([name]).to_string();
            assert!(
                words.starts_with(&format!("`{name}` is undefined: ")),
                "{words}"
            );
            assert!(words.contains(advice), "{words}");
        }
        let both = Unresolved::of(["pow", "helper", "exp"]).to_string();
        assert!(
            both.starts_with("`pow`, `exp` are undefined") && both.contains("; and `helper` is"),
            "{both}"
        );
    }

    #[test]
    fn many_names_and_odd_ones_stay_in_one_line() {
        let names: Vec<String> = (0..30).map(|at| format!("f{at}\x1b")).collect();
        let words = Unresolved::of(names.iter().map(String::as_str)).to_string();
        assert!(
            words.contains(" and 22 more") && !words.contains('\x1b'),
            "{words}"
        );
    }
}

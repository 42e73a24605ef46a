//! Shaders from files, and what their first line says: `// entry: main, key: value, …`.
//!
//! | key | meaning |
//! |---|---|
//! | `entry` | entry points, separated by blanks |
//! | `constants` | values of `override` constants, as `NAME=value`, separated by blanks |
//! | `expect` | how a hostile shader must end with everything on, see [`Expected`] |
//! | `by` | `session` where the refusal is the session's and not that of admission |
//! | `unchecked` | how it must end under containment alone: `timeout`, `ends`, `ends or timeout` or `any`; `none`: it is not run |
//! | `workgroups` | along x, y and z |
//! | `fuel` | the launch's limit |
//! | `allowed` | the words that a clamped shader may leave in its output |
//! | `alias` | `yes` where one buffer stands at all bindings |

use hotcell_model::limit::Limit;
use std::path::PathBuf;

/// A shader of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct Shader {
    /// The file's name without its extension.
    pub(crate) name: String,
    /// The text.
    pub(crate) wgsl: String,
    fields: Vec<(String, String)>,
}

impl Shader {
    /// Reads the first line of a text.
    pub(crate) fn new(name: String, wgsl: String) -> Self {
        let first = wgsl.lines().next().unwrap_or_default();
        let fields = first
            .trim_start_matches("//")
            .split(", ")
            .filter_map(|field| field.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Self { name, wgsl, fields }
    }

    /// A value of the first line.
    pub(crate) fn field(&self, key: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(name, _)| name == key)?;
        Some(&field.1)
    }

    /// The entry points.
    pub(crate) fn entries(&self) -> Vec<&str> {
        let named = self.field("entry").unwrap_or_default();
        named.split_whitespace().collect()
    }

    /// The only entry point.
    pub(crate) fn entry(&self) -> &str {
        match self.entries()[..] {
            [entry] => entry,
            _ => panic!("{}: one entry point is expected", self.name),
        }
    }

    /// Values for `override` constants.
    pub(crate) fn constants(&self) -> Vec<(String, f64)> {
        let given = self.field("constants").unwrap_or_default();
        let constant = |text: &str| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        let values = given.split_whitespace().map(constant);
        values
            .collect::<Option<_>>()
            .unwrap_or_else(|| panic!("{}: {given:?} are no constants", self.name))
    }

    /// Numbers of the first line, separated by blanks.
    pub(crate) fn numbers<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let text = self.field(key).unwrap_or_default();
        let numbers = text.split_whitespace().map(|word| word.parse().ok());
        numbers
            .collect::<Option<_>>()
            .unwrap_or_else(|| panic!("{}: {key} is {text:?}", self.name))
    }
}

/// How a hostile shader must end with everything on: the value of `expect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// `refused [part of the message]`
    Refused(String),
    /// `limit name`: a limit would be passed.
    Limit(Limit),
    /// `fuel`: it runs out.
    Fuel,
    /// `clamped`: it ends by itself, and leaves nothing but the words of `allowed`.
    Clamped,
    /// `ends`: it ends by itself.
    Ends,
    /// `contained`: it ends by itself or is refused.
    Contained,
}

impl Expected {
    /// Reads the first line's `expect`.
    pub(crate) fn of(shader: &Shader) -> Self {
        let text = shader.field("expect").unwrap_or_default();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "refused" => Self::Refused(rest.to_owned()),
            "limit" => {
                let limit = Limit::ALL.iter().find(|limit| limit.name() == rest);
                Self::Limit(*limit.unwrap_or_else(|| panic!("{}: no limit {rest}", shader.name)))
            }
            "fuel" => Self::Fuel,
            "clamped" => Self::Clamped,
            "ends" => Self::Ends,
            "contained" => Self::Contained,
            _ => panic!("{}: unknown expectation {text:?}", shader.name),
        }
    }

    /// Whether the shader must be refused before a session hears of it.
    pub(crate) fn is_refused_at_admission(&self, shader: &Shader) -> bool {
        match self {
            _ if shader.field("by") == Some("session") => false,
            Self::Refused(_) => true,
            Self::Limit(limit) => !matches!(limit, Limit::GpuFuel | Limit::GpuInvocations),
            _ => false,
        }
    }
}

/// The shaders of a folder under `host/shader/tests/shaders`, in order of their names.
pub(crate) fn load(folder: &str) -> Vec<Shader> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shader/tests/shaders")
        .join(folder);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut shaders: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wgsl")
        })
        .map(|path| {
            let name = path
                .file_stem()
                .expect("it has a name")
                .to_string_lossy()
                .into_owned();
            let wgsl =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            Shader::new(name, wgsl)
        })
        .collect();
    shaders.sort_by(|a, b| a.name.cmp(&b.name));
    shaders
}

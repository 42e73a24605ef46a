//! `cases.toml` as it is written.

use crate::compare::Tolerance;
use crate::root;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One size of a kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is called: where the size comes from, or the size itself.
    pub name: String,
    /// The kernel's entry.
    pub entry: String,
    /// The extent of every named dimension.
    pub dims: BTreeMap<String, u64>,
    /// The scalars that are not left at their defaults.
    #[serde(default)]
    pub scalars: BTreeMap<String, toml::Value>,
    /// What the arrays that are read hold.
    #[serde(default, rename = "input")]
    pub inputs: Vec<Input>,
    /// What the results are held against.
    #[serde(rename = "check")]
    pub checks: Vec<Check>,
}

/// The content of one array that is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The parameter.
    pub name: String,
    /// What it holds.
    pub fill: Fill,
}

/// How an array is filled.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fill {
    /// Numbers from the first up to the second, which is not among them; both parts of complex ones.
    Uniform([f64; 2]),
    /// Integers from the first up to the second, which is not among them.
    Integers([i64; 2]),
    /// Zeros.
    Zeros,
    /// Evenly spaced numbers from the first to the second, both among them.
    Linspace([f64; 2]),
    /// One value everywhere.
    Constant(f64),
    /// Where the rows of a sparse matrix begin, as CSR stores it.
    CsrOffsets {
        /// The matrix's rows.
        rows: u64,
        /// Its stored elements.
        non_zeros: u64,
    },
    /// A picture with areas, edges and noise, as a camera takes it: `(h,w,4)`, u8.
    Photo,
}

/// What a result is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// The kernel crate's own `reference` module.
    Reference,
    /// The same source, compiled for the host.
    NativeTwin,
}

/// One check of one output.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawCheck")]
pub struct Check {
    /// What the output is held against.
    pub against: Against,
    /// The output.
    pub output: String,
    /// How far it may be off.
    pub tolerance: Tolerance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    kind: Against,
    output: String,
    #[serde(default)]
    exact: bool,
    absolute: Option<f64>,
    relative: Option<f64>,
}

impl TryFrom<RawCheck> for Check {
    type Error = String;

    fn try_from(raw: RawCheck) -> Result<Self, String> {
        let tolerance = match (raw.exact, raw.absolute, raw.relative) {
            (true, None, None) => Tolerance::Exact,
            (false, Some(bound), None) => Tolerance::Absolute(bound),
            (false, None, Some(bound)) => Tolerance::Relative(bound),
            _ => {
                let output = raw.output;
                return Err(format!(
                    "the check of `{output}` needs one of exact = true, absolute and relative"
                ));
            }
        };
        Ok(Self {
            against: raw.kind,
            output: raw.output,
            tolerance,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Case>,
}

impl Case {
    /// The cases of a kernel, in their file's order; at least one.
    ///
    /// # Errors
    /// If the file cannot be read, or a case checks nothing.
    pub fn load(kernel: &str) -> Result<Vec<Self>> {
        let path = root().join("kernels").join(kernel).join("cases.toml");
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(shown)?;
        let file: CaseFile = toml::from_str(&text).with_context(shown)?;
        ensure!(!file.case.is_empty(), "{}: there is no case", shown());
        for case in &file.case {
            let (name, is_checked) = (&case.name, !case.checks.is_empty());
            ensure!(is_checked, "{}: case `{name}` checks nothing", shown());
        }
        Ok(file.case)
    }

    /// How far a form for another device may be off, if that is said of `output`: as the check against the
    /// reference says.
    pub fn reference_tolerance(&self, output: &str) -> Option<Tolerance> {
        let mut checks = self.checks.iter();
        let is_it = |check: &&Check| check.output == output && check.against == Against::Reference;
        checks.find(is_it).map(|check| check.tolerance)
    }

    /// How far the native twin's `output` may be from the kernel's: as its check says, else as that
    /// against the reference does, else not at all.
    pub fn twin_tolerance(&self, output: &str) -> Tolerance {
        let find = |against| {
            let mut checks = self.checks.iter();
            checks.find(|check| check.output == output && check.against == against)
        };
        find(Against::NativeTwin)
            .or_else(|| find(Against::Reference))
            .map_or(Tolerance::Exact, |check| check.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernels_cases_can_be_read() {
        let kernels = crate::kernels().unwrap();
        assert!(kernels.len() >= 20, "{kernels:?}");
        for kernel in kernels {
            let cases = Case::load(&kernel).unwrap_or_else(|error| panic!("{error:#}"));
            assert!(!cases.is_empty(), "{kernel}");
        }
    }

    #[test]
    fn a_check_has_exactly_one_tolerance() {
        let parse = toml::from_str::<Check>;
        assert!(parse("kind = 'reference'\noutput = 'y'\nexact = true").is_ok());
        assert!(parse("kind = 'reference'\noutput = 'y'").is_err());
        assert!(parse("kind = 'reference'\noutput = 'y'\nexact = true\nabsolute = 1.0").is_err());
        assert!(parse("kind = 'reference'\noutput = 'y'\nabsolut = 1.0").is_err());
    }
}

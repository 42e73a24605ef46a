//! `hotcell report`: a report, summed up for a person.
//!
//! A report may come from anywhere, so what stands in it is escaped before it reaches a terminal, and its size is
//! bounded before it is read.

mod text;

use crate::exit::CommandError;
use crate::say::print;
use anyhow::{Context, Result, bail};
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell::report::{Report, SCHEMA};
use hotcell_formats::open_regular;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A report is small; a larger file is none.
const REPORT_BYTES: u64 = 64 << 20;

/// Sum a report up for a person: how the launch ended, what it used, how it was walled in.
///
/// The report is the JSON that `--report` writes. Exit code 0 if it could be read, whatever the launch's outcome.
#[derive(Args)]
pub(crate) struct ReportCommand {
    /// The report, or - for the standard input
    #[arg(value_name = "FILE|-")]
    report_file: PathBuf,
}

impl ReportCommand {
    /// Prints the summary.
    pub(crate) fn execute(self) -> Result<()> {
        let report = read(&self.report_file)?;
        print(text::of(&report))
    }
}

/// Reads a report from a file, or from the standard input for `-`.
///
/// # Errors
/// With the exit code of `io`: it cannot be read, or is no report.
pub(crate) fn read(path: &Path) -> Result<Report> {
    let name = match path.to_str() {
        Some("-") => "the standard input".to_owned(),
        _ => path.display().to_string(),
    };
    read_bytes(path)
        .and_then(|json| parse(&json))
        .with_context(|| format!("cannot read the report {name}"))
        .map_err(|error| CommandError::of(OutcomeKind::Io, error))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut json = Vec::new();
    let limit = REPORT_BYTES + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut json)?;
    } else {
        open_regular(path)?.take(limit).read_to_end(&mut json)?;
    }
    if json.len() as u64 > REPORT_BYTES {
        bail!("it has more than {REPORT_BYTES} bytes, which no report has");
    }
    Ok(json)
}

/// What a file must say of itself before the rest is looked at.
#[derive(serde::Deserialize)]
struct Marked {
    schema: u64,
    #[serde(rename = "run_id")]
    _run_id: serde::de::IgnoredAny,
}

fn parse(json: &[u8]) -> Result<Report> {
    if json.trim_ascii().is_empty() {
        bail!("it is empty");
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(json) {
        bail!("it is no JSON, so no report: {error}");
    }
    // A list would be taken for the fields in their order.
    let is_object = json.trim_ascii_start().starts_with(b"{");
    let marked = is_object
        .then(|| serde_json::from_slice(json).ok())
        .flatten();
    let Some(Marked { schema, .. }) = marked else {
        bail!(
            "it is JSON, but no report of hotcell: a report has `schema` and `run_id`; `--report FILE` writes one"
        );
    };
    if schema != u64::from(SCHEMA) {
        bail!("it is a report of schema {schema}, and this hotcell reads schema {SCHEMA}");
    }
    serde_json::from_slice(json).with_context(|| {
        format!("it is a report of schema {SCHEMA} that this hotcell cannot read, of another version or changed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_is_told_what_it_is_instead() {
        for (json, expected) in [
            ("", "empty"),
            (" \n", "empty"),
            ("\x7fELF", "no JSON"),
            ("{", "no JSON"),
            ("[1]", "no report of hotcell"),
            ("[1, \"x\"]", "no report of hotcell"),
            ("{}", "no report of hotcell"),
            (r#"{"schema": "1", "run_id": ""}"#, "no report of hotcell"),
            (
                r#"{"schema": 1, "run_id": ""}"#,
                "schema 1, and this hotcell reads schema 2",
            ),
            (
                r#"{"schema": 2, "run_id": "x"}"#,
                "another version or changed",
            ),
        ] {
            let error = format!("{:#}", parse(json.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_file_without_end_is_no_report() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert!(
            format!("{error:#}").contains("not a regular file"),
            "{error:#}"
        );
        assert!(read(Path::new("/")).is_err());
    }
}

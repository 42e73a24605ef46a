//! A launch's report, as it travels: written once, and read by whoever wants to know what is in it.

use hotcell::report::Report;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The JSON of a report. That it is one is known once it is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportText(Box<RawValue>);

impl ReportText {
    /// Writes a report.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn of(report: &Report) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(report).map(Self)
    }

    /// Reads it, which takes some hundred microseconds.
    ///
    /// # Errors
    /// It is no report that this program knows.
    pub fn read(&self) -> serde_json::Result<Report> {
        serde_json::from_str(self.0.get())
    }

    /// It as it came.
    pub fn json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for ReportText {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

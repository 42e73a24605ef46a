//! What a record of the log is: a line of JSON that is an event of OCSF, with what OCSF has no place for in `unmapped`.
//!
//! A record is made in two steps. What is slow is done first and by whoever asked for something, without any lock; where the
//! record stands in the log is then added under one, and is all that is added.

mod about;
mod end;
mod kept;
mod ocsf;

pub(crate) use about::{Began, Gap, Removed, Torn, Unknown};
pub use ocsf::{CLASS, OCSF_VERSION};

use crate::json;
use end::Detail;
use hotcell_model::audit::AuditRecord;
use hotcell_model::names::named;
use hotcell_model::report::Report;
use hotcell_model::time::Timestamp;
use ocsf::Event;
use serde::Serialize;
use serde::ser::Error;
use std::io::Write;
use std::time::SystemTime;

/// The version of what is in `unmapped`. `docs/audit.schema.json` describes it.
pub const SCHEMA: u32 = 1;

/// The longest record, with its newline. One that would be longer leaves out lists, and says so.
pub const RECORD_BYTES: usize = 64 << 10;

named! {
    /// What a record says.
    pub enum Phase, "phase" {
        /// Something was asked for.
        Begin = "begin",
        /// What was begun has ended.
        Finish = "finish",
        /// What was begun has no end in the log: its writer ended before it did, or could not write it.
        Unknown = "unknown",
        /// Records could not be written.
        Gap = "gap",
        /// The end of the log was half a record.
        Torn = "torn",
        /// Old records were removed.
        Removed = "removed",
    }
}

/// What every record of one log ends in, but for its place.
#[derive(Debug)]
pub(crate) struct Ending(Vec<u8>);

impl Ending {
    /// Of the log that is called that in its checkpoints.
    pub(crate) fn of(origin: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            ",\"metadata\":{{\"version\":\"{OCSF_VERSION}\",\"product\":{{\"name\":\"hotcell\",\"vendor_name\":\"hotcell\",\
             \"version\":\"{version}\"}},\"log_name\":\"{origin}\",\"sequence\":"
        );
        Self(text.into_bytes())
    }

    /// Appends a record in its place.
    pub(crate) fn place(&self, record: &Unplaced, index: u64, lines: &mut Vec<u8>) {
        lines.extend_from_slice(record.0.strip_suffix(b"}").unwrap_or(&record.0));
        lines.extend_from_slice(&self.0);
        // What is written to memory is written.
        let _ = write!(lines, "{index}}}}}");
        lines.push(b'\n');
    }
}

/// A record without its place.
#[derive(Debug, Default)]
pub(crate) struct Unplaced(Vec<u8>);

impl Unplaced {
    /// That something was asked for.
    pub(crate) fn begin(&mut self, record: &AuditRecord) -> serde_json::Result<()> {
        self.write(&ocsf::begin(record))?;
        self.check_length()
    }

    /// That it ended, with as much about it as fits.
    pub(crate) fn finish(
        &mut self,
        record: &AuditRecord,
        report: &Report,
    ) -> serde_json::Result<()> {
        for detail in [Detail::All, Detail::Cut, Detail::Least] {
            self.write(&ocsf::finish(record, report, detail))?;
            if self.fits() {
                break;
            }
        }
        self.check_length()
    }

    /// Something that is about the log itself.
    pub(crate) fn note(about: &impl about::OfLog) -> serde_json::Result<Self> {
        let mut record = Self::default();
        record.write(&ocsf::of_log(about, Timestamp::from(SystemTime::now())))?;
        record.check_length().map(|()| record)
    }

    fn fits(&self) -> bool {
        self.0.len() <= RECORD_BYTES - PLACE_BYTES
    }

    /// No reader takes a longer line for a record.
    fn check_length(&self) -> serde_json::Result<()> {
        let bytes = self.0.len() + PLACE_BYTES;
        match self.fits() {
            true => Ok(()),
            false => Err(serde_json::Error::custom(format!(
                "the record has {bytes} bytes, of which there may be {RECORD_BYTES}"
            ))),
        }
    }

    fn write<T: Serialize>(&mut self, event: &Event<'_, T>) -> serde_json::Result<()> {
        self.0.clear();
        json::append(&mut self.0, event)
    }
}

/// The most that [`Ending::place`] adds.
const PLACE_BYTES: usize = 512;

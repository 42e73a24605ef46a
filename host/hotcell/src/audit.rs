//! The seam for an audit trail: told before a launch runs, and how it ended.

use crate::permit::Permit;
use hotcell_model::report::Report;

/// Records launches. `begin` is called before anything runs; a launch that began is always finished.
pub trait Audit: Send + Sync {
    /// A launch was authorized and is about to run.
    ///
    /// # Errors
    /// The record could not be made: the launch does not run.
    fn begin(&self, permit: &Permit) -> std::io::Result<()>;

    /// A launch ended, or was refused before it began.
    fn finish(&self, report: &Report);
}

/// Records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn begin(&self, _permit: &Permit) -> std::io::Result<()> {
        Ok(())
    }

    fn finish(&self, _report: &Report) {}
}

//! The audit trail: a record is begun before a byte of what may be hostile is read, and every record that was begun
//! is finished, a panic of the host included.

use hotcell_model::audit::AuditRecord;
use hotcell_model::report::Report;

/// Records what was asked of a cell and how it ended.
pub trait Audit: Send + Sync {
    /// Something was asked for, and nothing of it was looked at yet.
    ///
    /// # Errors
    /// The record could not be made: nothing is done, and the record is not finished.
    fn begin(&self, record: &AuditRecord) -> std::io::Result<()>;

    /// What was begun has ended. Called exactly once for each record that `begin` has made, after outputs were
    /// delivered: what the report says is how it ended.
    fn finish(&self, record: &AuditRecord, report: &Report);
}

/// Records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn begin(&self, _record: &AuditRecord) -> std::io::Result<()> {
        Ok(())
    }

    fn finish(&self, _record: &AuditRecord, _report: &Report) {}
}

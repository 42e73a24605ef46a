//! The seam where what a host does is held against what is usual.

use crate::audit::AuditRecord;
use crate::report::{Alert, Report};
use std::time::Duration;

/// Watches everything that is asked of a host: counts it, and says what is odd about it.
pub trait Watch: Send + Sync {
    /// Something was asked for. Called after its audit record was begun.
    fn begun(&self, _record: &AuditRecord) {}

    /// What was begun has ended. What is returned is added to the report's alerts before the audit record is finished.
    /// Called exactly once for each call of [`begun`](Self::begun).
    fn ended(&self, record: &AuditRecord, report: &Report) -> Vec<Alert>;
}

/// The CPU time that `processes` compile processes usually take for that much code, before anything was measured on a machine.
///
/// It is that of the kernels in this repository: 2.3 ms for each KiB of code (geometric mean; 1.8 to 3.7), beside a part that
/// does not depend on the code. `docs/performance.md` has the figures.
pub fn usual_compilation(code_bytes: u64, processes: u64) -> Duration {
    const FIXED_NS: u64 = 20_000_000;
    const NANOSECONDS_PER_BYTE: u64 = 2250;
    let fixed = FIXED_NS.saturating_mul(processes);
    Duration::from_nanos(fixed.saturating_add(code_bytes.saturating_mul(NANOSECONDS_PER_BYTE)))
}

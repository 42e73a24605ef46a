//! What is sent of an alert: JSON with `"schema": 1`, with strings cut and escaped, so that no receiver reads more than some KiB.

use crate::recent::clean;
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::digest::Digest;
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Report, Severity};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use serde::Serialize;

/// An alert as receivers get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Always 1.
    pub schema: u32,
    /// When it was raised.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// What kind of thing.
    pub kind: AlertKind,
    /// What was seen, with the numbers.
    pub message: String,
    /// How many of the same kind and tenant were counted since they were told of, whose last this is; 0 for a single one.
    pub repeated: u64,
    /// What it is about; absent if it is about no request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestNotice>,
    /// The program that saw it, with its version.
    pub host: String,
}

/// The request that an alert is about. Where it is of several, the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestNotice {
    /// Its id, and that of its report and audit record.
    pub run_id: String,
    /// What was asked for.
    pub verb: Verb,
    /// Who is charged.
    pub tenant: Tenant,
    /// Who asked.
    pub caller: String,
    /// The component's digest, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Digest>,
    /// The name in the component's manifest, escaped.
    pub kernel: String,
    /// The entry, escaped.
    pub entry: String,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// Whose doing it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
}

impl Notice {
    /// Of an alert, and what it is about.
    pub(crate) fn of(at: Timestamp, alert: &Alert, about: Option<(&AuditRecord, &Report)>) -> Self {
        let request = |(record, report): (&AuditRecord, &Report)| RequestNotice {
            run_id: record.run_id.to_string(),
            verb: record.verb,
            tenant: record.tenant.clone(),
            caller: record.caller.to_string(),
            component: report.component.digest.or(record.component),
            kernel: clean(&report.component.name),
            entry: clean(&report.component.entry),
            outcome: report.outcome.kind,
            blame: report.outcome.blame,
        };
        Self {
            schema: 1,
            at,
            severity: alert.kind.severity(),
            kind: alert.kind,
            message: clean(&alert.message),
            repeated: 0,
            request: about.map(request),
            host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The component and the tenant that it is about.
    pub(crate) fn about(&self) -> (Option<Digest>, Option<Tenant>) {
        let request = self.request.as_ref();
        let component = request.and_then(|request| request.component);
        (component, request.map(|request| request.tenant.clone()))
    }

    /// As one line of a log.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("alert: {} {}: {}", self.severity, self.kind, self.message);
        if let Some(request) = &self.request {
            let about = format!(" (tenant {}, run {})", request.tenant, request.run_id);
            line.push_str(&about);
        }
        if self.repeated > 0 {
            let repeated = format!(" [the last of {} since it was told]", self.repeated);
            line.push_str(&repeated);
        }
        line
    }
}

//! Records that are about the log itself, and what is remembered of a record that has begun.

use super::{Phase, SCHEMA};
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is about the log itself.
pub(crate) trait OfLog: Serialize {
    /// What happened, in a word that OCSF's readers see.
    const OPERATION: &'static str;

    /// What happened, in words.
    fn words(&self) -> String;
}

/// What is remembered of a record that has begun until it is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Began {
    /// The record's place in the log.
    pub(crate) index: u64,
    /// What was asked for.
    pub(crate) verb: Verb,
    /// Who is charged for it.
    pub(crate) tenant: Tenant,
    /// Who asked for it.
    #[serde(default)]
    pub(crate) caller: Caller,
    /// The component's digest.
    pub(crate) component: Option<Digest>,
    /// When it began.
    pub(crate) started: Timestamp,
}

impl Began {
    /// Of a record at that place.
    pub(crate) fn of(record: &AuditRecord, index: u64) -> Self {
        Self {
            index,
            verb: record.verb,
            tenant: record.tenant.clone(),
            caller: record.caller,
            component: record.component,
            started: record.started,
        }
    }
}

/// That a record has no end.
#[derive(Debug, Serialize)]
pub(crate) struct Unknown {
    schema: u32,
    phase: Phase,
    run_id: RunId,
    verb: Verb,
    tenant: Tenant,
    caller: Caller,
    component: Option<Digest>,
    started: Timestamp,
    begun: u64,
}

impl Unknown {
    /// That the record with that id has none.
    pub(crate) fn of(run_id: RunId, began: Began) -> Self {
        Self {
            schema: SCHEMA,
            phase: Phase::Unknown,
            run_id,
            verb: began.verb,
            tenant: began.tenant,
            caller: began.caller,
            component: began.component,
            started: began.started,
            begun: began.index,
        }
    }
}

impl OfLog for Unknown {
    const OPERATION: &'static str = "close";

    fn words(&self) -> String {
        let begun = self.begun;
        format!("record {begun} has no end in the log")
    }
}

/// That records could not be written.
#[derive(Debug, Serialize)]
pub(crate) struct Gap {
    schema: u32,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    lost: u64,
    refused: u64,
    since: Timestamp,
    why: String,
}

impl Gap {
    /// That so many were lost since then, and so many refused, which is why nothing came of what they would have recorded.
    pub(crate) fn of(lost: u64, refused: u64, since: Timestamp, why: &str) -> Self {
        Self {
            schema: SCHEMA,
            phase: Phase::Gap,
            run_id: None,
            lost,
            refused,
            since,
            why: why.to_owned(),
        }
    }

    /// That a request was refused whose beginning is in the log.
    pub(crate) fn of_refused(run_id: RunId, now: Timestamp, why: &str) -> Self {
        Self {
            run_id: Some(run_id),
            ..Self::of(0, 1, now, why)
        }
    }
}

impl OfLog for Gap {
    const OPERATION: &'static str = "resume";

    fn words(&self) -> String {
        let Self {
            lost, refused, why, ..
        } = self;
        format!("{lost} records were lost and {refused} refused before this one: {why}")
    }
}

/// That the end of the log was half a record.
#[derive(Debug, Serialize)]
pub(crate) struct Torn {
    schema: u32,
    phase: Phase,
    bytes: u64,
}

impl Torn {
    /// That so many bytes were moved away.
    pub(crate) fn of(bytes: u64) -> Self {
        Self {
            schema: SCHEMA,
            phase: Phase::Torn,
            bytes,
        }
    }
}

impl OfLog for Torn {
    const OPERATION: &'static str = "repair";

    fn words(&self) -> String {
        let bytes = self.bytes;
        format!(
            "the log ended in {bytes} bytes of half a record, which were moved to the file `torn`"
        )
    }
}

/// That old records are removed.
#[derive(Debug, Serialize)]
pub(crate) struct Removed {
    schema: u32,
    phase: Phase,
    before: u64,
    why: &'static str,
}

impl Removed {
    /// That those before that one are.
    pub(crate) fn before(index: u64, why: &'static str) -> Self {
        Self {
            schema: SCHEMA,
            phase: Phase::Removed,
            before: index,
            why,
        }
    }
}

impl OfLog for Removed {
    const OPERATION: &'static str = "remove";

    fn words(&self) -> String {
        let Self { before, why, .. } = self;
        format!("records before {before} are removed: {why}")
    }
}

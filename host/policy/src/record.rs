//! What the operator wants to be recorded, watched and told: for whoever sets a cell up.

use hotcell_model::names::named;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

named! {
    /// Whether there is an audit log.
    pub enum AuditMode, "mode of the audit log" {
        /// There is none.
        Off = "off",
        /// There is one. Where it cannot be written, launches go on and an alert says so.
        On = "on",
        /// There is one. Where it cannot be written, nothing runs.
        Required = "required",
    }
}

named! {
    /// When records reach the disk.
    pub enum AuditSync, "way to sync the audit log" {
        /// At most a tenth of a second after they were written.
        Batch = "batch",
        /// Each before anything goes on.
        Record = "record",
    }
}

/// What is recorded, and where the record's checkpoints go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRules {
    /// Whether there is a log.
    pub mode: AuditMode,
    /// When records reach the disk.
    pub sync: AuditSync,
    /// The most bytes of it that are kept, over all logs.
    pub max_bytes: u64,
    /// How many days records are kept at most; for ever, within the bytes, if absent.
    pub keep_days: Option<u64>,
    /// A file that each checkpoint is added to.
    pub anchor_file: Option<PathBuf>,
    /// A program that is given each checkpoint, with its arguments; empty if there is none.
    pub anchor_command: Vec<String>,
    /// The address of a witness that checkpoints are submitted to, and its key.
    pub witness: Option<(String, String)>,
}

impl Default for AuditRules {
    fn default() -> Self {
        Self {
            mode: AuditMode::On,
            sync: AuditSync::Batch,
            max_bytes: 1 << 30,
            keep_days: None,
            anchor_file: None,
            anchor_command: Vec::new(),
            witness: None,
        }
    }
}

/// Who is told of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRules {
    /// Whether they are written to the standard error.
    pub log: bool,
    /// A program that is given each, with its arguments; empty if there is none.
    pub command: Vec<String>,
    /// The address that each is posted to.
    pub webhook: Option<String>,
    /// The file with the key that posts are signed with.
    pub webhook_key: Option<PathBuf>,
    /// How long an alert that is told already is only counted.
    pub repeat: Duration,
}

impl Default for AlertRules {
    fn default() -> Self {
        Self {
            log: true,
            command: Vec::new(),
            webhook: None,
            webhook_key: None,
            repeat: Duration::from_secs(600),
        }
    }
}

/// Where figures are to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsRules {
    /// The address of this machine alone at which a daemon shows its metrics.
    pub listen: Option<SocketAddr>,
    /// Whether it shows a page for people there, too.
    pub page: bool,
    /// The file that commands write theirs to.
    pub textfile: Option<PathBuf>,
    /// The address of a collector that traces and metrics are sent to.
    pub otlp: Option<String>,
}

//! What only the daemon knows, as it is at the moment of a scrape.

use crate::metrics::family::{pair, write_head};
use hotcell_model::budget::Resource;
use hotcell_model::names::named;
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use std::fmt::Write;

named! {
    /// The pools of workers.
    pub enum Pool, "pool" {
        /// Processes that compile.
        Compiler = "compiler",
        /// Processes that run kernels.
        Runner = "runner",
        /// Processes that hold a GPU.
        Gpu = "gpu",
    }
}

/// What only the daemon knows. What is absent is not shown.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// The workers of each pool.
    pub pools: Vec<PoolGauge>,
    /// Requests that wait for a place or a worker.
    pub waiting: Option<u64>,
    /// Clients that are connected.
    pub connections: Option<u64>,
    /// What is left of budgets. Those of tenants that were not named when the metrics were made are not shown.
    pub budgets: Vec<BudgetGauge>,
    /// The audit log.
    pub audit: Option<AuditGauge>,
}

/// How many workers of a pool there are.
#[derive(Clone, Copy, Debug)]
pub struct PoolGauge {
    /// The pool.
    pub pool: Pool,
    /// Workers that have something to do.
    pub busy: u64,
    /// Workers that wait for something to do.
    pub idle: u64,
}

/// What is left of one budget.
#[derive(Clone, Debug)]
pub struct BudgetGauge {
    /// Whose.
    pub tenant: Tenant,
    /// Of what.
    pub resource: Resource,
    /// How much is left; below zero is debt.
    pub left: i64,
    /// The most that it holds.
    pub size: u64,
}

/// How the audit log is.
#[derive(Clone, Copy, Debug)]
pub struct AuditGauge {
    /// Whether records can be written.
    pub is_writable: bool,
    /// Records that could not be written, since the start.
    pub unwritten: u64,
    /// Records that were begun and have no end yet.
    pub open: u64,
    /// Bytes of all log files.
    pub bytes: u64,
    /// When the last checkpoint was signed; absent if none was.
    pub checkpoint: Option<Timestamp>,
}

/// Writes the gauges; budgets of those tenants alone.
pub(crate) fn write(text: &mut String, gauges: &Gauges, named: &[Tenant]) {
    write_pools(text, &gauges.pools);
    let single = [
        (
            "hotcell_waiting_requests",
            "Requests that wait for a place or a worker.",
            gauges.waiting,
        ),
        (
            "hotcell_connections",
            "Clients that are connected.",
            gauges.connections,
        ),
    ];
    for (name, help, value) in single {
        if let Some(value) = value {
            write_one(text, name, help, value);
        }
    }
    write_budgets(text, &gauges.budgets, named);
    if let Some(audit) = &gauges.audit {
        write_audit(text, audit);
    }
}

/// Writes a gauge without labels.
pub(crate) fn write_one(text: &mut String, name: &str, help: &str, value: u64) {
    write_head(text, name, help, "gauge");
    let _ = writeln!(text, "{name} {value}");
}

fn write_pools(text: &mut String, pools: &[PoolGauge]) {
    if pools.is_empty() {
        return;
    }
    let name = "hotcell_workers";
    write_head(text, name, "Confined worker processes.", "gauge");
    for pool in pools {
        for (state, count) in [("busy", pool.busy), ("idle", pool.idle)] {
            let labels = format!(
                "{},{}",
                pair("pool", pool.pool.name()),
                pair("state", state)
            );
            let _ = writeln!(text, "{name}{{{labels}}} {count}");
        }
    }
}

fn write_budgets(text: &mut String, budgets: &[BudgetGauge], named: &[Tenant]) {
    let budgets: Vec<&BudgetGauge> = budgets
        .iter()
        .filter(|budget| named.contains(&budget.tenant))
        .collect();
    if budgets.is_empty() {
        return;
    }
    let labels = |budget: &BudgetGauge| {
        let tenant = pair("tenant", budget.tenant.as_str());
        format!("{{{tenant},{}}}", pair("resource", budget.resource.name()))
    };
    let name = "hotcell_budget_left";
    let help = "What is left of a budget, in the resource's unit. Below zero is debt.";
    write_head(text, name, help, "gauge");
    for budget in &budgets {
        let _ = writeln!(text, "{name}{} {}", labels(budget), budget.left);
    }
    let name = "hotcell_budget_size";
    write_head(
        text,
        name,
        "The most that a budget holds, in the resource's unit.",
        "gauge",
    );
    for budget in &budgets {
        let _ = writeln!(text, "{name}{} {}", labels(budget), budget.size);
    }
}

fn write_audit(text: &mut String, audit: &AuditGauge) {
    let writable = u64::from(audit.is_writable);
    write_one(
        text,
        "hotcell_audit_writable",
        "Whether audit records can be written.",
        writable,
    );
    let name = "hotcell_audit_unwritten_records_total";
    write_head(
        text,
        name,
        "Audit records that could not be written.",
        "counter",
    );
    let _ = writeln!(text, "{name} {}", audit.unwritten);
    let help = "Audit records that were begun and have no end yet.";
    write_one(text, "hotcell_audit_open_records", help, audit.open);
    write_one(
        text,
        "hotcell_audit_log_bytes",
        "Size of all audit log files.",
        audit.bytes,
    );
    if let Some(checkpoint) = audit.checkpoint {
        let seconds = checkpoint.since(Timestamp::default()).as_secs();
        let help = "When the last checkpoint of the audit log was signed, since 1970.";
        write_one(
            text,
            "hotcell_audit_checkpoint_timestamp_seconds",
            help,
            seconds,
        );
    }
}

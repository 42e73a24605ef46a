//! What is counted of everything that was asked for, in the names and the text format of Prometheus.
//!
//! Series are known when the metrics are made: labels have the values of enums, and tenants are those that the policy names,
//! with `other` for all the rest. `docs/metrics.md` describes each.

mod family;
mod gauges;
mod observe;
#[cfg(feature = "otlp")]
mod points;
mod reasons;
mod textfile;

pub use gauges::{AuditGauge, BudgetGauge, Gauges, Pool, PoolGauge};
#[cfg(feature = "otlp")]
pub(crate) use observe::stage_times;
#[cfg(feature = "otlp")]
pub(crate) use points::Series;
pub use reasons::MissReason;
pub use textfile::TextfileError;

use crate::metrics::family::{Axis, Family, Shown, Title, Unit};
use hotcell_model::audit::Verb;
use hotcell_model::budget::{PlaceKind, Resource};
use hotcell_model::grant::Capability;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::AlertKind;
use hotcell_model::tenant::Tenant;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tenant of a series that is of no tenant that was named.
const OTHER: &str = "other";

/// The format that a watcher renders, as HTTP names it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const MILLISECOND: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// Bounds of times, from what a tiny launch takes to the longest timeout.
const TIMES: &[u64] = &[
    10_000,
    30_000,
    100_000,
    300_000,
    MILLISECOND,
    3 * MILLISECOND,
    10 * MILLISECOND,
    30 * MILLISECOND,
    100 * MILLISECOND,
    300 * MILLISECOND,
    1000 * MILLISECOND,
    3000 * MILLISECOND,
    10_000 * MILLISECOND,
    30_000 * MILLISECOND,
    100_000 * MILLISECOND,
    600_000 * MILLISECOND,
];

/// Bounds of sizes, from a small artifact to the most memory that a compile process may have.
const SIZES: &[u64] = &[
    MIB / 64,
    MIB / 16,
    MIB / 4,
    MIB,
    4 * MIB,
    16 * MIB,
    64 * MIB,
    256 * MIB,
    1024 * MIB,
    4096 * MIB,
];

/// The stages of a launch, in order.
pub(crate) const STAGES: [&str; 7] = [
    "describe",
    "compile",
    "load",
    "instantiate",
    "call",
    "body",
    "settle",
];

/// How a request to deliver an alert ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again.
    Retried,
    /// It was given up.
    Failed,
}

/// Where alerts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Lines of a log.
    Log,
    /// An HTTP receiver.
    Webhook,
    /// A program.
    Command,
}

/// Why an alert was not sent by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// The same was sent a moment ago: it is counted, and told later.
    Repeated,
    /// Too many were sent lately: it is counted, and told later.
    Rate,
    /// Too many wait to be sent: it is counted, and told later; or an older one made room.
    Queue,
}

/// The counters and histograms of one process.
#[derive(Debug)]
pub(crate) struct Metrics {
    tenants: Vec<Tenant>,
    /// How many requests of each verb were begun and have not ended.
    running: [AtomicU64; Verb::ALL.len()],
    requests: Family,
    failures: Family,
    fuel: Family,
    cpu: Family,
    copied: Family,
    file_bytes: Family,
    gpu_fuel: Family,
    gpu_time: Family,
    wall: Family,
    stages: Family,
    compilation_cpu: Family,
    compilation_wall: Family,
    compilation_memory: Family,
    compilation_artifact: Family,
    compilation_disk: Family,
    lookups: Family,
    misses: Family,
    breaches: Family,
    observed: Family,
    refused_capabilities: Family,
    budget_refusals: Family,
    worker_ends: Family,
    alerts: Family,
    deliveries: Family,
    withheld: Family,
    state_errors: Family,
    /// Of each family, what the textfile's sums have of this process already.
    written: Mutex<Vec<Vec<u64>>>,
}

const fn title(name: &'static str, help: &'static str) -> Title {
    Title {
        name,
        help,
        unit: Unit::Count,
    }
}

const fn seconds(name: &'static str, help: &'static str) -> Title {
    Title {
        name,
        help,
        unit: Unit::Nanoseconds,
    }
}

/// A family of few counters.
fn few(title: Title, axes: Vec<Axis>) -> Family {
    Family::counter(title, Shown::All, axes)
}

macro_rules! axis {
    ($label:literal, $enum:ty) => {
        Axis::new($label, <$enum>::ALL.iter().map(|one| one.name()))
    };
}

impl Metrics {
    /// Nothing counted yet. Series of tenants are of those that are named, and of `other`: names that the policy has, and never
    /// those that callers choose.
    pub(crate) fn new(named_tenants: impl IntoIterator<Item = Tenant>) -> Self {
        let mut tenants: Vec<Tenant> = named_tenants.into_iter().collect();
        tenants.retain(|tenant| tenant.as_str() != OTHER);
        tenants.sort();
        tenants.dedup();
        let names: Vec<String> = tenants
            .iter()
            .map(|tenant| tenant.as_str().to_owned())
            .collect();
        let tenant = || {
            let names = names.iter().map(String::as_str);
            Axis::new("tenant", names.chain([OTHER]))
        };
        let blames = || Blame::ALL.iter().map(|blame| blame.name());
        let direction = |inward, outward| Axis::new("direction", [inward, outward]);
        Self {
            running: Default::default(),
            requests: Family::counter(
                title("hotcell_requests_total", "Requests that have ended."),
                Shown::NotZero,
                vec![
                    axis!("verb", Verb),
                    axis!("outcome", OutcomeKind),
                    Axis::new("blame", blames().chain(["none"])),
                    tenant(),
                ],
            ),
            failures: few(
                title(
                    "hotcell_failures_total",
                    "Requests that did not end well, by whose doing it was.",
                ),
                vec![axis!("blame", Blame), tenant()],
            ),
            fuel: few(
                title("hotcell_fuel_total", "Fuel that launches used."),
                vec![tenant()],
            ),
            cpu: few(
                seconds(
                    "hotcell_cpu_seconds_total",
                    "CPU time of executions, over all threads.",
                ),
                vec![tenant()],
            ),
            copied: few(
                title(
                    "hotcell_copied_bytes_total",
                    "Bytes of arrays that went into guests and came out.",
                ),
                vec![direction("in", "out"), tenant()],
            ),
            file_bytes: few(
                title(
                    "hotcell_file_bytes_total",
                    "Bytes of files that guests read and wrote.",
                ),
                vec![direction("read", "written"), tenant()],
            ),
            gpu_fuel: few(
                title("hotcell_gpu_fuel_total", "GPU fuel that was charged."),
                vec![tenant()],
            ),
            gpu_time: few(
                seconds(
                    "hotcell_gpu_seconds_total",
                    "Time from each GPU submission to its end.",
                ),
                vec![tenant()],
            ),
            wall: Family::histogram(
                seconds("hotcell_launch_seconds", "Wall-clock time of executions."),
                TIMES,
                vec![axis!("isolation", Isolation), axis!("metering", Metering)],
            ),
            stages: Family::histogram(
                seconds(
                    "hotcell_stage_seconds",
                    "Time of each stage of a launch that had it.",
                ),
                TIMES,
                vec![Axis::new("stage", STAGES)],
            ),
            compilation_cpu: Family::histogram(
                seconds(
                    "hotcell_compilation_cpu_seconds",
                    "CPU time of each compilation.",
                ),
                TIMES,
                vec![axis!("isolation", Isolation)],
            ),
            compilation_wall: Family::histogram(
                seconds(
                    "hotcell_compilation_seconds",
                    "Wall-clock time of each compilation.",
                ),
                TIMES,
                vec![axis!("isolation", Isolation)],
            ),
            compilation_memory: Family::histogram(
                title(
                    "hotcell_compilation_memory_bytes",
                    "Peak memory of each compilation.",
                ),
                SIZES,
                vec![],
            ),
            compilation_artifact: Family::histogram(
                title(
                    "hotcell_compilation_artifact_bytes",
                    "Size of each artifact that was made.",
                ),
                SIZES,
                vec![],
            ),
            compilation_disk: few(
                title(
                    "hotcell_compilation_disk_bytes_total",
                    "Disk I/O of compile processes.",
                ),
                vec![direction("read", "written")],
            ),
            lookups: few(
                title(
                    "hotcell_cache_lookups_total",
                    "Look-ups of artifacts, by what came of them.",
                ),
                vec![Axis::new(
                    "result",
                    ["hit-memory", "hit", "miss", "failed-before"],
                )],
            ),
            misses: few(
                title(
                    "hotcell_cache_misses_total",
                    "Artifacts that had to be compiled, by reason.",
                ),
                vec![axis!("reason", MissReason)],
            ),
            breaches: few(
                title(
                    "hotcell_limit_breaches_total",
                    "Limits that ended a request or refused it.",
                ),
                vec![axis!("limit", Limit)],
            ),
            observed: few(
                title(
                    "hotcell_observed_breaches_total",
                    "Limits that the policy only observes, and that were passed.",
                ),
                vec![axis!("limit", Limit)],
            ),
            refused_capabilities: few(
                title(
                    "hotcell_refused_capabilities_total",
                    "Capabilities that were needed and not granted.",
                ),
                vec![axis!("capability", Capability)],
            ),
            budget_refusals: few(
                title(
                    "hotcell_budget_refusals_total",
                    "Requests refused for a spent budget or taken places.",
                ),
                vec![Axis::new(
                    "resource",
                    Resource::ALL
                        .iter()
                        .map(|resource| resource.name())
                        .chain(PlaceKind::ALL.iter().map(|kind| kind.name())),
                )],
            ),
            worker_ends: few(
                title(
                    "hotcell_worker_ends_total",
                    "Workers that died or had to be killed.",
                ),
                vec![Axis::new("end", ["died", "killed", "filter"])],
            ),
            alerts: few(
                title("hotcell_alerts_total", "Alerts that were raised."),
                vec![Axis::joined(AlertKind::ALL.iter().map(|kind| {
                    vec![("kind", kind.name()), ("severity", kind.severity().name())]
                }))],
            ),
            deliveries: few(
                title(
                    "hotcell_alert_deliveries_total",
                    "Attempts to deliver alerts.",
                ),
                vec![
                    Axis::new("sink", ["log", "webhook", "command"]),
                    Axis::new("result", ["delivered", "retried", "failed"]),
                ],
            ),
            withheld: few(
                title(
                    "hotcell_alerts_withheld_total",
                    "Alerts that were not sent by themselves.",
                ),
                vec![Axis::new("reason", ["repeated", "rate", "queue"])],
            ),
            state_errors: few(
                title(
                    "hotcell_state_errors_total",
                    "Times that baselines could not be read or written.",
                ),
                vec![],
            ),
            written: Mutex::default(),
            tenants,
        }
    }

    /// What the textfile's sums have of this process already.
    fn written(&self) -> MutexGuard<'_, Vec<Vec<u64>>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_empty() {
            let zeros = |family: &&Family| vec![0; family.numbers().len()];
            *written = self.families().iter().map(zeros).collect();
        }
        written
    }

    fn families(&self) -> [&Family; 26] {
        [
            &self.requests,
            &self.failures,
            &self.fuel,
            &self.cpu,
            &self.copied,
            &self.file_bytes,
            &self.gpu_fuel,
            &self.gpu_time,
            &self.wall,
            &self.stages,
            &self.compilation_cpu,
            &self.compilation_wall,
            &self.compilation_memory,
            &self.compilation_artifact,
            &self.compilation_disk,
            &self.lookups,
            &self.misses,
            &self.breaches,
            &self.observed,
            &self.refused_capabilities,
            &self.budget_refusals,
            &self.worker_ends,
            &self.alerts,
            &self.deliveries,
            &self.withheld,
            &self.state_errors,
        ]
    }

    /// The metrics as Prometheus reads them, with what only the daemon knows.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut text = String::with_capacity(32 << 10);
        for family in self.families() {
            family.write(&mut text, &family.numbers());
        }
        self.write_running(&mut text);
        gauges::write(&mut text, gauges, &self.tenants);
        text
    }

    fn write_running(&self, text: &mut String) {
        use std::fmt::Write;
        let name = "hotcell_build_info";
        family::write_head(
            text,
            name,
            "The version of this program; always 1.",
            "gauge",
        );
        let version = family::pair("version", env!("CARGO_PKG_VERSION"));
        let _ = writeln!(text, "{name}{{{version}}} 1");
        let name = "hotcell_running_requests";
        family::write_head(
            text,
            name,
            "Requests that were begun and have not ended.",
            "gauge",
        );
        for (verb, count) in Verb::ALL.iter().zip(&self.running) {
            let labels = family::pair("verb", verb.name());
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}{{{labels}}} {count}");
        }
    }

    /// Counts an attempt to deliver an alert.
    pub(crate) fn delivery(&self, sink: Sink, delivery: Delivery) {
        self.deliveries.add(&[sink as usize, delivery as usize], 1);
    }

    /// Counts an alert that was not sent by itself.
    pub(crate) fn withheld(&self, why: Withheld) {
        self.withheld.add(&[why as usize], 1);
    }

    /// Counts an alert that was raised.
    pub(crate) fn alert(&self, kind: AlertKind) {
        self.alerts.add(&[kind as usize], 1);
    }

    /// Counts that the state could not be read or written.
    pub(crate) fn state_error(&self) {
        self.state_errors.add(&[], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_nobody_named_has_no_series() {
        let named: Tenant = "alice".parse().unwrap();
        let metrics = Metrics::new([named.clone(), named, "other".parse().unwrap()]);
        let text = metrics.render(&Gauges::default());
        let lines = text
            .lines()
            .filter(|line| line.starts_with("hotcell_fuel_total"));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "hotcell_fuel_total{tenant=\"alice\"} 0",
                "hotcell_fuel_total{tenant=\"other\"} 0"
            ]
        );
    }

    #[test]
    fn names_are_in_the_form_of_prometheus_and_there_once() {
        let text = Metrics::new([]).render(&Gauges::default());
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let all = names.len();
        for name in &names {
            let (name, kind) = name.split_once(' ').unwrap();
            assert!(name.starts_with("hotcell_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

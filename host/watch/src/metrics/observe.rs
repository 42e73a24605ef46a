//! What is counted of one request: read from its record and report, which the host made.

use crate::metrics::{Metrics, MissReason};
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::outcome::{Cause, Outcome};
use hotcell_model::report::{Alert, AlertKind, CacheOutcome, Compilation, Report, Timings};
use hotcell_model::tenant::Tenant;
use std::sync::atomic::Ordering;

impl Metrics {
    /// A request was begun.
    pub(crate) fn begun(&self, record: &AuditRecord) {
        self.running[record.verb as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, and `more` was odd about it than its report says.
    pub(crate) fn ended(&self, record: &AuditRecord, report: &Report, more: &[Alert]) {
        let running = &self.running[record.verb as usize];
        let _ = running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            count.checked_sub(1)
        });
        let tenant = self.tenant(&record.tenant);
        self.outcome(record.verb, &report.outcome, tenant);
        self.usage(record, report, tenant);
        self.timings(record, &report.timings);
        for breach in &report.observed {
            self.observed.add(&[breach.limit as usize], 1);
        }
        for alert in report.alerts.iter().chain(more) {
            self.alert(alert.kind);
            let end = match alert.kind {
                AlertKind::WorkerDied => 0,
                AlertKind::WorkerKilled => 1,
                AlertKind::FilterKill => 2,
                _ => continue,
            };
            self.worker_ends.add(&[end], 1);
        }
    }

    /// Where a tenant is among those that are named; all others are one behind them.
    fn tenant(&self, tenant: &Tenant) -> usize {
        let found = self.tenants.binary_search(tenant);
        found.unwrap_or(self.tenants.len())
    }

    fn outcome(&self, verb: Verb, outcome: &Outcome, tenant: usize) {
        let none = hotcell_model::outcome::Blame::ALL.len();
        let blame = outcome.blame.map_or(none, |blame| blame as usize);
        let at = [verb as usize, outcome.kind as usize, blame, tenant];
        self.requests.add(&at, 1);
        if let Some(blame) = outcome.blame {
            self.failures.add(&[blame as usize, tenant], 1);
        }
        for cause in &outcome.causes {
            self.cause(cause);
        }
    }

    fn cause(&self, cause: &Cause) {
        use hotcell_model::budget::Resource;
        match cause {
            Cause::Limit(breach) => self.breaches.add(&[breach.limit as usize], 1),
            Cause::AboveCeiling(above) => self.breaches.add(&[above.limit as usize], 1),
            Cause::ManifestAboveCeiling { limit, .. } => {
                self.breaches.add(&[limit.limit as usize], 1);
            }
            Cause::NotGranted { capability, .. } => {
                self.refused_capabilities.add(&[*capability as usize], 1);
            }
            Cause::BudgetSpent { resource, .. } => {
                self.budget_refusals.add(&[*resource as usize], 1);
            }
            Cause::PlacesTaken { kind, .. } => {
                self.budget_refusals
                    .add(&[Resource::COUNT + *kind as usize], 1);
            }
            _ => {}
        }
    }

    fn usage(&self, record: &AuditRecord, report: &Report, tenant: usize) {
        let usage = &report.usage;
        self.fuel.add(&[tenant], usage.fuel_used.unwrap_or(0));
        self.cpu.add(&[tenant], usage.cpu_ns);
        self.copied.add(&[0, tenant], usage.bytes_in);
        self.copied.add(&[1, tenant], usage.bytes_out);
        if let Some(files) = &usage.files {
            self.file_bytes.add(&[0, tenant], files.bytes_read);
            self.file_bytes.add(&[1, tenant], files.bytes_written);
        }
        if let Some(gpu) = &usage.gpu {
            let fuel = gpu.fuel_static.saturating_add(gpu.fuel_dynamic);
            self.gpu_fuel.add(&[tenant], fuel);
            self.gpu_time.add(&[tenant], gpu.time_ns);
        }
        if usage.instances > 0 {
            let at = [record.isolation as usize, record.metering as usize];
            self.wall.observe(&at, usage.wall_ns);
        }
    }

    fn timings(&self, record: &AuditRecord, timings: &Timings) {
        let describe_ns = timings
            .compilation
            .as_ref()
            .map_or(0, |taken| taken.describe_ns);
        let stages = stage_times(timings, describe_ns);
        for (stage, time_ns) in stages.into_iter().enumerate() {
            if time_ns > 0 {
                self.stages.observe(&[stage], time_ns);
            }
        }
        if let Some(compilation) = &timings.compilation {
            self.compilation(record.isolation as usize, timings.compile_ns, compilation);
        }
        let result = match &timings.cache {
            None => return,
            Some(CacheOutcome::HitMemory) => 0,
            Some(CacheOutcome::Hit) => 1,
            Some(CacheOutcome::Miss(words)) => {
                self.misses.add(&[MissReason::of(words) as usize], 1);
                2
            }
            Some(CacheOutcome::FailedBefore) => 3,
        };
        self.lookups.add(&[result], 1);
    }

    fn compilation(&self, isolation: usize, wall_ns: u64, compilation: &Compilation) {
        self.compilation_cpu
            .observe(&[isolation], compilation.cpu_ns);
        self.compilation_wall.observe(&[isolation], wall_ns);
        self.compilation_memory
            .observe(&[], compilation.peak_memory_bytes);
        if compilation.artifact_bytes > 0 {
            self.compilation_artifact
                .observe(&[], compilation.artifact_bytes);
        }
        self.compilation_disk.add(&[0], compilation.disk_read_bytes);
        self.compilation_disk
            .add(&[1], compilation.disk_written_bytes);
    }
}

/// The time of each of [`STAGES`](crate::metrics::STAGES); of the call, what is not in the guest's body is `call`.
pub(crate) fn stage_times(timings: &Timings, describe_ns: u64) -> [u64; 7] {
    [
        describe_ns,
        timings.compile_ns.saturating_sub(describe_ns),
        timings.load_ns,
        timings.instantiate_ns,
        timings.call_ns,
        timings.body_ns,
        timings.settle_ns,
    ]
}

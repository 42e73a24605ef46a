//! How busy the daemon is: for clients that ask, for its metrics, and for its page.

use crate::connection::Connection;
use crate::protocol::{BudgetStatus, PoolStatus, Status, TenantStatus};
use crate::server::Server;
use crate::web::Shown;
use crate::web::page::{View, page};
use hotcell::{Policy, PoolUse, Subject, Tenant};
use hotcell_audit::LogState;
use hotcell_watch::{AuditGauge, BudgetGauge, Gauges, Pool, PoolGauge};
use std::collections::BTreeMap;
use std::time::SystemTime;

impl Server {
    /// How busy it is, as somebody may know it; the operator, and the page, everything.
    pub(crate) fn status(&self, who: Option<&Connection>) -> Status {
        let who = who.filter(|connection| !self.is_operator(connection.uid));
        let (seen, own) = match who {
            Some(connection) => (self.seen_by(connection), self.known_tenant(connection)),
            None => (self.launches.all(), None),
        };
        let is_operator = who.is_none();
        let mut tenants = BTreeMap::<Tenant, usize>::new();
        for running in &seen {
            *tenants.entry(running.tenant.clone()).or_default() += 1;
        }
        let policy = self.policy.now();
        let named = policy.tenants().filter(|_| is_operator).cloned();
        for tenant in named.chain(own) {
            tenants.entry(tenant).or_default();
        }
        let pools = match is_operator {
            true => self.pools(),
            false => Vec::new(),
        };
        Status {
            since: self.since,
            connections: match is_operator {
                true => self.connections(),
                false => 0,
            },
            pools,
            tenants: tenants
                .into_iter()
                .map(|(tenant, launches)| TenantStatus {
                    budgets: self.budgets(&policy, &tenant),
                    tenant,
                    launches,
                })
                .collect(),
            launches: seen.iter().map(|running| running.state()).collect(),
        }
    }

    fn pools(&self) -> Vec<PoolStatus> {
        let pools = self.cell.pools();
        let status = |name: &str, used: PoolUse| PoolStatus {
            name: name.to_owned(),
            most: used.most,
            busy: used.busy,
            idle: used.idle,
            waiting: used.waiting,
        };
        vec![
            status("compilers", pools.compile_processes),
            status("runners", pools.runners),
            status("gpu-workers", pools.gpu_workers),
        ]
    }

    fn budgets(&self, policy: &impl Policy, tenant: &Tenant) -> Vec<BudgetStatus> {
        let terms = policy.terms(&Subject {
            tenant,
            component: None,
            kernel: None,
        });
        // What cannot be read now is not shown.
        let levels = self.ledger.levels(tenant, &terms.allowance.budgets);
        let levels = levels.unwrap_or_default().into_iter();
        let status = levels.map(|level| BudgetStatus {
            resource: level.resource,
            // What the daemon has drawn and no launch has reserved is to be had; what refilled in its place meanwhile is
            // no more than a full bucket.
            left: level
                .left
                .saturating_add_unsigned(level.leased)
                .min(i64::try_from(level.rate.size()).unwrap_or(i64::MAX)),
            size: level.rate.size(),
        });
        status.collect()
    }

    /// What only the daemon knows, for its metrics.
    pub(crate) fn gauges(&self) -> Gauges {
        let pools = self.cell.pools();
        let used = [pools.compile_processes, pools.runners, pools.gpu_workers];
        let gauge = |(pool, used): (Pool, PoolUse)| PoolGauge {
            pool,
            busy: used.busy as u64,
            idle: used.idle as u64,
        };
        let policy = self.policy.now();
        let budgets = policy.tenants().flat_map(|tenant| {
            let budgets = self.budgets(&policy, tenant).into_iter();
            budgets.map(|budget| BudgetGauge {
                tenant: tenant.clone(),
                resource: budget.resource,
                left: budget.left,
                size: budget.size,
            })
        });
        let audit = self.audit.as_ref().map(|audit| audit.state());
        Gauges {
            pools: Pool::ALL.into_iter().zip(used).map(gauge).collect(),
            waiting: Some(used.iter().map(|used| used.waiting as u64).sum()),
            connections: Some(self.connections() as u64),
            budgets: budgets.collect(),
            audit: audit.as_ref().map(audit_gauge),
        }
    }
}

impl Shown for Server {
    fn metrics(&self) -> String {
        self.watcher.render(&self.gauges())
    }

    fn page(&self) -> String {
        page(&View {
            now: SystemTime::now().into(),
            policy: self.policy.now().name().to_owned(),
            status: self.status(None),
            latest: self.watcher.latest(),
            alerts: self.watcher.recent_alerts(),
            compilations: self.watcher.compile_history(),
            audit: self.audit.as_ref().map(|audit| audit.state()),
        })
    }
}

fn audit_gauge(state: &LogState) -> AuditGauge {
    AuditGauge {
        is_writable: state.trouble.is_none(),
        unwritten: state.missing,
        open: state.open,
        bytes: state.bytes,
        checkpoint: state.synced,
    }
}

//! What of a launch its tenant's budgets are charged with.

use crate::isolation::cancelled;
use crate::launch::about::About;
use hotcell_model::accounts::{Account, Accounts, NoBudget};
use hotcell_model::audit::Verb;
use hotcell_model::budget::{Amounts, Rate, Resource};
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::profile::Isolation;
use hotcell_model::report::{AlertKind, Report};
use hotcell_model::stop::StopSignal;

/// Lets something of a tenant begin.
pub(crate) fn open(
    accounts: Option<&dyn Accounts>,
    about: &About,
    verb: Verb,
    stop: &StopSignal,
) -> Result<Option<Box<dyn Account>>, Outcome> {
    if about.allowance.is_boundless() {
        return Ok(None);
    }
    let Some(accounts) = accounts else {
        let message = "the policy gives the tenant budgets, and nobody keeps them here; see `CellBuilder::accounts`";
        return Err(Outcome::failed(
            OutcomeKind::HostFault,
            Blame::Operator,
            message,
        ));
    };
    let is_launch = matches!(verb, Verb::Launch | Verb::Guard);
    let open =
        |wanted: &Amounts| accounts.open(&about.tenant, &about.allowance, wanted, is_launch, stop);
    let account = match open(&wanted(about, is_launch, true)) {
        // The last of a bucket is had too.
        Err(NoBudget::Refused(Cause::BudgetSpent { .. })) => open(&wanted(about, is_launch, false)),
        opened => opened,
    };
    match account {
        Ok(account) => Ok(Some(account)),
        Err(NoBudget::Refused(cause)) => Err(Outcome::because(vec![cause])),
        Err(NoBudget::Cancelled) => Err(cancelled("it waited for other launches of its tenant")),
        Err(error @ NoBudget::Unusable(_)) => Err(Outcome::failed(
            OutcomeKind::HostFault,
            Blame::Operator,
            error.to_string(),
        )),
    }
}

/// What is reserved: one launch, if it is one, and of the rest a process's usual share of the bucket, so that no more of it is
/// lost than a launch can take if its process is killed; or at least something, so that debt holds it back.
fn wanted(about: &About, is_launch: bool, is_share: bool) -> Amounts {
    let share = |resource: Resource, most: u64| {
        let size = about.allowance.budgets.get(resource).map_or(0, Rate::size);
        match is_share {
            true => most.min(size / 16).max(1),
            false => 1,
        }
    };
    let limit = |limit: Limit| about.limits.get(limit);
    let wanted = Resource::ALL.into_iter().map(|resource| {
        let amount = match resource {
            Resource::Launches => u64::from(is_launch),
            // What is no launch spends nothing of it; and yet debt of it holds back.
            _ if !is_launch && resource != Resource::CompileTime => 1,
            // Nothing in a guarded process counts it; and yet debt of it holds back.
            Resource::Fuel | Resource::GpuFuel if about.isolation == Isolation::Guarded => 1,
            Resource::Fuel => share(resource, limit(Limit::Fuel)),
            Resource::CpuTime => share(resource, limit(Limit::CpuTime)),
            Resource::CompileTime => share(resource, limit(Limit::CompileCpu)),
            Resource::GpuFuel => share(resource, limit(Limit::GpuFuel)),
            Resource::Bytes => {
                let most = limit(Limit::BytesIn).saturating_add(limit(Limit::BytesOut));
                share(resource, most)
            }
        };
        (resource, amount)
    });
    wanted.collect()
}

/// What something took. A figure that only a worker knows counts as no more than the limit allows.
pub(crate) fn used(about: &About, report: &Report, verb: Verb) -> Amounts {
    let (usage, timings) = (&report.usage, &report.timings);
    let at_most = |limit: Limit, claimed: u64| claimed.min(about.limits.get(limit));
    let process_cpu = timings.compilation.as_ref().map(|cost| cost.cpu_ns);
    let compile = process_cpu.unwrap_or(timings.compile_ns);
    let host = about.spent.host_cpu_ns;
    // A worker that ended as none should has no word to be believed: what it could have spent, it has.
    let is_lost = report.alerts.iter().any(|alert| {
        use AlertKind::{FilterKill, HostileWorker, WorkerDied, WorkerKilled};
        matches!(
            alert.kind,
            FilterKill | HostileWorker | WorkerDied | WorkerKilled
        )
    });
    let fuel = match usage.fuel_used {
        _ if about.isolation == Isolation::Guarded => 0,
        Some(used) if !is_lost => at_most(Limit::Fuel, used),
        None if !is_lost => 0,
        _ => about.limits.get(Limit::Fuel),
    };
    let cpu = match about.isolation {
        Isolation::Confined => host
            .saturating_add(usage.cpu_ns)
            .saturating_add(process_cpu.unwrap_or(0)),
        Isolation::Guarded => host.saturating_add(usage.cpu_ns),
        // The guest ran on the host's threads, and perhaps on others besides.
        Isolation::InProcess => host.max(usage.cpu_ns),
    };
    let gpu = usage
        .gpu
        .as_ref()
        .map_or(0, |gpu| gpu.fuel_static.saturating_add(gpu.fuel_dynamic));
    let bytes = at_most(Limit::BytesIn, usage.bytes_in)
        .saturating_add(at_most(Limit::BytesOut, usage.bytes_out));
    Resource::ALL
        .into_iter()
        .map(|resource| {
            let amount = match resource {
                Resource::Launches => u64::from(matches!(verb, Verb::Launch | Verb::Guard)),
                Resource::Fuel => fuel,
                Resource::CpuTime => cpu,
                Resource::CompileTime => compile,
                Resource::GpuFuel => at_most(Limit::GpuFuel, gpu),
                Resource::Bytes => bytes,
            };
            (resource, amount)
        })
        .collect()
}

//! What a transaction does to the buckets of a tenant.

use crate::account::Claim;
use crate::bucket::Bucket;
use crate::store;
use hotcell_model::budget::{Amounts, Resource};
use hotcell_model::budget::{Budgets, Rate};
use hotcell_model::manifest::units;
use hotcell_model::tenant::Tenant;
use rusqlite::Connection;
use std::fmt;
use std::time::Duration;

/// A budget that does not have what a launch wants. Of more than one, the one that takes longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What there is too little of.
    pub resource: Resource,
    /// What was wanted, in its unit.
    pub wanted: u64,
    /// What is left for this process; below zero is debt.
    pub left: i64,
    /// The most that the bucket holds.
    pub size: u64,
    /// How long until there is enough if nobody else draws, rounded up to a nanosecond. `None`: more is wanted than the
    /// bucket ever holds.
    pub retry_after: Option<Duration>,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = |amount| self.resource.unit().format(amount);
        let (wanted, size) = (format(self.wanted), format(self.size));
        write!(f, "budget {}: {wanted} wanted, ", self.resource)?;
        let Some(retry_after) = self.retry_after else {
            return write!(f, "and it never holds more than {size}");
        };
        match u64::try_from(self.left) {
            Ok(left) => write!(f, "{} left of {size}", format(left))?,
            Err(_) => write!(f, "and {} of debt", format(self.left.unsigned_abs()))?,
        }
        write!(f, "; try again in {}", in_words(retry_after))
    }
}

/// A wait as a person reads it, rounded up.
fn in_words(wait: Duration) -> String {
    let step = match wait {
        wait if wait >= Duration::from_secs(10) => Duration::from_secs(1),
        wait if wait >= Duration::from_millis(10) => Duration::from_millis(1),
        _ => Duration::from_micros(1),
    };
    let steps = wait.as_nanos().div_ceil(step.as_nanos());
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    units::format_duration(step.saturating_mul(steps))
}

/// A bucket as it is now, under the budget's present rate.
pub(crate) fn current(stored: Option<Bucket>, rate: Rate, now_ns: i64) -> Bucket {
    let Some(mut bucket) = stored else {
        return Bucket::full(rate, now_ns);
    };
    bucket.advance(now_ns);
    if bucket.rate != rate {
        bucket.adopt(rate);
    }
    bucket
}

/// One bucket of a draw.
struct Draw {
    resource: Resource,
    stored: Option<Bucket>,
    bucket: Bucket,
    needed: u64,
    owed: u64,
}

impl Draw {
    /// Whether the file has to be told although nothing was drawn: of a debt, another rate, a clock that was set back.
    fn is_news(&self) -> bool {
        let is_changed =
            |stored: Bucket| stored.rate != self.bucket.rate || stored.at_ns > self.bucket.at_ns;
        self.owed > 0 || self.stored.is_some_and(is_changed)
    }
}

/// Pays what is owed and takes what is needed, of all budgets or none. Says what the leases get beside it.
pub(crate) fn draw(
    rows: &Connection,
    tenant: &Tenant,
    budgets: &Budgets,
    wanted: &Amounts,
    claim: &Claim,
    now_ns: i64,
) -> rusqlite::Result<Result<Amounts, Refused>> {
    let mut draws = Vec::with_capacity(Resource::ALL.len());
    let mut refused: Option<Refused> = None;
    for (resource, rate) in budgets.iter() {
        let wanted = wanted.get(resource);
        let (needed, owed) = (claim.needed.get(resource), claim.owed.get(resource));
        if needed == 0 && owed == 0 && wanted <= rate.size() {
            continue;
        }
        let stored = store::read_bucket(rows, tenant, resource)?;
        let mut bucket = current(stored, rate, now_ns);
        bucket.take(owed);
        let held = i64::try_from(claim.taken.get(resource)).unwrap_or(i64::MAX);
        let refuse = |retry_after| Refused {
            resource,
            wanted,
            left: bucket.level.saturating_add(held),
            size: rate.size(),
            retry_after,
        };
        let refusal = match bucket.wait_for(needed, now_ns) {
            _ if wanted > rate.size() => Some(refuse(None)),
            Some(wait) if needed > 0 => Some(refuse(Some(wait))),
            _ => None,
        };
        refused = [refused, refusal].into_iter().flatten().reduce(longer);
        draws.push(Draw {
            resource,
            stored,
            bucket,
            needed,
            owed,
        });
    }
    if let Some(refused) = refused {
        for draw in draws.iter().filter(|draw| draw.is_news()) {
            store::write_bucket(rows, tenant, draw.resource, &draw.bucket)?;
        }
        return Ok(Err(refused));
    }
    let mut ahead = Amounts::new();
    for mut draw in draws {
        if draw.needed > 0 {
            ahead = ahead.with(draw.resource, draw.bucket.lease(draw.needed));
        }
        store::write_bucket(rows, tenant, draw.resource, &draw.bucket)?;
    }
    Ok(Ok(ahead))
}

/// The refusal that lasts longer; never is longest.
fn longer(one: Refused, other: Refused) -> Refused {
    let lasts = |refused: &Refused| refused.retry_after.unwrap_or(Duration::MAX);
    match lasts(&other) > lasts(&one) {
        true => other,
        false => one,
    }
}

/// Writes debts. A bucket that is there keeps its rate: launches that were reserved under an older one may end later.
pub(crate) fn owe(
    rows: &Connection,
    tenant: &Tenant,
    owed: &Amounts,
    budgets: &Budgets,
    now_ns: i64,
) -> rusqlite::Result<()> {
    for (resource, rate) in budgets.iter() {
        let owed = owed.get(resource);
        if owed > 0 {
            let stored = store::read_bucket(rows, tenant, resource)?;
            let rate = stored.map_or(rate, |bucket| bucket.rate);
            let mut bucket = current(stored, rate, now_ns);
            bucket.take(owed);
            store::write_bucket(rows, tenant, resource, &bucket)?;
        }
    }
    Ok(())
}

/// Puts back leases. That needs no time: what comes in later comes in on top, and nothing goes over the size.
pub(crate) fn put_back(
    rows: &Connection,
    tenant: &Tenant,
    leases: &Amounts,
) -> rusqlite::Result<()> {
    for (resource, amount) in leases.iter().filter(|(_, amount)| *amount > 0) {
        // A bucket that is not there is full.
        if let Some(mut bucket) = store::read_bucket(rows, tenant, resource)? {
            bucket.put_back(amount);
            store::write_bucket(rows, tenant, resource, &bucket)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(resource: Resource, left: i64, retry_after: Option<Duration>) -> Refused {
        Refused {
            resource,
            wanted: 20_000_000_000,
            left,
            size: 100_000_000_000,
            retry_after,
        }
    }

    #[test]
    fn a_refusal_says_what_is_left_and_when_to_come_again() {
        let wait = Some(Duration::from_nanos(12_000_000_001));
        for (refused, says) in [
            (
                refused(Resource::Fuel, 3_000_000_000, wait),
                "budget fuel: 20G wanted, 3G left of 100G; try again in 13s",
            ),
            (
                refused(Resource::CpuTime, -7_000_000_000, wait),
                "budget cpu_ns: 20s wanted, and 7s of debt; try again in 13s",
            ),
            (
                refused(Resource::Launches, 0, Some(Duration::from_nanos(1))),
                "budget launches: 20G wanted, 0 left of 100G; try again in 1us",
            ),
            (
                refused(Resource::GpuFuel, 0, None),
                "budget gpu_fuel: 20G wanted, and it never holds more than 100G",
            ),
        ] {
            assert_eq!(refused.to_string(), says);
        }
    }

    #[test]
    fn never_lasts_longest() {
        let [short, long, never] = [Some(1), Some(2), None]
            .map(|seconds| refused(Resource::Fuel, 0, seconds.map(Duration::from_secs)));
        assert_eq!(longer(short, long), long);
        assert_eq!(longer(never, long), never);
    }
}

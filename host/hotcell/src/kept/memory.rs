//! Memory of the host that launches hold: arrays in memory, inputs and outputs together, bounded for a launch, for a
//! tenant and for the cell.

use hotcell_model::limit::{Amount, Breach, Limit, Unit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The memory that the launches of a cell may hold together.
#[derive(Debug)]
pub(crate) struct HostMemory {
    ceiling_bytes: u64,
    tenant_bytes: u64,
    held: Mutex<HashMap<Tenant, u64>>,
}

/// Memory that a launch holds, until dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    memory: &'a HostMemory,
    tenant: Tenant,
    bytes: u64,
}

impl HostMemory {
    /// A ceiling for the cell, and one for each tenant.
    pub(crate) fn new(ceiling_bytes: u64, tenant_bytes: u64) -> Self {
        Self {
            ceiling_bytes,
            tenant_bytes: tenant_bytes.min(ceiling_bytes),
            held: Mutex::default(),
        }
    }

    /// The default ceiling: three quarters of the machine's memory.
    pub(crate) fn default_ceiling_bytes() -> u64 {
        let info = rustix::system::sysinfo();
        let unit = u64::from(info.mem_unit.max(1));
        #[expect(clippy::useless_conversion, reason = "its width is the platform's")]
        let total = u64::from(info.totalram).saturating_mul(unit);
        total / 4 * 3
    }

    /// Holds memory for a launch of that tenant.
    ///
    /// # Errors
    /// It is more than the tenant may ever hold (`limit`), or more than is free now (`budget`).
    pub(crate) fn hold(&self, tenant: &Tenant, bytes: u64) -> Result<Held<'_>, Outcome> {
        if bytes > self.tenant_bytes {
            return Err(too_much(bytes, self.tenant_bytes));
        }
        let mut held = self.lock();
        let own = held.get(tenant).copied().unwrap_or(0);
        if own + bytes > self.tenant_bytes {
            let whose = format!("tenant {tenant}'s launches");
            return Err(full(Blame::Request, &whose, own, bytes, self.tenant_bytes));
        }
        let all: u64 = held.values().sum();
        if all + bytes > self.ceiling_bytes {
            let whose = "the launches of this host";
            return Err(full(Blame::Host, whose, all, bytes, self.ceiling_bytes));
        }
        // A launch that holds nothing leaves no entry behind.
        if bytes > 0 {
            held.insert(tenant.clone(), own + bytes);
        }
        Ok(Held {
            memory: self,
            tenant: tenant.clone(),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.memory.lock();
        if let Some(own) = held.get_mut(&self.tenant) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                held.remove(&self.tenant);
            }
        }
    }
}

/// The end of a launch whose arrays take more memory than they ever may. Nothing has run: the request's shapes are too
/// large.
pub(crate) fn too_much(requested: u64, maximum: u64) -> Outcome {
    let breach = Breach {
        limit: Limit::HostMemory,
        amount: Amount::Requested(requested),
        maximum,
    };
    Outcome {
        blame: Some(Blame::Request),
        ..Outcome::breached(breach)
    }
}

fn full(blame: Blame, whose: &str, held: u64, requested: u64, maximum: u64) -> Outcome {
    let bytes = |value| Unit::Bytes.format(value);
    let message = format!(
        "{whose} hold {} of memory for arrays, {} more requested, at most {} allowed; retry later",
        bytes(held),
        bytes(requested),
        bytes(maximum)
    );
    Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::Budget, blame, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_tenant_has_its_share_and_leaves_the_rest_to_others() {
        let memory = HostMemory::new(100, 60);
        let (a, b) = (tenant("a"), tenant("b"));
        let first = memory.hold(&a, 50).unwrap();
        let own = memory.hold(&a, 11).unwrap_err();
        assert_eq!(
            (own.kind, own.blame),
            (OutcomeKind::Budget, Some(Blame::Request))
        );
        let second = memory.hold(&b, 50).unwrap();
        let all = memory.hold(&a, 1).unwrap_err();
        assert_eq!(
            (all.kind, all.blame),
            (OutcomeKind::Budget, Some(Blame::Host))
        );
        drop(first);
        assert!(memory.hold(&a, 50).is_ok());
        drop(second);
        assert!(memory.lock().is_empty());
    }

    #[test]
    fn what_can_never_be_had_is_a_limit_with_both_numbers() {
        let refused = HostMemory::new(100, 60).hold(&tenant("a"), 61).unwrap_err();
        let breach = refused.breach().unwrap();
        assert_eq!((breach.amount.value(), breach.maximum), (61, 60));
        assert_eq!(
            (refused.kind, refused.blame),
            (OutcomeKind::Limit, Some(Blame::Request))
        );
    }
}

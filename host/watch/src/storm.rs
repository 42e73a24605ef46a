//! Components that are compiled over and over: a cache that is too small, that is not kept, or that somebody misses on purpose.

use crate::metrics::MissReason;
use hotcell_model::digest::Digest;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many compilations of one component for one tenant, within [`SPAN`], are a storm.
pub(crate) const STORM: u64 = 8;

/// How long compilations are counted together.
pub(crate) const SPAN: Duration = Duration::from_secs(600);

/// How many components are counted at once.
const COMPONENTS: usize = 256;

/// What is counted of one component.
#[derive(Clone, Copy, Debug)]
struct Counted {
    since: Duration,
    last: Duration,
    reasons: [u64; MissReason::ALL.len()],
}

/// Counts compilations by component and tenant.
#[derive(Debug, Default)]
pub(crate) struct Storms {
    counted: Mutex<HashMap<(Tenant, Digest), Counted>>,
}

impl Storms {
    /// Counts a compilation at that time since any fixed moment. Says so once when it is one too many.
    pub(crate) fn compiled(
        &self,
        tenant: &Tenant,
        component: Digest,
        reason: MissReason,
        now: Duration,
    ) -> Option<Alert> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), component);
        if !counted.contains_key(&key) && counted.len() >= COMPONENTS {
            make_room(&mut counted);
        }
        let begun = Counted {
            since: now,
            last: now,
            reasons: Default::default(),
        };
        let one = counted.entry(key).or_insert(begun);
        if now.saturating_sub(one.since) > SPAN {
            *one = begun;
        }
        one.last = now;
        one.reasons[reason as usize] += 1;
        let all: u64 = one.reasons.iter().sum();
        (all == STORM).then(|| one.alert(now))
    }
}

impl Counted {
    fn alert(&self, now: Duration) -> Alert {
        let all: u64 = self.reasons.iter().sum();
        let seconds = now.saturating_sub(self.since).as_secs();
        let mut message = format!(
            "the component was compiled {all} times within {seconds} s; not found in the cache because"
        );
        let reasons = MissReason::ALL.iter().zip(self.reasons);
        for (at, (reason, count)) in reasons.filter(|(_, count)| *count > 0).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let why = match reason {
                MissReason::New => "nothing was kept of before",
                MissReason::Changed => "compiler, CPU or metering mode had changed",
                MissReason::Other => "of something else, which the reports say",
            };
            let _ = write!(message, "{comma} {why} ({count})");
        }
        let kind = AlertKind::RecompileStorm;
        Alert { kind, message }
    }
}

/// Forgets what is over, else the one that whoever has the most compiled longest ago.
fn make_room(counted: &mut HashMap<(Tenant, Digest), Counted>) {
    let mut owners: HashMap<&Tenant, usize> = HashMap::new();
    for (tenant, _) in counted.keys() {
        *owners.entry(tenant).or_default() += 1;
    }
    let most = owners.into_iter().max_by_key(|(_, count)| *count);
    let most = most.map(|(tenant, _)| tenant.clone());
    let own = counted
        .iter()
        .filter(|((tenant, _), _)| Some(tenant) == most.as_ref());
    let oldest = own
        .min_by_key(|(_, one)| one.last)
        .map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        counted.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u16) -> Digest {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        Digest::from_bytes(bytes)
    }

    #[test]
    fn a_storm_is_said_once_with_its_reasons() {
        let storms = Storms::default();
        let tenant = Tenant::default();
        let compiled = |second, reason| {
            storms.compiled(&tenant, digest(1), reason, Duration::from_secs(second))
        };
        let mut alerts = Vec::new();
        for second in 0..20 {
            let reason = if second % 2 == 0 {
                MissReason::New
            } else {
                MissReason::Other
            };
            alerts.extend(compiled(second, reason));
        }
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].kind, AlertKind::RecompileStorm);
        let says = "compiled 8 times within 7 s; not found in the cache because nothing was kept of before (4), of";
        assert!(alerts[0].message.contains(says), "{}", alerts[0].message);
    }

    #[test]
    fn compilations_far_apart_are_no_storm() {
        let storms = Storms::default();
        for at in 0..100 {
            let now = SPAN * at / 6;
            let alert = storms.compiled(&Tenant::default(), digest(1), MissReason::New, now);
            assert_eq!(alert, None, "{at}");
        }
    }

    #[test]
    fn a_tenant_who_compiles_much_hides_no_storm_of_another() {
        let storms = Storms::default();
        let flood: Tenant = "flood".parse().unwrap();
        let mut alerts = 0;
        for at in 0..STORM {
            let now = Duration::from_secs(at);
            let alert = storms.compiled(&Tenant::default(), digest(1), MissReason::New, now);
            alerts += alert.iter().count();
            for number in 0..500 {
                let _ = storms.compiled(&flood, digest(number), MissReason::New, now);
            }
        }
        assert_eq!(alerts, 1);
    }
}

//! Components that are compiled over and over: a cache that is too small, that is not kept, or that somebody misses on purpose.

use crate::metrics::MissReason;
use crate::store::{Place, Store, tenant_number};
use hotcell_model::digest::Digest;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::tenant::Tenant;
use hotcell_state::StateError;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many compilations of one component for one tenant, within [`SPAN`], are a storm.
pub(crate) const STORM: u64 = 8;

/// How long compilations are counted together.
pub(crate) const SPAN: Duration = Duration::from_secs(600);

/// How many components are counted at once.
const COMPONENTS: usize = 256;

/// Which rows of the store are counts of compilations.
const KIND: i64 = 2;

const REASONS: usize = MissReason::ALL.len();

/// What is counted of one component.
#[derive(Clone, Copy, Debug)]
struct Counted {
    since: Duration,
    last: Duration,
    reasons: [u64; REASONS],
}

/// Counts compilations by component and tenant: in the store, since commands that each compile once are a storm too, and in memory
/// where there is none.
#[derive(Default)]
pub(crate) struct Storms {
    counted: Mutex<HashMap<(Tenant, Digest), Counted>>,
    store: Option<Arc<Mutex<Store>>>,
}

impl Storms {
    /// Counts in that store.
    pub(crate) fn new(store: Option<Arc<Mutex<Store>>>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// Counts a compilation at that time since 1970. Says so once when it is one too many. That the store cannot be used is told to
    /// `failed`.
    pub(crate) fn compiled(
        &self,
        tenant: &Tenant,
        component: Digest,
        reason: MissReason,
        now: Duration,
        failed: impl FnOnce(StateError),
    ) -> Option<Alert> {
        let counted = match &self.store {
            Some(store) => {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                count_in_store(&mut store, tenant, component, reason, now)
            }
            None => Ok(self.count_in_memory(tenant, component, reason, now)),
        };
        let counted = counted.unwrap_or_else(|error| {
            failed(error);
            self.count_in_memory(tenant, component, reason, now)
        });
        (counted.all() == STORM).then(|| counted.alert())
    }

    fn count_in_memory(
        &self,
        tenant: &Tenant,
        component: Digest,
        reason: MissReason,
        now: Duration,
    ) -> Counted {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), component);
        if !counted.contains_key(&key) && counted.len() >= COMPONENTS {
            make_room(&mut counted);
        }
        let one = counted.entry(key).or_insert(Counted::begun(now));
        one.count(reason, now);
        *one
    }
}

/// Counts in a transaction of its own: a compilation takes a hundred times as long.
fn count_in_store(
    store: &mut Store,
    tenant: &Tenant,
    component: Digest,
    reason: MissReason,
    now: Duration,
) -> Result<Counted, StateError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(component.as_bytes());
    hasher.update(tenant.as_str().as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    let place = Place {
        kind: KIND,
        key,
        owner: i64::from(tenant_number(tenant)),
    };
    let mut counted = Counted::begun(now);
    let most = i64::try_from(COMPONENTS).unwrap_or(i64::MAX);
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    store.merge(&[place], most, now_s, |_, stored| {
        let stored = stored.and_then(Counted::decode);
        counted = stored.unwrap_or(counted);
        counted.count(reason, now);
        counted.encode()
    })?;
    Ok(counted)
}

impl Counted {
    fn begun(now: Duration) -> Self {
        Self {
            since: now,
            last: now,
            reasons: Default::default(),
        }
    }

    fn count(&mut self, reason: MissReason, now: Duration) {
        // A clock that went back begins anew.
        if now < self.since || now - self.since > SPAN {
            *self = Self::begun(now);
        }
        self.last = now;
        let count = &mut self.reasons[reason as usize];
        *count = count.saturating_add(1);
    }

    fn all(&self) -> u64 {
        let reasons = self.reasons.iter();
        reasons.fold(0, |all: u64, count| all.saturating_add(*count))
    }

    /// As bytes: when it began, and the counts.
    fn encode(&self) -> Vec<u8> {
        let numbers = [self.since.as_secs()].into_iter().chain(self.reasons);
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    /// From bytes; `None` if they are not what [`encode`](Self::encode) makes.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (since, reasons) = numbers.split_first()?;
        let since = Duration::from_secs(u64::from_le_bytes(*since));
        let reasons: [[u8; 8]; REASONS] = reasons.try_into().ok()?;
        rest.is_empty().then(|| Self {
            since,
            last: since,
            reasons: reasons.map(u64::from_le_bytes),
        })
    }

    fn alert(&self) -> Alert {
        let all = self.all();
        let seconds = self.last.saturating_sub(self.since).as_secs();
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

    fn never(error: StateError) {
        panic!("{error}");
    }

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
            storms.compiled(
                &tenant,
                digest(1),
                reason,
                Duration::from_secs(second),
                never,
            )
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
            let alert = storms.compiled(&Tenant::default(), digest(1), MissReason::New, now, never);
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
            let alert = storms.compiled(&Tenant::default(), digest(1), MissReason::New, now, never);
            alerts += alert.iter().count();
            for number in 0..500 {
                let _ = storms.compiled(&flood, digest(number), MissReason::New, now, never);
            }
        }
        assert_eq!(alerts, 1);
    }

    #[test]
    fn processes_that_compile_once_each_are_a_storm() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("state");
        let alerts = (0..20).filter_map(|second| {
            let store = Store::open(&directory).unwrap();
            let storms = Storms::new(Some(Arc::new(Mutex::new(store))));
            let now = Duration::from_secs(1_795_000_000 + second);
            storms.compiled(&Tenant::default(), digest(1), MissReason::New, now, never)
        });
        let alerts: Vec<Alert> = alerts.collect();
        assert_eq!(alerts.len(), 1);
        assert!(
            alerts[0].message.contains("8 times within 7 s"),
            "{}",
            alerts[0].message
        );
    }
}

//! Components that are compiled over and over: a cache that is too small, that is not kept, or that somebody misses on purpose.
//!
//! Compilations at the same time are one: none of them could have found what the others were making. So one is counted only where
//! it began after the last that was counted had ended.

use crate::metrics::MissReason;
use crate::store::{self, Place, Store, tenant_number};
use hotcell_model::digest::Digest;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::nanoseconds;
use hotcell_state::StateError;
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many compilations of one component for one tenant, within [`SPAN`] from the first of them, are a storm.
pub(crate) const STORM: u64 = 8;

/// How long compilations are counted together, from the first on. Then the count begins anew: the span does not slide.
pub(crate) const SPAN: Duration = Duration::from_secs(600);

/// How many components are counted at once.
const COMPONENTS: usize = 256;

/// Which rows of the store are counts of compilations.
const KIND: i64 = 2;

const REASONS: usize = MissReason::ALL.len();

/// What is counted of one component.
#[derive(Clone, Copy, Debug)]
struct Counted {
    /// When the first had ended.
    since: Duration,
    /// When the last had ended.
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

    /// Counts a compilation from when it was asked for to its end, since 1970. Says so once when it is one too many. That the store
    /// cannot be used is told to `failed`; where it is in use, the compilation is not counted, since nobody is to wait for that.
    pub(crate) fn compiled(
        &self,
        tenant: &Tenant,
        component: Digest,
        reason: MissReason,
        during: Range<Duration>,
        failed: impl FnOnce(StateError),
    ) -> Option<Alert> {
        let counted = match &self.store {
            Some(store) => {
                let mut store = store::try_lock(store)?;
                count_in_store(&mut store, tenant, component, reason, &during)
            }
            None => Ok(self.count_in_memory(tenant, component, reason, &during)),
        };
        let counted = counted.unwrap_or_else(|error| {
            failed(error);
            self.count_in_memory(tenant, component, reason, &during)
        });
        counted
            .filter(|counted| counted.all() == STORM)?
            .alert()
            .into()
    }

    /// What there is then; `None` if it does not count.
    fn count_in_memory(
        &self,
        tenant: &Tenant,
        component: Digest,
        reason: MissReason,
        during: &Range<Duration>,
    ) -> Option<Counted> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), component);
        if !counted.contains_key(&key) && counted.len() >= COMPONENTS {
            make_room(&mut counted);
        }
        let one = counted.entry(key).or_insert(Counted::begun(during.end));
        one.count(reason, during).then_some(*one)
    }
}

/// Counts in a transaction of its own: a compilation takes a hundred times as long.
fn count_in_store(
    store: &mut Store,
    tenant: &Tenant,
    component: Digest,
    reason: MissReason,
    during: &Range<Duration>,
) -> Result<Option<Counted>, StateError> {
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
    let mut counted = Counted::begun(during.end);
    let mut is_counted = false;
    let most = i64::try_from(COMPONENTS).unwrap_or(i64::MAX);
    let now_s = i64::try_from(during.end.as_secs()).unwrap_or(i64::MAX);
    store.merge(&[place], most, now_s, |_, stored| {
        let stored = stored.and_then(Counted::decode);
        counted = stored.unwrap_or(counted);
        is_counted = counted.count(reason, during);
        counted.encode()
    })?;
    Ok(is_counted.then_some(counted))
}

impl Counted {
    fn begun(now: Duration) -> Self {
        Self {
            since: now,
            last: now,
            reasons: Default::default(),
        }
    }

    /// Counts one. Says whether it counts.
    fn count(&mut self, reason: MissReason, during: &Range<Duration>) -> bool {
        // Also a clock that went back begins anew.
        if during.end.abs_diff(self.since) > SPAN {
            *self = Self::begun(during.end);
        }
        if self.all() > 0 && during.start < self.last {
            return false;
        }
        self.last = self.last.max(during.end);
        let count = &mut self.reasons[reason as usize];
        *count = count.saturating_add(1);
        true
    }

    fn all(&self) -> u64 {
        let reasons = self.reasons.iter();
        reasons.fold(0, |all: u64, count| all.saturating_add(*count))
    }

    /// As bytes: when the first and the last had ended, in nanoseconds, and the counts.
    fn encode(&self) -> Vec<u8> {
        let times = [self.since, self.last].map(nanoseconds);
        let numbers = times.into_iter().chain(self.reasons);
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    /// From bytes; `None` if they are not what [`encode`](Self::encode) makes.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let ([since, last], reasons) = numbers.split_first_chunk()?;
        let time = |bytes: &[u8; 8]| Duration::from_nanos(u64::from_le_bytes(*bytes));
        let reasons: [[u8; 8]; REASONS] = reasons.try_into().ok()?;
        rest.is_empty().then(|| Self {
            since: time(since),
            last: time(last),
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

    /// A compilation that took no time.
    fn at(time: Duration) -> Range<Duration> {
        time..time
    }

    #[test]
    fn compilations_at_the_same_time_are_one() {
        let base = tempfile::tempdir().unwrap();
        let store = Store::open(&base.path().join("state")).unwrap();
        let store = Some(Arc::new(Mutex::new(store)));
        for storms in [Storms::default(), Storms::new(store)] {
            let compiled = |during: Range<u64>| {
                let during = Duration::from_millis(during.start)..Duration::from_millis(during.end);
                storms
                    .compiled(
                        &Tenant::default(),
                        digest(1),
                        MissReason::New,
                        during,
                        never,
                    )
                    .is_some()
            };
            // Many commands that find the cache cold.
            let cold = (0..64).filter(|number| compiled(number % 8..700 + number));
            assert_eq!(cold.count(), 0);
            // Over and over, as many at once.
            let storm = (0..64).filter(|number| {
                let round = 1000 * (1 + number / 8);
                compiled(round..round + 500 + number % 8)
            });
            assert_eq!(storm.count(), 1);
        }
    }

    #[test]
    fn nobody_waits_for_a_store_that_is_in_use() {
        let base = tempfile::tempdir().unwrap();
        let store = Store::open(&base.path().join("state")).unwrap();
        let store = Arc::new(Mutex::new(store));
        let storms = Storms::new(Some(Arc::clone(&store)));
        let held = store.lock().unwrap();
        let now = at(Duration::from_secs(1_795_000_000));
        let alert = storms.compiled(&Tenant::default(), digest(1), MissReason::New, now, never);
        drop(held);
        assert_eq!(alert, None);
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
                at(Duration::from_secs(second)),
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
        for number in 0..100 {
            let now = SPAN * number / 6;
            let alert = storms.compiled(
                &Tenant::default(),
                digest(1),
                MissReason::New,
                at(now),
                never,
            );
            assert_eq!(alert, None, "{number}");
        }
    }

    #[test]
    fn a_tenant_who_compiles_much_hides_no_storm_of_another() {
        let storms = Storms::default();
        let flood: Tenant = "flood".parse().unwrap();
        let mut alerts = 0;
        for second in 0..STORM {
            let now = Duration::from_secs(second);
            let alert = storms.compiled(
                &Tenant::default(),
                digest(1),
                MissReason::New,
                at(now),
                never,
            );
            alerts += alert.iter().count();
            for number in 0..500 {
                let _ = storms.compiled(&flood, digest(number), MissReason::New, at(now), never);
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
            storms.compiled(
                &Tenant::default(),
                digest(1),
                MissReason::New,
                at(now),
                never,
            )
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

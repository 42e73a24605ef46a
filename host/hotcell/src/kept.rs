//! Bounded maps in which each tenant has a share, weighed in bytes.
//!
//! When a map is full, the value goes that was used longest ago of the tenant that has the most. So a tenant that
//! fills a map pushes out its own, and every tenant keeps what it has as long as that is no more than its equal
//! part.

pub(crate) mod awaited;
pub(crate) mod failures;
pub(crate) mod memory;

use crate::isolation::LoadedKey;
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What belongs to one tenant.
pub(crate) trait Owned {
    /// Whose it is.
    fn tenant(&self) -> &Tenant;
}

impl Owned for Tenant {
    fn tenant(&self) -> &Tenant {
        self
    }
}

impl Owned for LoadedKey {
    fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

impl<T> Owned for (Tenant, T) {
    fn tenant(&self) -> &Tenant {
        &self.0
    }
}

/// Which of `held` (whose, how much, when last used) goes first: of the tenant that has the most, the one used longest ago.
pub(crate) fn next_to_go<'a, U: Ord>(
    held: impl Iterator<Item = (&'a Tenant, u64, U)>,
) -> Option<usize> {
    let held: Vec<_> = held.collect();
    let mut sums = HashMap::<&Tenant, u64>::new();
    for (owner, weight, _) in &held {
        *sums.entry(owner).or_default() += weight;
    }
    let most = sums.values().max().copied()?;
    let of_most = held.iter().enumerate();
    let of_most = of_most.filter(|(_, (owner, ..))| sums.get(owner) == Some(&most));
    let oldest = of_most.min_by_key(|(_, (_, _, used))| used);
    oldest.map(|(position, _)| position)
}

/// A bounded map with a share for each tenant.
pub(crate) struct Kept<K, V>(Mutex<Used<K, V>>);

struct Used<K, V> {
    /// The most that all values weigh together.
    max_bytes: u64,
    /// What a value weighs besides its own bytes: an entry, descriptors. It bounds how many there are.
    each_bytes: u64,
    /// Counts uses.
    now: u64,
    values: HashMap<K, KeptValue<V>>,
}

struct KeptValue<V> {
    value: Arc<V>,
    bytes: u64,
    /// Its last use.
    used: u64,
}

impl<K: Hash + Eq + Clone + Owned, V> Kept<K, V> {
    /// Values that weigh `max_bytes` in all, and each at least `each_bytes`.
    pub(crate) fn new(max_bytes: u64, each_bytes: u64) -> Self {
        Self(Mutex::new(Used {
            max_bytes,
            each_bytes,
            now: 0,
            values: HashMap::new(),
        }))
    }

    /// At most so many values, whatever they weigh.
    #[cfg(feature = "in-process")]
    pub(crate) fn of_count(max: u64) -> Self {
        Self::new(max, 1)
    }

    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().get(key)
    }

    /// Keeps a value of so many bytes, if there is room for it in its tenant's share.
    pub(crate) fn insert(&self, key: K, value: Arc<V>, bytes: u64) {
        self.lock().insert(key, value, bytes);
    }

    /// The value of a key, made by `make` where there is none; `make` must be quick. It weighs nothing yet.
    pub(crate) fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut kept = self.lock();
        if let Some(known) = kept.get(key) {
            return known;
        }
        let made = Arc::new(make());
        kept.insert(key.clone(), Arc::clone(&made), 0);
        made
    }

    /// As [`Kept::get_or_insert`], where there may be nothing to keep.
    #[cfg(feature = "in-process")]
    pub(crate) fn get_or_try_insert<E>(
        &self,
        key: &K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        let mut kept = self.lock();
        if let Some(known) = kept.get(key) {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        kept.insert(key.clone(), Arc::clone(&made), 0);
        Ok(made)
    }

    /// Forgets the value of a key, if it is that one.
    #[cfg(feature = "in-process")]
    pub(crate) fn forget(&self, key: &K, value: &Arc<V>) {
        let mut kept = self.lock();
        if kept.get(key).is_some_and(|own| Arc::ptr_eq(&own, value)) {
            kept.values.remove(key);
        }
    }

    /// Says what a value weighs, if it is still kept.
    pub(crate) fn weigh(&self, key: &K, value: &Arc<V>, bytes: u64) {
        let mut kept = self.lock();
        if kept.get(key).is_some_and(|own| Arc::ptr_eq(&own, value)) {
            kept.insert(key.clone(), Arc::clone(value), bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Used<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone + Owned, V> Used<K, V> {
    fn get(&mut self, key: &K) -> Option<Arc<V>> {
        self.now += 1;
        let value = self.values.get_mut(key)?;
        value.used = self.now;
        Some(Arc::clone(&value.value))
    }

    fn insert(&mut self, key: K, value: Arc<V>, bytes: u64) {
        self.now += 1;
        let used = self.now;
        let value = KeptValue { value, bytes, used };
        self.values.insert(key, value);
        while self.weight() > self.max_bytes && self.forget_one() {}
    }

    fn weight(&self) -> u64 {
        let bytes = self.values.values().map(|value| self.weight_of(value));
        bytes.fold(0, u64::saturating_add)
    }

    fn weight_of(&self, value: &KeptValue<V>) -> u64 {
        self.each_bytes.saturating_add(value.bytes)
    }

    fn forget_one(&mut self) -> bool {
        let held = self.values.iter();
        let held = held.map(|(key, value)| (key.tenant(), self.weight_of(value), value.used));
        let key = next_to_go(held).and_then(|position| self.values.keys().nth(position).cloned());
        key.is_some_and(|key| self.values.remove(&key).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = Kept<(Tenant, u64), u64>;

    fn key(tenant: &str, number: u64) -> (Tenant, u64) {
        (tenant.parse().unwrap(), number)
    }

    fn insert(kept: &Numbers, tenant: &str, number: u64, bytes: u64) {
        kept.insert(key(tenant, number), Arc::new(number), bytes);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes() {
        let kept = Numbers::new(64, 1);
        (0..64).for_each(|number| insert(&kept, "a", number, 0));
        assert_eq!(kept.get(&key("a", 0)).as_deref(), Some(&0));
        insert(&kept, "a", 64, 0);
        assert_eq!(kept.get(&key("a", 1)), None);
        assert_eq!(kept.get(&key("a", 0)).as_deref(), Some(&0));
    }

    #[test]
    fn a_tenant_that_fills_it_pushes_out_its_own() {
        let kept = Numbers::new(1000, 1);
        insert(&kept, "b", 0, 300);
        (0..100).for_each(|number| insert(&kept, "a", number, 99));
        assert!(kept.get(&key("b", 0)).is_some());
        assert_eq!(kept.lock().values.len(), 7);
        // What is larger than all of it is not kept, and costs nobody else.
        insert(&kept, "a", 1000, 2000);
        assert_eq!(kept.get(&key("a", 1000)), None);
        assert!(kept.get(&key("b", 0)).is_some());
        // Beyond its part a tenant makes room for others.
        insert(&kept, "b", 1, 600);
        insert(&kept, "c", 0, 300);
        assert_eq!(kept.get(&key("b", 0)), None);
        assert!(kept.get(&key("c", 0)).is_some());
    }

    #[test]
    fn a_value_weighs_what_is_said_later() {
        let kept = Numbers::new(100, 1);
        let first = kept.get_or_insert(&key("a", 0), || 0);
        let second = kept.get_or_insert(&key("a", 1), || 1);
        kept.weigh(&key("a", 0), &first, 60);
        kept.weigh(&key("a", 1), &second, 60);
        assert_eq!(kept.get(&key("a", 0)), None);
        // It is another's by now.
        let again = kept.get_or_insert(&key("a", 0), || 0);
        kept.weigh(&key("a", 0), &first, 60);
        assert_eq!(kept.lock().weight(), 62);
        drop(again);
    }
}

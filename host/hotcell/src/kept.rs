//! A bounded map that forgets what was used longest ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most values that one map keeps.
const KEPT: usize = 64;

/// A bounded map that forgets what was used longest ago.
pub(crate) struct Kept<K, V>(Mutex<Used<K, V>>);

struct Used<K, V> {
    /// Counts uses.
    now: u64,
    /// Each value with its last use.
    values: HashMap<K, (u64, Arc<V>)>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Used {
            now: 0,
            values: HashMap::new(),
        }))
    }
}

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().get(key)
    }

    pub(crate) fn insert(&self, key: K, value: Arc<V>) {
        self.lock().insert(key, value);
    }

    /// The value of a key, made by `make` where there is none; `make` must be quick.
    pub(crate) fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut kept = self.lock();
        if let Some(known) = kept.get(key) {
            return known;
        }
        let made = Arc::new(make());
        kept.insert(key.clone(), Arc::clone(&made));
        made
    }

    fn lock(&self) -> MutexGuard<'_, Used<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone, V> Used<K, V> {
    fn get(&mut self, key: &K) -> Option<Arc<V>> {
        self.now += 1;
        let (used, value) = self.values.get_mut(key)?;
        *used = self.now;
        Some(Arc::clone(value))
    }

    fn insert(&mut self, key: K, value: Arc<V>) {
        self.now += 1;
        if self.values.len() >= KEPT && !self.values.contains_key(&key) {
            let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.values.remove(&oldest);
            }
        }
        self.values.insert(key, (self.now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes() {
        let kept: Kept<usize, usize> = Kept::default();
        for key in 0..KEPT {
            kept.insert(key, Arc::new(key));
        }
        assert_eq!(kept.get(&0).as_deref(), Some(&0));
        kept.insert(KEPT, Arc::new(KEPT));
        assert_eq!(kept.get(&1), None);
        assert_eq!(kept.get(&0).as_deref(), Some(&0));
    }
}

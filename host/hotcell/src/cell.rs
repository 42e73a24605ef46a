//! The cell: one host for launches, with its isolation, cache and audit.

use crate::artifacts::{ArtifactCache, CacheError};
use crate::audit::{Audit, NoAudit};
use crate::component::Component;
use crate::isolation::{Isolate, Loaded};
use crate::places::Places;
use hotcell_model::component::{Description, Refusal};
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::Grants;
use hotcell_model::limit::Limits;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Components described and artifacts loaded that a cell keeps in memory, each.
const KEPT: usize = 64;

/// A host for launches. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cell {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) isolation: Box<dyn Isolate>,
    pub(crate) cache: Result<ArtifactCache, String>,
    pub(crate) audit: Arc<dyn Audit>,
    descriptions: Kept<Digest, Description>,
    pub(crate) loaded: Kept<LoadedKey, Mutex<Option<Prepared>>>,
}

/// A loaded kernel, with the size of the artifact that it was loaded from.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) loaded: Arc<dyn Loaded>,
    pub(crate) artifact_bytes: u64,
}

/// What a loaded kernel is shared by. The tenant is part of it: nothing is shared across tenants.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct LoadedKey {
    pub(crate) component: Digest,
    pub(crate) tenant: Tenant,
    pub(crate) metering: Metering,
    pub(crate) grants: Grants,
}

/// A cell cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The cache's directory or key cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Sets up a [`Cell`].
pub struct CellBuilder {
    isolation: Box<dyn Isolate>,
    places: Option<Places>,
    cache_bytes: u64,
    audit: Arc<dyn Audit>,
}

#[cfg(feature = "in-process")]
impl Cell {
    /// Begins a cell that compiles and runs kernels inside this process. The Wasm sandbox is the only wall:
    /// a bug in the compiler or the runtime is a bug in the caller.
    ///
    /// Defaults: 16 slots, 64 MiB kept resident in each, no cache on disk, no audit.
    pub fn in_process() -> CellBuilder {
        Self::in_process_with(hotcell_runner::RunnerConfig::default())
    }

    fn in_process_with(config: hotcell_runner::RunnerConfig) -> CellBuilder {
        CellBuilder {
            isolation: Box::new(crate::in_process::InProcess::new(config)),
            places: None,
            cache_bytes: ArtifactCache::DEFAULT_MAX_BYTES,
            audit: Arc::new(NoAudit),
        }
    }

    /// As [`Cell::in_process`], with the number of chunks that can be alive at once, and the bytes of each
    /// slot's memory that stay mapped between launches.
    pub fn in_process_with_slots(slots: u32, keep_resident_bytes: usize) -> CellBuilder {
        Self::in_process_with(hotcell_runner::RunnerConfig {
            slots,
            keep_resident_bytes,
        })
    }
}

impl CellBuilder {
    /// Keeps artifacts on disk in those places.
    #[must_use]
    pub fn cache(mut self, places: Places) -> Self {
        self.places = Some(places);
        self
    }

    /// The size that the cache on disk is pruned to. Default 1 GiB.
    #[must_use]
    pub fn cache_bytes(mut self, max_bytes: u64) -> Self {
        self.cache_bytes = max_bytes;
        self
    }

    /// Who is told of every launch.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn Audit>) -> Self {
        self.audit = audit;
        self
    }

    /// Sets the cell up.
    ///
    /// # Errors
    /// The cache's directory or key is not the user's own, or cannot be made.
    pub fn build(self) -> Result<Cell, SetupError> {
        let cache = match &self.places {
            Some(places) => Ok(ArtifactCache::open(places, self.cache_bytes)?),
            None => Err("the cache on disk is off".to_owned()),
        };
        Ok(Cell {
            inner: Arc::new(Inner {
                isolation: self.isolation,
                cache,
                audit: self.audit,
                descriptions: Kept::default(),
                loaded: Kept::default(),
            }),
        })
    }
}

impl Cell {
    /// What keeps launches apart from this process.
    pub fn isolation(&self) -> Isolation {
        self.inner.isolation.kind()
    }

    /// The cache on disk, where there is one.
    pub fn artifact_cache(&self) -> Option<&ArtifactCache> {
        self.inner.cache.as_ref().ok()
    }

    /// Reads a component without running it.
    ///
    /// # Errors
    /// It is no kernel component, or more than the limits allow.
    pub fn describe(
        &self,
        component: &Component,
        limits: &Limits,
    ) -> Result<Arc<Description>, Refusal> {
        let digest = component.digest();
        let known = self.inner.descriptions.get(&digest);
        // A description made under wider limits does not speak for these.
        if let Some(known) = known.filter(|known| counts_fit(known, limits)) {
            return Ok(known);
        }
        let description = self.inner.isolation.describe(component.bytes(), limits)?;
        let description = Arc::new(description);
        self.inner
            .descriptions
            .insert(digest, Arc::clone(&description));
        Ok(description)
    }
}

/// Whether what was counted is within `limits`.
fn counts_fit(description: &Description, limits: &Limits) -> bool {
    use hotcell_model::limit::Limit;
    let counts = &description.counts;
    [
        (Limit::ComponentBytes, counts.component_bytes),
        (Limit::Functions, counts.functions),
        (Limit::FunctionBytes, counts.largest_function_bytes),
        (Limit::FunctionLocals, counts.most_locals),
        (Limit::BrTableTargets, counts.most_br_table_targets),
        (Limit::Nesting, counts.deepest_nesting),
        (Limit::Types, counts.types),
        (Limit::Items, counts.items),
    ]
    .into_iter()
    .all(|(limit, count)| count <= limits.get(limit))
}

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
    fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().get(key)
    }

    fn insert(&self, key: K, value: Arc<V>) {
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

/// A fresh id.
pub(crate) fn new_run_id() -> RunId {
    let mut bytes = [0; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    // Sixteen bytes are never cut short once the kernel's pool is ready, which the call waits for.
    let _ = rustix::rand::getrandom(&mut bytes[..], flags);
    RunId::from_bytes(bytes)
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

    #[test]
    fn run_ids_differ() {
        assert_ne!(new_run_id(), new_run_id());
    }
}

//! The cell: one host for launches, with its isolation, cache and audit.

use crate::artifacts::{ArtifactCache, CacheError};
use crate::audit::{Audit, Verb};
use crate::awaited::Awaited;
use crate::component::Component;
use crate::diagnosis::{Diagnosis, GpuDiagnosis};
use crate::failed::{FailedBefore, Tried};
use crate::host_memory::HostMemory;
use crate::isolation::{Isolate, Loaded, Order, Waiting, Worked};
use crate::kept::{Kept, Owned};
use crate::permit::About;
use crate::request::Request;
use hotcell_model::component::Description;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::Grants;
use hotcell_model::limit::Limits;
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::shader::Shader;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;
use std::time::Instant;

/// A host for launches. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cell {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) isolation: Box<dyn Isolate>,
    pub(crate) cache: Result<ArtifactCache, String>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) descriptions: Kept<(Tenant, Digest), Description>,
    pub(crate) loaded: Kept<LoadedKey, Awaited<Prepared>>,
    pub(crate) failed: FailedBefore,
    pub(crate) memory: HostMemory,
}

/// The most bytes of artifacts that stay loaded in memory.
const LOADED_BYTES: u64 = 1 << 30;
/// What each weighs at least: it holds a descriptor, of which a process has about a thousand.
const LOADED_EACH_BYTES: u64 = 8 << 20;
/// The most bytes of descriptions that are kept.
const DESCRIPTIONS_BYTES: u64 = 64 << 20;
/// What each weighs at least.
const DESCRIPTIONS_EACH_BYTES: u64 = 64 << 10;

/// A loaded kernel, with the size of the artifact that it was loaded from.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) loaded: Arc<dyn Loaded>,
    pub(crate) artifact_bytes: u64,
}

/// What a loaded kernel is shared by. The tenant is part of it: nothing is shared across tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoadedKey {
    pub(crate) component: Digest,
    pub(crate) tenant: Tenant,
    pub(crate) metering: Metering,
    pub(crate) grants: Grants,
}

impl Owned for LoadedKey {
    fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

impl Prepared {
    /// What other launches share of it.
    pub(crate) fn shared(&self) -> Self {
        Self {
            loaded: Arc::clone(&self.loaded).shared(),
            artifact_bytes: self.artifact_bytes,
        }
    }
}

/// A cell cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The cache's directory or key cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The worker programs are not where they should be, or not to be trusted.
    #[cfg(feature = "confined")]
    #[error(transparent)]
    Workers(#[from] crate::confined::ProgramError),
}

impl Inner {
    pub(crate) fn new(
        isolation: Box<dyn Isolate>,
        cache: Result<ArtifactCache, String>,
        audit: Arc<dyn Audit>,
        memory: HostMemory,
    ) -> Self {
        Self {
            isolation,
            cache,
            audit,
            descriptions: Kept::new(DESCRIPTIONS_BYTES, DESCRIPTIONS_EACH_BYTES),
            loaded: Kept::new(LOADED_BYTES, LOADED_EACH_BYTES),
            failed: FailedBefore::default(),
            memory,
        }
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
    /// It is no kernel component, or more than the limits allow, or nothing here could read it.
    pub fn describe(
        &self,
        component: &Component,
        limits: &Limits,
    ) -> Result<Arc<Description>, Outcome> {
        let about = About {
            limits: limits.clone(),
            ..self.about(component, &Request::new())
        };
        self.recorded(Verb::Describe, about, |about| {
            self.described(component, about, &StopSignal::default())
        })
    }

    /// A component's description, from memory or read now. What it takes is charged to whom it is for.
    pub(crate) fn described(
        &self,
        component: &Component,
        about: &mut About,
        stop: &StopSignal,
    ) -> Result<Arc<Description>, Outcome> {
        let worked = self.describe_now(component, about.order(stop));
        about.spent.charge(worked)
    }

    fn describe_now(&self, component: &Component, order: Order<'_>) -> Worked<Arc<Description>> {
        let digest = component.digest();
        let key = (order.tenant.clone(), digest);
        let known = self.inner.descriptions.get(&key);
        // A description made under wider limits does not speak for these.
        if let Some(known) = known.filter(|known| counts_fit(known, order.limits)) {
            return Ok(known).into();
        }
        let tried = Tried::describing(digest, order.tenant, order.limits);
        if let Some(outcome) = self.inner.failed.find(&tried, Instant::now()) {
            return Worked {
                is_remembered: true,
                ..Err(outcome).into()
            };
        }
        let worked = self.inner.isolation.describe(component, order);
        if let Err(outcome) = &worked.result {
            self.inner
                .failed
                .note_described(tried, outcome, Instant::now());
        }
        worked.and_then(|description| {
            let description = Arc::new(description);
            let (kept, bytes) = (Arc::clone(&description), weight(&description));
            self.inner.descriptions.insert(key, kept, bytes);
            Ok(description)
        })
    }

    /// How many launches of a tenant wait for a worker now.
    pub fn waiting(&self, tenant: &Tenant) -> Waiting {
        self.inner.isolation.waiting(tenant)
    }

    /// Has real workers of each kind try, after lockdown, what they must not be able to do; `component` is
    /// any kernel, for a runner locks only with an artifact loaded.
    ///
    /// # Errors
    /// The isolation has no walls, or no worker could be brought to the point of trying.
    pub fn doctor(&self, component: &Component) -> Result<Diagnosis, Outcome> {
        let about = self.about(component, &Request::new());
        let diagnose = |_: &mut About| self.inner.isolation.diagnose(component);
        self.recorded(Verb::Diagnose, about, diagnose)
    }

    /// As [`Cell::doctor`], for GPU workers: starting each opens the device, which takes a while.
    ///
    /// # Errors
    /// The isolation has no walls, or there is no device.
    pub fn doctor_gpu(&self) -> Result<GpuDiagnosis, Outcome> {
        let mut about = self.about(&Component::new(Vec::new()), &Request::new());
        about.component.digest = None;
        let diagnose = |_: &mut About| self.inner.isolation.diagnose_gpu();
        self.recorded(Verb::Diagnose, about, diagnose)
    }
}

/// About what a description takes in memory: its manifest is one of the custom sections, and each import has a name.
fn weight(description: &Description) -> u64 {
    let names = description
        .imports
        .iter()
        .map(|import| 64 + import.name.len() as u64);
    let counts = &description.counts;
    let shaders = description.shaders.iter().map(Shader::weight_bytes);
    let extents = 24 * (counts.memories.len() + counts.tables.len()) as u64;
    names.sum::<u64>() + shaders.sum::<u64>() + extents + 4 * counts.custom_bytes
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
    fn run_ids_differ() {
        assert_ne!(new_run_id(), new_run_id());
    }
}

//! The cell: one host for launches, with its isolation, cache and audit.

pub(crate) mod builder;

use crate::artifacts::{ArtifactCache, CacheError};
use crate::component::Component;
use crate::isolation::{Isolate, Loaded, LoadedKey, Pools, Waiting};
use crate::kept::Kept;
use crate::kept::awaited::Awaited;
use crate::kept::failures::FailedBefore;
use crate::kept::memory::HostMemory;
use crate::policy::Policy;
use hotcell_model::accounts::Accounts;
use hotcell_model::audit::Audit;
use hotcell_model::component::Description;
use hotcell_model::digest::Digest;
use hotcell_model::profile::Isolation;
use hotcell_model::tenant::Tenant;
use hotcell_model::watch::Watch;
use std::sync::Arc;

/// A host for launches. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cell {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) isolation: Box<dyn Isolate>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) cache: Result<ArtifactCache, String>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) accounts: Option<Arc<dyn Accounts>>,
    /// Components that their tenants can name by digest.
    pub(crate) components: Kept<(Tenant, Digest), Component>,
    pub(crate) descriptions: Kept<(Tenant, Digest), Description>,
    pub(crate) loaded: Kept<LoadedKey, Awaited<Prepared>>,
    pub(crate) failed: FailedBefore,
    pub(crate) memory: HostMemory,
}

/// The most bytes of artifacts that stay loaded in memory.
const LOADED_BYTES: u64 = 1 << 30;
/// What each weighs at least: it holds a descriptor, of which a process has about a thousand.
const LOADED_EACH_BYTES: u64 = 8 << 20;
/// The most bytes of components that are kept to be named.
const COMPONENTS_BYTES: u64 = 512 << 20;
/// What each weighs at least.
const COMPONENTS_EACH_BYTES: u64 = 64 << 10;
/// The most bytes of descriptions that are kept.
const DESCRIPTIONS_BYTES: u64 = 64 << 20;
/// What each weighs at least.
const DESCRIPTIONS_EACH_BYTES: u64 = 64 << 10;

/// A loaded kernel, with the size of the artifact that it was loaded from.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) loaded: Arc<dyn Loaded>,
    pub(crate) artifact_bytes: u64,
    /// The artifact's key.
    pub(crate) artifact: Option<Digest>,
}

impl Prepared {
    /// What other launches share of it.
    pub(crate) fn shared(&self) -> Self {
        Self {
            loaded: Arc::clone(&self.loaded).shared(),
            artifact_bytes: self.artifact_bytes,
            artifact: self.artifact,
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
        policy: Arc<dyn Policy>,
        cache: Result<ArtifactCache, String>,
        audit: Arc<dyn Audit>,
        watch: Arc<dyn Watch>,
        accounts: Option<Arc<dyn Accounts>>,
        memory: HostMemory,
    ) -> Self {
        Self {
            isolation,
            policy,
            cache,
            audit,
            watch,
            accounts,
            components: Kept::new(COMPONENTS_BYTES, COMPONENTS_EACH_BYTES),
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

    /// A component of that digest that was [described for](Cell::describe_for) the tenant; `None` where there is none, or others
    /// have taken its place since.
    pub fn component(&self, tenant: &Tenant, digest: Digest) -> Option<Component> {
        let found = self.inner.components.get(&(tenant.clone(), digest))?;
        Some(Component::clone(&found))
    }

    /// How busy the workers are, of all tenants; nothing in in-process isolation.
    pub fn pools(&self) -> Pools {
        self.inner.isolation.pools()
    }

    /// How many launches of a tenant wait for a worker now.
    pub fn waiting(&self, tenant: &Tenant) -> Waiting {
        self.inner.isolation.waiting(tenant)
    }
}

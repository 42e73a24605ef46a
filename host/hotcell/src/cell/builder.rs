//! Setting a cell up: its isolation, its cache, who is told.

use crate::artifacts::ArtifactCache;
use crate::cell::{Cell, Inner, SetupError};
#[cfg(feature = "confined")]
use crate::confined::{ConfinedIsolation, Settings, Spares};
use crate::isolation::Isolate;
use crate::kept::memory::HostMemory;
use crate::places::Places;
use crate::policy::{Policy, Terms};
use crate::seed::Seed;
use hotcell_model::accounts::Accounts;
use hotcell_model::audit::{Audit, NoAudit};
use hotcell_model::gpu::GpuDevice;
use hotcell_model::watch::Watch;
use std::sync::Arc;

/// Sets up a [`Cell`].
pub struct CellBuilder {
    isolation: Choice,
    places: Option<Places>,
    cache_bytes: u64,
    policy: Arc<dyn Policy>,
    audit: Arc<dyn Audit>,
    watch: Arc<dyn Watch>,
    accounts: Option<Arc<dyn Accounts>>,
    gpu: GpuDevice,
    host_memory: Option<(u64, u64)>,
}

/// The isolation that was chosen, with its settings.
enum Choice {
    #[cfg(feature = "in-process")]
    InProcess(hotcell_runner::RunnerConfig),
    #[cfg(feature = "confined")]
    Confined(Settings),
}

#[cfg(feature = "confined")]
impl Cell {
    /// Begins a cell that compiles each component in a confined process of its own, and runs kernels in
    /// others, which no two tenants share.
    ///
    /// Defaults: workers beside this program or in `../libexec/hotcell`, tier
    /// [`full`](hotcell_model::layer::Tier::Full) required, two runners for each core, as many threads in each
    /// as there are cores, 1024 launches of each tenant waiting, as many compilations at once as there are cores but
    /// at least two, and one fewer for any tenant, 500 ms from the interrupt to the kill, spare workers; no cache on disk, no audit.
    pub fn confined() -> CellBuilder {
        CellBuilder::new(Choice::Confined(Settings::default()))
    }
}

#[cfg(feature = "in-process")]
impl Cell {
    /// Begins a cell that compiles and runs kernels inside this process. The Wasm sandbox is the only wall:
    /// a bug in the compiler or the runtime is a bug in the caller.
    ///
    /// Defaults: 16 slots, 64 MiB kept resident in each, no cache on disk, no audit.
    pub fn in_process() -> CellBuilder {
        CellBuilder::new(Choice::InProcess(hotcell_runner::RunnerConfig::default()))
    }

    /// As [`Cell::in_process`], with the number of chunks that can be alive at once, and the bytes of each
    /// slot's memory that stay mapped between launches.
    pub fn in_process_with_slots(slots: u32, keep_resident_bytes: usize) -> CellBuilder {
        CellBuilder::new(Choice::InProcess(hotcell_runner::RunnerConfig {
            slots,
            keep_resident_bytes,
            ..Default::default()
        }))
    }
}

impl CellBuilder {
    /// Copies every array into guests and out of them, however large: what mapping them saves is measured against it.
    #[doc(hidden)]
    #[must_use]
    pub fn without_mapping(mut self) -> Self {
        match &mut self.isolation {
            #[cfg(feature = "confined")]
            Choice::Confined(settings) => settings.map_from_bytes = usize::MAX,
            #[cfg(feature = "in-process")]
            Choice::InProcess(config) => config.map_from_bytes = usize::MAX,
        }
        self
    }

    fn new(isolation: Choice) -> Self {
        Self {
            isolation,
            places: None,
            cache_bytes: ArtifactCache::DEFAULT_MAX_BYTES,
            policy: Arc::new(Terms::default()),
            audit: Arc::new(NoAudit),
            watch: Arc::new(Seed),
            accounts: None,
            gpu: GpuDevice::default(),
            host_memory: None,
        }
    }

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

    /// What is granted to whom, and within which ceilings. Default [`Terms::default`] for everybody: `log` and `control`.
    #[must_use]
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Who is told of every launch.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn Audit>) -> Self {
        self.audit = audit;
        self
    }

    /// Who watches everything that is asked of the cell. Default: an alert for a compilation that takes more than ten times the
    /// CPU time that code of its size usually takes.
    #[must_use]
    pub fn watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// Who keeps the budgets over time that the policy gives tenants. Default nobody: a tenant that has any is refused then.
    #[must_use]
    pub fn accounts(mut self, accounts: Arc<dyn Accounts>) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// The devices that GPU work may go to, where a launch is granted any. Default [`GpuDevice::Any`].
    #[must_use]
    pub fn gpu(mut self, device: GpuDevice) -> Self {
        self.gpu = device;
        self
    }

    /// The memory of the host that the arrays of all launches may take at once, and those of one tenant's. What a
    /// launch has given back, its results, is the caller's and not counted. Default: three quarters of the machine's
    /// memory, and two thirds of that for one tenant.
    #[must_use]
    pub fn host_memory(mut self, bytes: u64, for_one_tenant: u64) -> Self {
        self.host_memory = Some((bytes, for_one_tenant));
        self
    }

    /// Sets the cell up.
    ///
    /// # Errors
    /// The cache's directory or key is not the user's own, or cannot be made; or the worker programs are not
    /// to be found, or not to be trusted.
    pub fn build(self) -> Result<Cell, SetupError> {
        let cache = match &self.places {
            Some(places) => Ok(ArtifactCache::open(places, self.cache_bytes)?),
            None => Err("the cache on disk is off".to_owned()),
        };
        let isolation: Box<dyn Isolate> = match self.isolation {
            #[cfg(feature = "in-process")]
            Choice::InProcess(config) => {
                Box::new(crate::in_process::InProcess::new(config, self.gpu))
            }
            #[cfg(feature = "confined")]
            Choice::Confined(settings) => Box::new(ConfinedIsolation::start(Settings {
                gpu: self.gpu,
                ..settings
            })?),
        };
        let (bytes, for_one_tenant) = self.host_memory.unwrap_or_else(|| {
            let bytes = HostMemory::default_ceiling_bytes();
            (bytes, bytes / 3 * 2)
        });
        let memory = HostMemory::new(bytes, for_one_tenant);
        Ok(Cell {
            inner: Arc::new(Inner::new(
                isolation,
                self.policy,
                cache,
                self.audit,
                self.watch,
                self.accounts,
                memory,
            )),
        })
    }
}

/// Settings of confined isolation. In-process isolation has none of these, and does not heed them.
#[cfg(feature = "confined")]
impl CellBuilder {
    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        match &mut self.isolation {
            Choice::Confined(settings) => set(settings),
            #[cfg(feature = "in-process")]
            Choice::InProcess(_) => {}
        }
        self
    }

    /// The directory of the worker programs `hotcell-compiler`, `hotcell-runner` and `hotcell-gpu`. Default: that of the
    /// current executable, else `../libexec/hotcell` from there.
    #[must_use]
    pub fn workers(self, directory: impl Into<std::path::PathBuf>) -> Self {
        self.set(|settings| settings.workers = Some(directory.into()))
    }

    /// A file of this very program, such as the library that holds this code: whoever can write to it can have anything done
    /// in this process's name, and so the worker programs may be theirs, too. Default none: they must belong to root or to this
    /// user, and nobody else may be able to write to them.
    ///
    /// For programs that are installed where a group may write, as Python's packages can be.
    #[must_use]
    pub fn workers_as_trusted_as(self, file: impl Into<std::path::PathBuf>) -> Self {
        self.set(|settings| settings.trusted = Some(file.into()))
    }

    /// The least that the walls must be: below it nothing starts. Default
    /// [`full`](hotcell_model::layer::Tier::Full).
    #[must_use]
    pub fn require_tier(self, tier: hotcell_model::layer::Tier) -> Self {
        self.set(|settings| settings.required = tier)
    }

    /// The most runners at once, at least 1. Each serves one launch at a time. Default: two for each core.
    #[must_use]
    pub fn max_runners(self, runners: usize) -> Self {
        self.set(|settings| settings.max_runners = runners.max(1))
    }

    /// The most GPU workers at once, at least 1. Each serves one tenant, and one launch at a time. Default 4.
    #[must_use]
    pub fn max_gpu_workers(self, workers: usize) -> Self {
        self.set(|settings| settings.max_gpu_workers = workers.max(1))
    }

    /// The most runners that serve one tenant at once, at least 1. Default: all of them, while nobody else waits;
    /// whoever waits gets the next that is free. With fewer, launches that run for long leave other tenants some.
    #[must_use]
    pub fn runners_per_tenant(self, runners: usize) -> Self {
        self.set(|settings| settings.runners_per_tenant = runners.max(1))
    }

    /// The most GPU workers that serve one tenant at once, at least 1. Default: all of them, while nobody else waits.
    #[must_use]
    pub fn gpu_workers_per_tenant(self, workers: usize) -> Self {
        self.set(|settings| settings.gpu_workers_per_tenant = workers.max(1))
    }

    /// Threads in each runner, and the most chunks of one launch that run at once: 1 to 16. Default: the
    /// number of cores.
    #[must_use]
    pub fn runner_threads(self, threads: usize) -> Self {
        self.set(|settings| settings.runner_threads = threads.clamp(1, Settings::MAX_THREADS))
    }

    /// The most launches of one tenant that wait for a runner, for a GPU worker, and for their turn at a compile
    /// process. Beyond it they end as `budget`. Default 1024. Sixteen times as many of all tenants together wait,
    /// unless [`queue_in_all`](Self::queue_in_all) says otherwise, afterwards.
    #[must_use]
    pub fn queue(self, waiting: usize) -> Self {
        self.set(|settings| {
            settings.queue = waiting;
            settings.queue_in_all = waiting.saturating_mul(Settings::LINES);
        })
    }

    /// The most launches of all tenants together that wait for each kind of worker. Beyond it a launch of the tenant
    /// that has the most of them waiting ends as `budget`. Default: sixteen times what one tenant may have.
    #[must_use]
    pub fn queue_in_all(self, waiting: usize) -> Self {
        self.set(|settings| settings.queue_in_all = waiting)
    }

    /// The most compile processes at once, over all tenants and for one; at least 1 each. Default: the number
    /// of cores, at least 2, and one fewer than there are cores for one tenant, so that a tenant whose compilations never end leaves others a
    /// core.
    #[must_use]
    pub fn compilers(self, in_all: usize, for_one_tenant: usize) -> Self {
        self.set(|settings| {
            settings.compilers = in_all.max(1);
            settings.compilers_per_tenant = for_one_tenant.clamp(1, settings.compilers);
        })
    }

    /// The time from the moment at which a runner should have stopped a launch to the moment at which it is
    /// killed. Default 500 ms.
    #[must_use]
    pub fn kill_grace(self, grace: std::time::Duration) -> Self {
        self.set(|settings| settings.kill_grace = grace.min(crate::request::LONGEST_GRACE))
    }

    /// Whether one compile process and one runner wait, started beforehand, so that work rarely pays for a
    /// start. Default yes.
    #[must_use]
    pub fn spares(self, spares: bool) -> Self {
        self.set(|settings| {
            settings.spares = match spares {
                true => Spares::Kept,
                false => Spares::None,
            };
        })
    }

    /// For a program that launches once and ends: nothing is started for launches to come, only what the launch under way
    /// needs next.
    #[must_use]
    pub fn for_one_launch(self) -> Self {
        self.set(|settings| settings.spares = Spares::Ahead)
    }
}

//! What an embedder chooses of confined isolation.

use super::turns::Bounds;
use hotcell_model::gpu::GpuDevice;
use hotcell_model::job::MAP_FROM_BYTES;
use hotcell_model::layer::Tier;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of confined isolation; `CellBuilder` documents each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) workers: Option<PathBuf>,
    pub(crate) trusted: Option<PathBuf>,
    pub(crate) required: Tier,
    pub(crate) max_runners: usize,
    pub(crate) runners_per_tenant: usize,
    pub(crate) runner_threads: usize,
    pub(crate) max_gpu_workers: usize,
    pub(crate) gpu_workers_per_tenant: usize,
    pub(crate) gpu: GpuDevice,
    pub(crate) queue: usize,
    pub(crate) queue_in_all: usize,
    pub(crate) compilers: usize,
    pub(crate) compilers_per_tenant: usize,
    pub(crate) kill_grace: Duration,
    pub(crate) spares: Spares,
    pub(crate) map_from_bytes: usize,
}

/// Which workers are started before anybody asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spares {
    /// None.
    None,
    /// Those that the launch under way needs next.
    Ahead,
    /// One of each kind, always.
    Kept,
}

impl Settings {
    /// The most chunks of a launch: more threads would have nothing to do.
    pub(crate) const MAX_THREADS: usize = 16;
    /// How many full lines of one tenant all lines together hold, unless told otherwise.
    pub(crate) const LINES: usize = 16;

    pub(crate) fn compilers(&self) -> Bounds {
        self.bounds(self.compilers, self.compilers_per_tenant)
    }

    pub(crate) fn runners(&self) -> Bounds {
        self.bounds(self.max_runners, self.runners_per_tenant)
    }

    pub(crate) fn gpu_workers(&self) -> Bounds {
        self.bounds(self.max_gpu_workers, self.gpu_workers_per_tenant)
    }

    fn bounds(&self, total: usize, per_tenant: usize) -> Bounds {
        Bounds {
            total,
            per_tenant: per_tenant.clamp(1, total),
            queue: self.queue,
            queue_in_all: self.queue_in_all,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers: None,
            trusted: None,
            required: Tier::Full,
            max_runners: (2 * cores).max(2),
            runners_per_tenant: usize::MAX,
            runner_threads: cores.min(Self::MAX_THREADS),
            max_gpu_workers: 4,
            gpu_workers_per_tenant: usize::MAX,
            gpu: GpuDevice::Any,
            queue: 1024,
            queue_in_all: Self::LINES * 1024,
            // One more than a tenant can have.
            compilers: cores.max(2),
            compilers_per_tenant: cores.saturating_sub(1).max(1),
            kill_grace: Duration::from_millis(500),
            spares: Spares::Kept,
            map_from_bytes: MAP_FROM_BYTES,
        }
    }
}

//! What an embedder chooses of confined isolation.

use crate::gpu::GpuDevice;
use hotcell_model::layer::Tier;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of confined isolation; `CellBuilder` documents each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) workers: Option<PathBuf>,
    pub(crate) required: Tier,
    pub(crate) max_runners: usize,
    pub(crate) runner_threads: usize,
    pub(crate) max_gpu_workers: usize,
    pub(crate) gpu: GpuDevice,
    pub(crate) queue: usize,
    pub(crate) compilers: usize,
    pub(crate) compilers_per_tenant: usize,
    pub(crate) kill_grace: Duration,
    pub(crate) spares: bool,
}

impl Settings {
    /// The most chunks of a launch: more threads would have nothing to do.
    pub(crate) const MAX_THREADS: usize = 16;
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers: None,
            required: Tier::Full,
            max_runners: (2 * cores).max(2),
            runner_threads: cores.min(Self::MAX_THREADS),
            max_gpu_workers: 4,
            gpu: GpuDevice::Any,
            queue: 1024,
            compilers: cores,
            compilers_per_tenant: cores.saturating_sub(1).max(1),
            kill_grace: Duration::from_millis(500),
            spares: true,
        }
    }
}

//! An engine with its pool of slots, and artifacts made runnable in it.

use crate::guest::Guest;
use crate::imports;
use crate::ticker::Ticker;
use hotcell_engine::config;
use hotcell_model::component::{ENTRIES, PACKAGE_VERSION};
use hotcell_model::grant::Grants;
use hotcell_model::limit::Limit;
use hotcell_model::profile::Metering;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How a runner keeps its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerConfig {
    /// Chunks that can be alive at once, over all launches. Default 16; the slots only reserve
    /// address space.
    pub slots: u32,
    /// Bytes of a slot's memory that stay mapped when it is reset, so that the next launch finds warm
    /// pages. Default 64 MiB. Resetting overwrites what the last launch touched, with zeros.
    pub keep_resident_bytes: usize,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            slots: 16,
            keep_resident_bytes: 64 << 20,
        }
    }
}

/// Runs kernels of one metering mode.
pub struct Runner {
    pub(crate) engine: Engine,
    pub(crate) metering: Metering,
    pub(crate) ticker: Ticker,
}

/// The engine cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the engine could not be set up: {0}")]
pub struct SetupError(String);

/// An artifact cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It was made for another engine: compile the component again.
    #[error("the artifact does not fit this engine: {0}")]
    Mismatch(String),
    /// The component's imports or exports do not have the types they should.
    #[error("the component does not fit this host's interfaces: {0}")]
    Interfaces(String),
}

/// A component made runnable under a set of grants.
pub struct LoadedKernel {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) launch: ComponentExportIndex,
}

impl Runner {
    /// Sets up an engine and its pool.
    ///
    /// # Errors
    /// The machine does not give the address space, or the thread that ticks.
    pub fn new(metering: Metering, runner: RunnerConfig) -> Result<Self, SetupError> {
        let mut config = config(metering);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(runner)));
        let engine = Engine::new(&config).map_err(|error| SetupError(format!("{error:#}")))?;
        let ticker =
            Ticker::start(engine.clone()).map_err(|error| SetupError(error.to_string()))?;
        Ok(Self {
            engine,
            metering,
            ticker,
        })
    }

    /// Makes an artifact runnable with what `grants` allow.
    ///
    /// # Errors
    /// The artifact is another engine's, or the component's interfaces are not this host's.
    ///
    /// # Safety
    /// An artifact is machine code, and running it runs it. `artifact` must be bytes that this host's
    /// compiler returned, unchanged; the caller answers for that.
    pub unsafe fn load(&self, artifact: &[u8], grants: &Grants) -> Result<LoadedKernel, LoadError> {
        // SAFETY: the caller vouches for the bytes, as this function's contract demands.
        let component = unsafe { Component::deserialize(&self.engine, artifact) }
            .map_err(|error| LoadError::Mismatch(format!("{error:#}")))?;
        let interfaces = |error: wasmtime::Error| LoadError::Interfaces(format!("{error:#}"));
        let linker = imports::linker(&self.engine, grants).map_err(interfaces)?;
        let pre = linker.instantiate_pre(&component).map_err(interfaces)?;
        let launch = find_launch(&component).ok_or_else(|| {
            LoadError::Interfaces(format!(
                "`{ENTRIES}@{PACKAGE_VERSION}` has no function `launch`"
            ))
        })?;
        // The first instantiation would otherwise make the copy-on-write images.
        let _ = component.initialize_copy_on_write_image();
        Ok(LoadedKernel { pre, launch })
    }
}

fn find_launch(component: &Component) -> Option<ComponentExportIndex> {
    let entries = component.get_export_index(None, &*format!("{ENTRIES}@{PACKAGE_VERSION}"))?;
    component.get_export_index(Some(&entries), "launch")
}

/// A pool of `slots` component instances. What one component may hold of each thing is the ceiling of
/// that limit; what a launch may hold is the limiter's to say.
fn pool(runner: RunnerConfig) -> PoolingAllocationConfig {
    let ceiling = |limit: Limit| u32::try_from(limit.ceiling()).unwrap_or(u32::MAX);
    let bytes = |limit: Limit| usize::try_from(limit.ceiling()).unwrap_or(usize::MAX);
    // An SDK component has three core instances (one with code, two of adapter glue), one memory and
    // two tables; slots beyond that serve components by other hands.
    let slots = runner.slots;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(4).max(ceiling(Limit::Instances)))
        .total_memories(slots.max(ceiling(Limit::Memories)))
        .total_tables(slots.saturating_mul(2).max(ceiling(Limit::Tables)))
        .max_core_instances_per_component(ceiling(Limit::Instances))
        .max_memories_per_component(ceiling(Limit::Memories))
        .max_tables_per_component(ceiling(Limit::Tables))
        .max_memories_per_module(ceiling(Limit::Memories))
        .max_tables_per_module(ceiling(Limit::Tables))
        .table_elements(bytes(Limit::TableElements))
        .max_memory_size(bytes(Limit::Memory))
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_unused_warm_slots(slots)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(runner.keep_resident_bytes)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

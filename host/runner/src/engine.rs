//! An engine with its pool of slots, and artifacts made runnable in it.

use crate::crew::{Crew, prepare_thread};
use crate::guest::random::draw_secret;
use crate::guest::{Guest, imports};
use crate::ticker::Ticker;
use hotcell_engine::config;
use hotcell_model::component::{ENTRIES, entries_names};
use hotcell_model::job::{MAP_FROM_BYTES, Split};
use hotcell_model::profile::Metering;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime::{
    Config, CustomCodeMemory, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};

/// Opens what is needed to find the pages that a launch has touched, where the machine has it. To be called
/// while a process can still open files.
pub fn open_pagemap() {
    let _ = PoolingAllocationConfig::is_pagemap_scan_available();
}

/// The unit of a linear memory's size.
const WASM_PAGE_BYTES: u64 = 64 << 10;

/// How a runner keeps its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerConfig {
    /// Chunks that can be alive at once, over all launches. Default 16; the slots only reserve
    /// address space.
    pub slots: u32,
    /// Bytes of a slot's memory that stay mapped when it is reset, so that the next launch finds warm
    /// pages. Default 64 MiB. Resetting overwrites what the last launch touched, with zeros.
    pub keep_resident_bytes: usize,
    /// Ranges of arrays from this size on are mapped into a guest's memory where they can be, in place of a copy.
    /// Default 256 KiB; `usize::MAX` copies everything, which is of use to measure what mapping brings.
    pub map_from_bytes: usize,
    /// Threads that run chunks, over all launches, the callers' own included. Default the number of cores, at
    /// most [`Split::MAX_CHUNKS`].
    pub threads: usize,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            slots: 16,
            keep_resident_bytes: 64 << 20,
            map_from_bytes: MAP_FROM_BYTES,
            threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

/// Runs kernels of one metering mode.
pub struct Runner {
    pub(crate) engine: Engine,
    pub(crate) metering: Metering,
    pub(crate) map_from_bytes: usize,
    pub(crate) ticker: Ticker,
    pub(crate) crew: Crew,
    /// What random bytes come from where there is no seed.
    pub(crate) secret: [u8; 32],
    /// Counts launches whose random bytes come from the secret.
    pub(crate) launches: AtomicU64,
}

/// The engine cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the engine could not be set up: {0}")]
pub struct EngineError(String);

/// An artifact cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It was made for another engine: compile the component again.
    #[error("the artifact does not fit this engine: {0}")]
    Mismatch(String),
    /// The component holds more of something than a slot of this engine has room for.
    #[error("the component is larger than this host's runners: {0}")]
    TooLarge(String),
    /// The component's imports or exports do not have the types they should.
    #[error("the component does not fit this host's interfaces: {0}")]
    Interfaces(String),
}

/// A component made runnable under a set of grants.
pub struct LoadedKernel {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) launch: ComponentExportIndex,
    /// The largest memory that an instance has from its start.
    pub(crate) initial_memory_bytes: u64,
}

impl Runner {
    /// Sets up an engine and its pool.
    ///
    /// # Errors
    /// The machine does not give the address space, or the thread that ticks.
    pub fn new(metering: Metering, runner: RunnerConfig) -> Result<Self, EngineError> {
        Self::set_up(config(metering), metering, runner)
    }

    /// As [`Runner::new`], for one artifact whose code `memory` makes executable; every thread is started
    /// now and prepared, so that launches need no system call that running a guest does not need.
    ///
    /// # Errors
    /// As [`Runner::new`].
    pub fn with_code_memory(
        metering: Metering,
        runner: RunnerConfig,
        memory: Arc<dyn CustomCodeMemory>,
    ) -> Result<Self, EngineError> {
        let mut config = config(metering);
        config.with_custom_code_memory(Some(memory));
        let runner = Self::set_up(config, metering, runner)?;
        if let Err(error) = runner.crew.start_all() {
            // The threads that there are cannot end any more, under a filter that has no call for it.
            std::mem::forget(runner);
            return Err(EngineError(format!(
                "a thread could not be started: {error}"
            )));
        }
        prepare_thread();
        Ok(runner)
    }

    fn set_up(
        mut config: Config,
        metering: Metering,
        runner: RunnerConfig,
    ) -> Result<Self, EngineError> {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(runner)));
        let engine = Engine::new(&config).map_err(|error| EngineError(format!("{error:#}")))?;
        let io = |error: std::io::Error| EngineError(error.to_string());
        let secret = draw_secret().map_err(io)?;
        let most = usize::try_from(Split::MAX_CHUNKS).unwrap_or(usize::MAX);
        Ok(Self {
            ticker: Ticker::start(engine.clone()).map_err(io)?,
            crew: Crew::new(runner.threads.clamp(1, most) - 1),
            secret,
            launches: AtomicU64::new(0),
            engine,
            metering,
            map_from_bytes: runner.map_from_bytes,
        })
    }

    /// Looks at the epoch's guests now: whoever is to be stopped stops, without waiting for the next tick.
    pub fn interrupt(&self) {
        self.engine.increment_epoch();
    }

    /// Makes an artifact runnable. What its guests may call is each launch's own: the job's grants.
    ///
    /// # Errors
    /// The artifact is another engine's, or the component's interfaces are not this host's.
    ///
    /// # Safety
    /// An artifact is machine code, and running it runs it. `artifact` must be bytes that this host's
    /// compiler returned, unchanged; the caller answers for that.
    pub unsafe fn load(&self, artifact: &[u8]) -> Result<LoadedKernel, LoadError> {
        // SAFETY: the caller vouches for the bytes, as this function's contract demands.
        let component = unsafe { Component::deserialize(&self.engine, artifact) };
        self.link(component)
    }

    /// As [`Runner::load`], from memory that becomes the code itself.
    ///
    /// # Errors
    /// As [`Runner::load`].
    ///
    /// # Safety
    /// As [`Runner::load`]; and the memory stays as it is for as long as the process lives.
    pub unsafe fn load_in_place(&self, artifact: NonNull<[u8]>) -> Result<LoadedKernel, LoadError> {
        // SAFETY: the caller vouches for the bytes and for the memory's life.
        let component = unsafe { Component::deserialize_raw(&self.engine, artifact) };
        self.link(component)
    }

    fn link(&self, component: wasmtime::Result<Component>) -> Result<LoadedKernel, LoadError> {
        let component = component.map_err(|error| unloadable(&error))?;
        let interfaces = |error: wasmtime::Error| LoadError::Interfaces(format!("{error:#}"));
        let linker = imports::linker(&self.engine, &component).map_err(interfaces)?;
        let pre = linker.instantiate_pre(&component).map_err(interfaces)?;
        let launch = find_launch(&component).ok_or_else(|| {
            LoadError::Interfaces(format!("`{ENTRIES}` has no function `launch`"))
        })?;
        // The first instantiation would otherwise make the copy-on-write images.
        let _ = component.initialize_copy_on_write_image();
        let pages = component
            .resources_required()
            .and_then(|required| required.max_initial_memory_size)
            .unwrap_or(0);
        Ok(LoadedKernel {
            pre,
            launch,
            initial_memory_bytes: pages.saturating_mul(WASM_PAGE_BYTES),
        })
    }
}

/// Why wasmtime does not take an artifact. What is too large for a slot it says in words only, so the words are
/// read; a test fails should a new version change them.
fn unloadable(error: &wasmtime::Error) -> LoadError {
    let words = format!("{error:#}");
    match words.contains("exceeds the") {
        true => LoadError::TooLarge(words),
        false => LoadError::Mismatch(words),
    }
}

fn find_launch(component: &Component) -> Option<ComponentExportIndex> {
    let entries = entries_names().find_map(|name| component.get_export_index(None, &*name))?;
    component.get_export_index(Some(&entries), "launch")
}

/// A pool as the engine profile has it, with what stays mapped between launches.
fn pool(runner: RunnerConfig) -> PoolingAllocationConfig {
    let mut pool = hotcell_engine::pool(runner.slots);
    pool.max_unused_warm_slots(runner.slots)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(runner.keep_resident_bytes)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

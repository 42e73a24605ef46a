//! One device: an adapter of the machine, opened once, with the pipelines made on it.
//!
//! A device serves one tenant. Whatever goes wrong on it is an answer and never a panic: wgpu's errors are
//! taken in scopes, a loss is kept. A device that was lost, or that did not finish in time, is not used again;
//! whoever owns it opens another. Nothing of the machine's names reaches a guest.

mod adapter;
mod fault;
mod pipeline;
mod turns;

pub(crate) use adapter::{
    BINDING_ALIGNMENT, GUEST_GROUPS, GUEST_SLOTS, HOST_STORAGE_BUFFERS, HOST_UNIFORM_BUFFERS,
};
pub(crate) use fault::{DeviceFault, printable};
pub(crate) use pipeline::{Pipeline, PipelineKey, PreparedShader};
pub use turns::TURNS_TRIED;

use fault::Faults;
use hotcell_model::gpu::{GpuDevice, GpuProperties};
use hotcell_shader::panics;
use pipeline::Pipelines;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The machine has no adapter of that kind, or none with room for the buffers of the host's.
    #[error("no {} adapter", match .0 { GpuDevice::Any => "Vulkan", GpuDevice::Software => "software Vulkan", GpuDevice::Nothing => "no-device" })]
    NoAdapter(GpuDevice),
    /// The adapter did not open, in the driver's words.
    #[error("the adapter did not open: {0}")]
    Refused(String),
    /// It opened, and did not do a first piece of work.
    #[error("the device does not work: {0}")]
    Broken(String),
}

/// What ends a loop that would run for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopBounding {
    /// Fuel alone: the pass leaves no loop that is neither finite nor metered.
    Fuel,
    /// Fuel, and naga's own count of 2⁶⁴ iterations in each loop.
    Naga,
}

impl LoopBounding {
    /// What is in force. Naga's count bounds nothing in practice and costs an addition in every iteration; it
    /// is there to keep drivers from reasoning about endless loops, and fuel leaves none.
    pub const IN_FORCE: Self = Self::Fuel;
}

/// What wgpu panics with where two threads look at one queue: it takes a queue that the other one found empty for a
/// contradiction to what it saw before. Nothing is held by then, and nothing is wrong with the device.
const OVERTAKEN: &str = "If the queue is empty, the current submission index";

/// How a wait went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// What was waited for is done.
    Done,
    /// Not yet.
    Pending,
    /// It never will be.
    Lost(String),
}

/// What a device runs at once, at most: bounds that no device reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) invocations: u64,
    pub(crate) workgroups: u64,
}

/// A device and what was made on it.
#[derive(Debug)]
pub struct Device {
    wgpu: wgpu::Device,
    queue: wgpu::Queue,
    driver: String,
    is_software: bool,
    is_nothing: bool,
    properties: GpuProperties,
    limits: wgpu::Limits,
    meter_layout: wgpu::BindGroupLayout,
    pipelines: Pipelines,
    faults: Arc<Faults>,
    is_stuck: AtomicBool,
    turns_limit: Option<u32>,
    /// Processors of the machine.
    processors: u64,
}

impl Device {
    /// Opens the best adapter of that choice, and measures how long its loops may be.
    ///
    /// # Errors
    /// There is none, it does not open, or it computes what is wrong.
    pub fn open(choice: GpuDevice) -> Result<Self, DeviceError> {
        let adapter = adapter::pick(choice)?;
        let descriptor = wgpu::DeviceDescriptor {
            label: None,
            required_features: adapter::features(&adapter),
            required_limits: adapter::limits(&adapter),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (wgpu, queue) = fault::now(adapter.request_device(&descriptor))
            .ok_or_else(|| DeviceError::Refused("it did not answer".into()))?
            .map_err(|error| DeviceError::Refused(printable(&error.to_string())))?;
        let faults = Arc::new(Faults::default());
        listen(&wgpu, &faults);
        let info = adapter.get_info();
        let meter_layout = fault::guarded(&wgpu, || pipeline::meter_layout(&wgpu))
            .map_err(|fault| DeviceError::Broken(fault.to_string()))?;
        let mut device = Self {
            properties: adapter::properties(&wgpu),
            limits: wgpu.limits(),
            driver: printable(&format!(
                "{} ({} {})",
                info.name, info.driver, info.driver_info
            )),
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            is_nothing: choice == GpuDevice::Nothing,
            wgpu,
            queue,
            meter_layout,
            pipelines: Pipelines::default(),
            faults,
            is_stuck: AtomicBool::new(false),
            turns_limit: None,
            processors: processors(),
        };
        device.turns_limit = turns::measure(&device).map_err(DeviceError::Broken)?;
        Ok(device)
    }

    /// The adapter and its driver, for the host's eyes only.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Whether it runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.is_software
    }

    /// What it runs at once, at most.
    pub(crate) fn room(&self) -> Room {
        match self.is_software {
            // lavapipe has a thread for each processor, and each has a workgroup.
            true => Room {
                invocations: 1 << 12,
                workgroups: self.processors,
            },
            false => Room {
                invocations: 1 << 20,
                workgroups: 1 << 16,
            },
        }
    }

    /// Whether dispatches have no effect on it.
    pub(crate) fn is_nothing(&self) -> bool {
        self.is_nothing
    }

    /// What guests are told.
    pub fn properties(&self) -> &GpuProperties {
        &self.properties
    }

    /// The turns after which it ends a loop by itself, as measured; `None` where it made all of [`TURNS_TRIED`], or
    /// executes nothing.
    pub fn turns_limit(&self) -> Option<u32> {
        self.turns_limit
    }

    /// Whether it was lost or did not finish in time. It is not to be used again.
    pub fn is_lost(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire) || self.faults.lost().is_some()
    }

    /// Why it was lost.
    pub(crate) fn lost(&self) -> Option<String> {
        self.faults.lost()
    }

    /// Marks it as busy with work that nobody waits for any more.
    pub(crate) fn give_up(&self) {
        self.is_stuck.store(true, Ordering::Release);
    }

    pub(crate) fn wgpu(&self) -> &wgpu::Device {
        &self.wgpu
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    pub(crate) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    pub(crate) fn meter_layout(&self) -> &wgpu::BindGroupLayout {
        &self.meter_layout
    }

    /// Does `work` with the device. Where that panics the device's state is not known: it is lost.
    pub(crate) fn caught<T>(&self, work: impl FnOnce() -> T) -> Result<T, DeviceFault> {
        panics::caught(work).map_err(|panic| self.lose(&panic))
    }

    fn lose(&self, panic: &str) -> DeviceFault {
        self.faults.lose(&format!("a panic: {panic}"));
        self.give_up();
        DeviceFault::Lost(self.lost().unwrap_or_default())
    }

    /// Does `work` and says what the device thought of it.
    pub(crate) fn guarded<T>(&self, work: impl FnOnce() -> T) -> Result<T, DeviceFault> {
        let value = self.caught(|| fault::guarded(&self.wgpu, work))??;
        match self.lost() {
            Some(reason) => Err(DeviceFault::Lost(reason)),
            None => Ok(value),
        }
    }

    /// The pipeline of that key, made by `prepare` where there is none.
    pub(crate) fn pipeline<E: From<DeviceFault>>(
        &self,
        key: PipelineKey,
        prepare: impl FnOnce() -> Result<PreparedShader, E>,
    ) -> Result<Arc<Pipeline>, E> {
        if let Some(pipeline) = self.pipelines.get(&key) {
            return Ok(pipeline);
        }
        let pipeline = Arc::new(pipeline::compile(self, prepare()?)?);
        self.pipelines.keep(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Waits for a submission, at most so long. `None` looks without waiting, at everything submitted.
    pub(crate) fn poll(&self, wait: Option<(&wgpu::SubmissionIndex, Duration)>) -> Polled {
        let poll_type = match wait {
            Some((index, timeout)) => wgpu::PollType::Wait {
                submission_index: Some(index.clone()),
                timeout: Some(timeout),
            },
            None => wgpu::PollType::Poll,
        };
        let polled = match panics::caught(|| self.wgpu.poll(poll_type)) {
            // Another session's look found the work done meanwhile: the next of this one will, too.
            Err(panic) if panic.starts_with(OVERTAKEN) => return Polled::Pending,
            // wgpu panics where a driver reports the loss of its device to a wait.
            polled => polled.map_err(|panic| self.lose(&panic)),
        };
        if let Some(reason) = self.lost() {
            return Polled::Lost(reason);
        }
        match polled {
            Ok(Ok(wgpu::PollStatus::Poll) | Err(wgpu::PollError::Timeout)) => Polled::Pending,
            Ok(Ok(_)) => Polled::Done,
            Ok(Err(error)) => Polled::Lost(printable(&error.to_string())),
            Err(fault) => Polled::Lost(fault.to_string()),
        }
    }
}

impl Drop for Device {
    /// The driver waits for its work before it lets go: a device that is stuck is never let go of.
    fn drop(&mut self) {
        if self.is_stuck.load(Ordering::Acquire) {
            std::mem::forget((self.wgpu.clone(), self.queue.clone()));
        }
    }
}

/// Processors that are online: no fewer than a driver has threads.
fn processors() -> u64 {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let last = online.trim().rsplit(['-', ',']).next();
    let counted = last
        .and_then(|last| last.parse::<u64>().ok())
        .map(|last| last + 1);
    let available = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    counted.unwrap_or(64).max(available)
}

/// Keeps what happens outside any scope.
fn listen(device: &wgpu::Device, faults: &Arc<Faults>) {
    let lost = Arc::clone(faults);
    device.set_device_lost_callback(move |_, reason| lost.lose(&reason));
    // An error that nobody took is a fault of ours after which the device's state is not known.
    let stray = Arc::clone(faults);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        stray.lose(&format!("a stray error: {error}"));
    }));
}

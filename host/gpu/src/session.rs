//! One launch's work on a device: commands are checked, charged, done and answered, one after the other.
//!
//! A command is hostile input. What it names must exist, what it asks for must fit in what it names and in the
//! launch's limits, and all of that is settled before the device hears of it: a refused command has changed nothing.
//! Nothing waits beyond the launch's deadline. Once a session is over, for whatever reason, every command says so.

mod batch;
mod bind;
mod compile;
mod encode;
mod failure;
mod fuel;
mod kernel;
mod landing;
mod lane;
mod meters;
mod plan;
mod price;
mod profile;
mod quota;
mod range;
mod ring;
mod things;
#[cfg(feature = "unchecked")]
mod unchecked;
mod warm;

use crate::device::Device;
use batch::{Recorded, Unsettled};
use failure::SessionFailure;
use hotcell_model::gpu::{
    GpuAnswer, GpuCommand, GpuEnd, GpuError, GpuId, GpuProperties, GpuUsage, NamedShader,
};
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::stop::StopSignal;
use landing::{Output, SessionLanding};
use lane::Lane;
use meters::Meters;
use profile::DispatchProfile;
use quota::Quotas;
use std::sync::Arc;
use std::time::{Duration, Instant};
use things::{DeviceBuffer, Thing, Things};

/// An array that a session reads from.
type Input = Box<dyn AsRef<[u8]> + Send + Sync>;

/// How long a device may go on with work of a launch that was told to stop before it is given up.
const STOPPING: Duration = Duration::from_secs(1);

/// What is checked about a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Everything.
    Full,
    /// That it is valid: neither admission nor fuel. For tests of containment alone.
    #[cfg(feature = "unchecked")]
    None,
}

/// What a launch brings to its session.
pub struct SessionOrder {
    /// The launch's limits.
    pub limits: Limits,
    /// When everything is over.
    pub deadline: Instant,
    /// Whether the launch is to stop.
    pub signal: Arc<StopSignal>,
    /// Whether fuel and time of each dispatch are reported exactly.
    pub has_profile: bool,
    /// The shaders of the component.
    pub shaders: Vec<NamedShader>,
    /// Whether shaders may be made of text that is said.
    pub has_text: bool,
    /// Arrays that the session shares, by their position in the job's list of those that are read.
    pub inputs: Vec<Option<Input>>,
    /// Arrays that the session shares, by their position in the job's list of those that are written.
    pub outputs: Vec<Option<Output>>,
    /// What is checked.
    pub checks: Checks,
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// What the launch used.
    pub usage: GpuUsage,
    /// Why it was over before its launch was.
    pub end: Option<GpuEnd>,
}

/// One launch's work on a device.
pub struct Session {
    device: Arc<Device>,
    checks: Checks,
    has_profile: bool,
    deadline: Instant,
    inputs: Vec<Option<Input>>,
    quotas: Quotas,
    things: Things,
    lane: Lane,
    meters: Meters,
    shaders: Vec<NamedShader>,
    has_text: bool,
    /// What was said of the next one.
    said: String,
    recorded: Recorded,
    unsettled: Option<Unsettled>,
    /// What dispatches took, if that is noted.
    profile: DispatchProfile,
    usage: GpuUsage,
    /// Where what was used so far is written, and how often it was.
    ledger: (Option<Output>, u64),
    end: Option<GpuEnd>,
}

impl Session {
    /// Begins a launch's work. Nothing is charged yet.
    pub fn begin(device: &Arc<Device>, order: SessionOrder) -> Self {
        let landing = SessionLanding::new(order.outputs);
        Self {
            device: Arc::clone(device),
            checks: order.checks,
            has_profile: order.has_profile,
            deadline: order.deadline,
            inputs: order.inputs,
            quotas: Quotas::new(&order.limits),
            things: Things::default(),
            lane: Lane::new(
                Arc::clone(device),
                order.deadline,
                order.limits.duration(Limit::Timeout),
                order.signal,
                landing,
            ),
            meters: Meters::default(),
            shaders: order.shaders,
            has_text: order.has_text,
            said: String::new(),
            recorded: Recorded::default(),
            unsettled: None,
            profile: DispatchProfile::default(),
            usage: GpuUsage::default(),
            ledger: (None, 0),
            end: None,
        }
    }

    /// Keeps what was used so far in that memory of [`LEDGER_BYTES`](hotcell_model::gpu::LEDGER_BYTES), for whoever
    /// has to do without the session's end.
    pub fn keep_ledger(&mut self, ledger: Output) {
        self.ledger = (Some(ledger), 0);
        self.publish();
    }

    /// Writes what was used so far, before what may take long.
    fn publish(&mut self) {
        let usage = self.figures();
        let (Some(ledger), number) = (&mut self.ledger.0, &mut self.ledger.1) else {
            return;
        };
        *number += 1;
        let written = usage.to_ledger(*number);
        if let Some(place) = ledger.as_mut().as_mut().get_mut(..written.len()) {
            place.copy_from_slice(&written);
        }
    }

    /// Does a command and answers it.
    pub fn command(&mut self, command: GpuCommand) -> GpuAnswer {
        if let Some(end) = &self.end {
            return GpuAnswer::Ended(end.clone());
        }
        let device = Arc::clone(&self.device);
        let done = device.caught(|| {
            self.lane.check_stop()?;
            self.execute(command)
        });
        // A panic is the end of the session and of its device.
        match done.unwrap_or_else(|fault| Err(fault.into())) {
            Ok(answer) => answer,
            Err(failure) => {
                if let SessionFailure::Over(end) = &failure {
                    self.end = Some(end.clone());
                }
                failure.into()
            }
        }
    }

    fn execute(&mut self, command: GpuCommand) -> Result<GpuAnswer, SessionFailure> {
        self.lane.observe(&mut self.quotas);
        self.publish();
        match command {
            GpuCommand::Open => Ok(GpuAnswer::Properties(self.properties())),
            GpuCommand::LowerLimit { limit, value } => {
                self.quotas.lower(limit, value)?;
                Ok(GpuAnswer::Done)
            }
            GpuCommand::CreateBuffer { size_bytes } => self.create_buffer(size_bytes),
            GpuCommand::WriteBuffer {
                buffer,
                offset_bytes,
                data,
            } => self.write_buffer(buffer, offset_bytes, &data.0),
            GpuCommand::ReadBuffer {
                buffer,
                offset_bytes,
                len_bytes,
            } => self.read_buffer(buffer, offset_bytes, len_bytes),
            GpuCommand::Shader(piece) => self.say(&piece),
            GpuCommand::CreateKernel {
                shader,
                entry,
                constants,
            } => self.create_kernel(&shader, &entry, &constants),
            GpuCommand::Bind { kernel, bindings } => self.bind(kernel, &bindings),
            GpuCommand::Record(steps) => self.record(steps),
            GpuCommand::Submit { steps, wait } => self.submit(steps, wait),
            GpuCommand::Wait(submission) => self.wait(submission),
            GpuCommand::Drop(thing) => self.drop_thing(thing),
        }
    }

    /// What the device offers, as far as the launch's limits let it.
    fn properties(&self) -> GpuProperties {
        let offered = *self.device.properties();
        let most_bytes = u32::try_from(self.quotas.workgroup_bytes.maximum()).unwrap_or(u32::MAX);
        GpuProperties {
            max_workgroup_bytes: offered.max_workgroup_bytes.min(most_bytes),
            ..offered
        }
    }

    fn create_buffer(&mut self, size_bytes: u64) -> Result<GpuAnswer, SessionFailure> {
        let most = self.device.limits().max_buffer_size;
        let Some(held_bytes) = range::held(size_bytes).filter(|held| *held <= most) else {
            let wrong = format!("a buffer of {size_bytes} bytes: at most {most} are allowed");
            return Err(GpuError::Misuse(wrong).into());
        };
        if self.quotas.buffers.check(1).is_err() && self.lane.has_releases() {
            self.settle()?;
        }
        self.quotas.buffers.check(1)?;
        self.charge_bytes(held_bytes)?;
        let fuel = price::of_clear(held_bytes);
        let has_fuel = self.check_fuel(fuel);
        match has_fuel.and_then(|()| self.make_buffer(size_bytes, held_bytes)) {
            Ok(id) => {
                self.quotas.buffers.charge_unchecked(1);
                self.charge_static(fuel);
                Ok(GpuAnswer::Created(id))
            }
            Err(failure) => {
                self.quotas.bytes.release(held_bytes);
                Err(failure)
            }
        }
    }

    fn make_buffer(&mut self, size_bytes: u64, held_bytes: u64) -> Result<GpuId, SessionFailure> {
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: held_bytes,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let raw = self
            .device
            .guarded(|| self.device.wgpu().create_buffer(&descriptor))?;
        let id = self.things.fresh()?;
        let buffer = DeviceBuffer::new(id, raw, size_bytes);
        self.things.insert(id, Thing::Buffer(Arc::new(buffer)));
        Ok(id)
    }

    fn drop_thing(&mut self, id: GpuId) -> Result<GpuAnswer, SessionFailure> {
        match self.things.remove(id)? {
            Thing::Buffer(buffer) => self.let_go(buffer),
            Thing::BindSet(bind_set) => {
                let buffers = Arc::into_inner(bind_set).map(|bind_set| bind_set.buffers);
                buffers
                    .into_iter()
                    .flatten()
                    .for_each(|buffer| self.let_go(buffer));
            }
            Thing::Submission(submission) => self.forget(submission),
            Thing::Kernel(_) => {}
        }
        Ok(GpuAnswer::Done)
    }

    /// Gives a buffer back when this was its last holder.
    fn let_go(&mut self, buffer: Arc<DeviceBuffer>) {
        if let Some(buffer) = Arc::into_inner(buffer) {
            let (after, bytes) = (buffer.last_use(), buffer.held_bytes);
            drop(buffer);
            self.lane.release_after(after, bytes, &mut self.quotas);
        }
    }

    /// Waits until the device is idle, as long as the deadline lets it, and says what was used.
    pub fn finish(mut self) -> SessionEnd {
        let device = Arc::clone(&self.device);
        let settled = device.caught(|| {
            if self.end.is_none() {
                self.end = self.settle().err();
            }
            if self.end.is_some() {
                self.calm();
            }
        });
        if let Err(fault) = settled {
            self.end.get_or_insert(failure::end_of(fault));
        }
        let (usage, mut end) = (self.usage(), self.end.take());
        if let Err(fault) = device.caught(|| drop(self)) {
            end.get_or_insert(failure::end_of(fault));
        }
        SessionEnd { usage, end }
    }

    /// Leaves an idle device behind a session that is over, or gives the device up.
    fn calm(&self) {
        let latest = self.deadline.min(Instant::now() + STOPPING);
        if !self.device.is_lost() && !self.lane.is_idle_by(latest) {
            self.device.give_up();
        }
    }

    fn usage(&mut self) -> GpuUsage {
        let (profile, kernels) = self.profile.take();
        GpuUsage {
            profile,
            kernels,
            ..self.figures()
        }
    }

    /// What was used so far, without a profile.
    fn figures(&self) -> GpuUsage {
        let (quotas, usage) = (&self.quotas, &self.usage);
        GpuUsage {
            fuel_bound: usage.fuel_bound,
            fuel_static: usage.fuel_static,
            fuel_dynamic: usage.fuel_dynamic,
            is_fuel_exhausted: usage.is_fuel_exhausted,
            dispatches: quotas.dispatches.total(),
            invocations: quotas.invocations.total(),
            peak_bytes: quotas.bytes.peak(),
            buffers: quotas.buffers.total(),
            pipelines: quotas.pipelines.total(),
            bind_sets: quotas.bind_sets.total(),
            shader_bytes: quotas.shader_bytes.total(),
            time_ns: quotas.time.total(),
            profile: Vec::new(),
            kernels: Vec::new(),
        }
    }
}

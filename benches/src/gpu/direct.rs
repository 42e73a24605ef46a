//! The device as a program would drive it that trusts its shaders: wgpu alone, with nothing of hotcell around it.

use super::form::Form;
use anyhow::{Context, Result, anyhow};
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::manifest::Weight;
use hotcell_shader::admission::{AdmissionLimits, Admitted, BindingAccess, BindingUse};
use hotcell_shader::fuel::{
    self, FuelOptions, METER_BYTES, METER_GROUP, METER_SLOT, POOL_BYTES, POOL_SLOT, TERMS_BYTES,
    TERMS_SLOT,
};
use rustix::time::{ClockId, clock_gettime};
use std::borrow::Cow;
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;
use wgpu::{BufferUsages, DeviceType, Features};

/// The device that a cell would choose, opened once more.
pub(super) struct Direct {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter and its driver.
    pub(super) name: String,
    /// Whether shaders run on this process's own threads.
    pub(super) is_software: bool,
    meter_layout: wgpu::BindGroupLayout,
}

/// What a shader's buffers are bound by, and its pipelines are made for.
pub(super) struct Layout {
    /// By group; `None` where the shader uses none.
    pub(super) groups: Vec<Option<wgpu::BindGroupLayout>>,
}

/// A shader in one form.
pub(super) struct Shader {
    module: wgpu::naga::Module,
    has_meter: bool,
}

/// A shader compiled in one form.
pub(super) struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    /// Whether a meter must be bound.
    pub(super) has_meter: bool,
}

/// After how many turns lavapipe ends the loops of an invocation.
const LAVAPIPE_TURNS: u32 = 65_535;

impl Direct {
    /// Opens the adapter, hardware before software; `None` where there is none.
    pub(super) fn open() -> Result<Option<Self>> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.flags = wgpu::InstanceFlags::empty();
        descriptor.backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = now(instance.enumerate_adapters(wgpu::Backends::VULKAN))?;
        let adapter =
            adapters
                .into_iter()
                .min_by_key(|adapter| match adapter.get_info().device_type {
                    DeviceType::DiscreteGpu => 0,
                    DeviceType::IntegratedGpu => 1,
                    DeviceType::VirtualGpu => 2,
                    DeviceType::Other => 3,
                    DeviceType::Cpu => 4,
                });
        adapter.map(|adapter| Self::of(&adapter)).transpose()
    }

    fn of(adapter: &wgpu::Adapter) -> Result<Self> {
        let info = adapter.get_info();
        let descriptor = wgpu::DeviceDescriptor {
            required_features: adapter.features() & Features::SUBGROUP,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = now(adapter.request_device(&descriptor))??;
        let settled = wgpu::BufferBindingType::Storage { read_only: false };
        let uniform = wgpu::BufferBindingType::Uniform;
        let meter = [
            binding_entry(METER_SLOT, settled, true, METER_BYTES),
            binding_entry(POOL_SLOT, settled, false, POOL_BYTES),
            binding_entry(TERMS_SLOT, uniform, true, TERMS_BYTES),
        ];
        Ok(Self {
            meter_layout: group_layout(&device, &meter),
            device,
            queue,
            is_software: info.device_type == DeviceType::Cpu,
            name: format!("{} ({} {})", info.name, info.driver, info.driver_info),
        })
    }

    /// What work on the device is timed by. On a software device that is this process's processor time, which the
    /// rest of the machine disturbs least.
    pub(super) fn clock(&self) -> Result<Duration> {
        let clock = match self.is_software {
            true => ClockId::ProcessCPUTime,
            false => ClockId::Monotonic,
        };
        Ok(clock_gettime(clock).try_into()?)
    }

    /// Whether shaders may use subgroup operations.
    pub(super) fn has_subgroups(&self) -> bool {
        self.device.features().contains(Features::SUBGROUP)
    }

    /// What bounds a shader's admission: what a heavy kernel gets on this device.
    pub(super) fn admission_limits(&self) -> AdmissionLimits {
        let (limits, device) = (Limits::defaults(Weight::Heavy), self.device.limits());
        AdmissionLimits {
            shader_bytes: limits.get(Limit::GpuShaderBytes),
            operations: limits.get(Limit::GpuShaderOperations),
            workgroup_bytes: u64::from(device.max_compute_workgroup_storage_size),
            workgroup_invocations: device.max_compute_invocations_per_workgroup,
            workgroup_size: [
                device.max_compute_workgroup_size_x,
                device.max_compute_workgroup_size_y,
                device.max_compute_workgroup_size_z,
            ],
            has_subgroups: self.has_subgroups(),
        }
    }

    /// The layouts that all forms of a shader share.
    pub(super) fn layout(&self, admitted: &Admitted) -> Layout {
        let bindings = admitted.bindings();
        let count = bindings.iter().map(|binding| binding.group + 1).max();
        let group = |group: u32| {
            let of_group = bindings.iter().filter(|binding| binding.group == group);
            let entries: Vec<_> = of_group.map(layout_entry).collect();
            (!entries.is_empty()).then(|| group_layout(&self.device, &entries))
        };
        Layout {
            groups: (0..count.unwrap_or(0)).map(group).collect(),
        }
    }

    /// A shader in one form, not yet compiled.
    pub(super) fn shader(&self, admitted: &Admitted, form: Form) -> Result<Shader> {
        if !form.is_metered() {
            return Ok(Shader {
                module: admitted.module().clone(),
                has_meter: false,
            });
        }
        let instrumented = fuel::instrument(admitted, self.options())?;
        Ok(Shader {
            has_meter: instrumented.meter.is_some(),
            module: instrumented.module,
        })
    }

    /// The most that an invocation of a shader can spend here, where that is known.
    pub(super) fn allowance(&self, admitted: &Admitted) -> Result<Option<u64>> {
        Ok(fuel::instrument(admitted, self.options())?.allowance)
    }

    /// How the host would instrument for this device.
    fn options(&self) -> FuelOptions {
        FuelOptions {
            turns: self.is_software.then_some(LAVAPIPE_TURNS),
            has_subgroups: self.has_subgroups(),
            ..FuelOptions::default()
        }
    }

    /// Compiles a shader in one form.
    pub(super) fn pipeline(&self, shader: Shader, layout: &Layout, form: Form) -> Result<Pipeline> {
        let Shader { module, has_meter } = shader;
        let entry = module.entry_points.first().context("an entry point")?;
        let entry = entry.name.clone();
        let mut groups: Vec<_> = layout.groups.iter().map(Option::as_ref).collect();
        if has_meter {
            groups.resize(METER_GROUP as usize, None);
            groups.push(Some(&self.meter_layout));
        }
        let raw = self.guarded(|| self.compile(module, &entry, &groups, form))?;
        Ok(Pipeline { raw, has_meter })
    }

    fn compile(
        &self,
        module: wgpu::naga::Module,
        entry: &str,
        groups: &[Option<&wgpu::BindGroupLayout>],
        form: Form,
    ) -> wgpu::ComputePipeline {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Naga(Cow::Owned(module)),
        };
        // SAFETY: what is compiled here are this repository's own shaders: their loops end, and they stay within
        // their buffers, whether that is checked or not.
        let module = unsafe {
            self.device
                .create_shader_module_trusted(descriptor, form.checks())
        };
        let layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: groups,
                immediate_size: 0,
            });
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
    }

    /// Does `work`, and turns what the device says of it into an error.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let done = work();
        match now(scope.pop())? {
            Some(error) => Err(anyhow!("{error}")),
            None => Ok(done),
        }
    }

    /// A buffer of zeros.
    pub(super) fn buffer(&self, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Binds buffers, each as a whole, to the slots from 0 of one group.
    pub(super) fn bind(
        &self,
        layout: &wgpu::BindGroupLayout,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> wgpu::BindGroup {
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout,
            entries,
        })
    }

    /// Binds a buffer that begins with the pool, and whose meters follow, and one with the terms in the same places.
    pub(super) fn bind_meters(
        &self,
        meters: &wgpu::Buffer,
        terms: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        let entry = |binding, buffer, bytes| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: NonZeroU64::new(bytes),
            }),
        };
        let entries = [
            entry(METER_SLOT, meters, METER_BYTES),
            entry(POOL_SLOT, meters, POOL_BYTES),
            entry(TERMS_SLOT, terms, TERMS_BYTES),
        ];
        self.bind(&self.meter_layout, &entries)
    }

    /// Something to record into.
    pub(super) fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    /// Submits what was recorded and waits for it.
    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> Result<()> {
        let commands = encoder.finish();
        self.submit_finished(commands)
    }

    /// As [`Direct::submit`], of what is complete.
    pub(super) fn submit_finished(&self, commands: wgpu::CommandBuffer) -> Result<()> {
        let index = self.queue.submit([commands]);
        self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(index),
            timeout: None,
        })?;
        Ok(())
    }

    /// Copies the bytes of a buffer for readback, whose work is submitted, into `into`.
    pub(super) fn read(&self, buffer: &wgpu::Buffer, into: &mut [u8]) -> Result<()> {
        buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        into.copy_from_slice(&buffer.get_mapped_range(..)?);
        buffer.unmap();
        Ok(())
    }
}

fn group_layout(
    device: &wgpu::Device,
    entries: &[wgpu::BindGroupLayoutEntry],
) -> wgpu::BindGroupLayout {
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries,
    })
}

fn layout_entry(binding: &BindingUse) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.access {
        BindingAccess::ReadOnly => wgpu::BufferBindingType::Storage { read_only: true },
        BindingAccess::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
        BindingAccess::Uniform => wgpu::BufferBindingType::Uniform,
    };
    binding_entry(binding.slot, ty, false, binding.min_bytes)
}

fn binding_entry(
    binding: u32,
    ty: wgpu::BufferBindingType,
    has_dynamic_offset: bool,
    min_bytes: u64,
) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: NonZeroU64::new(min_bytes),
        },
        count: None,
    }
}

/// What a future of wgpu's native backends gives: they never have to wait.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(anyhow!("wgpu did not answer at once")),
    }
}

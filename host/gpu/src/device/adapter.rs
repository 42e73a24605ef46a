//! Which adapter, and what is asked of it.
//!
//! Guests are offered four bind groups and eight storage buffers; the device is asked for one group more, with three
//! buffers and a little workgroup memory, for the meter of the fuel pass and for tables of constants. Offsets of bindings are multiples of 256 everywhere, so that what works
//! on one device works on all.

use super::{DeviceError, fault};
use hotcell_model::gpu::{GpuDevice, GpuProperties};
use hotcell_shader::admission::TABLES_SLOT;
use wgpu::{Adapter, Backends, DeviceType, Features, Instance, Limits};

/// `@group`s that guests are offered: from 0.
pub(crate) const GUEST_GROUPS: u32 = 4;
/// `@binding`s of each: the next is that of the tables.
pub(crate) const GUEST_SLOTS: u32 = TABLES_SLOT;
/// Storage buffers that guests are offered at most.
const GUEST_STORAGE_BUFFERS: u32 = 8;
/// Storage buffers of the host's beside those of a kernel: the words of the dispatch, the pool, and tables of
/// constants.
pub(crate) const HOST_STORAGE_BUFFERS: u32 = 3;
/// Uniform buffers of a guest's kernel, where the device allows as many beside the host's own.
const GUEST_UNIFORM_BUFFERS: u32 = 12;
/// The same of the host's own.
pub(crate) const HOST_UNIFORM_BUFFERS: u32 = 1;
/// Workgroup memory of the host's beside that of a kernel: what one invocation draws for all.
const HOST_WORKGROUP_BYTES: u32 = 16;
/// Where a binding may begin.
pub(crate) const BINDING_ALIGNMENT: u64 = 256;

/// An adapter with the instance that it is of.
pub(super) fn pick(choice: GpuDevice) -> Result<Adapter, DeviceError> {
    let instance = Instance::new(instance_descriptor(choice));
    let adapters = fault::now(instance.enumerate_adapters(Backends::all())).unwrap_or_default();
    adapters
        .into_iter()
        .filter(|adapter| is_eligible(choice, adapter))
        .min_by_key(|adapter| rank(adapter.get_info().device_type))
        .ok_or(DeviceError::NoAdapter(choice))
}

fn instance_descriptor(choice: GpuDevice) -> wgpu::InstanceDescriptor {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.flags = wgpu::InstanceFlags::empty();
    descriptor.backends = Backends::VULKAN;
    if choice == GpuDevice::Nothing {
        descriptor.backends = Backends::NOOP;
        descriptor.backend_options.noop = wgpu::NoopBackendOptions {
            enable: true,
            limits: Some(nothing_limits()),
            features: Some(Features::SUBGROUP),
            subgroup_min_size: Some(4),
            subgroup_max_size: Some(64),
            ..Default::default()
        };
    }
    descriptor
}

/// What a device that executes nothing says of itself: WebGPU's defaults and the host's places.
fn nothing_limits() -> Limits {
    let defaults = Limits::defaults();
    Limits {
        max_compute_workgroup_storage_size: defaults.max_compute_workgroup_storage_size
            + HOST_WORKGROUP_BYTES,
        max_bind_groups: GUEST_GROUPS + 1,
        max_storage_buffers_per_shader_stage: GUEST_STORAGE_BUFFERS + HOST_STORAGE_BUFFERS,
        max_uniform_buffers_per_shader_stage: GUEST_UNIFORM_BUFFERS + HOST_UNIFORM_BUFFERS,
        ..defaults
    }
}

fn is_eligible(choice: GpuDevice, adapter: &Adapter) -> bool {
    let is_software = adapter.get_info().device_type == DeviceType::Cpu;
    let offered = adapter.limits();
    (choice != GpuDevice::Software || is_software)
        && offered.max_bind_groups > GUEST_GROUPS
        && offered.max_storage_buffers_per_shader_stage > HOST_STORAGE_BUFFERS
        && offered.max_uniform_buffers_per_shader_stage > HOST_UNIFORM_BUFFERS
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// The features that are used where there are any.
pub(super) fn features(adapter: &Adapter) -> Features {
    adapter.features() & Features::SUBGROUP
}

/// The limits to ask for: WebGPU's defaults where more is of no use, all there is where it is.
pub(super) fn limits(adapter: &Adapter) -> Limits {
    let offered = adapter.limits();
    Limits {
        max_bind_groups: GUEST_GROUPS + 1,
        max_storage_buffers_per_shader_stage: offered
            .max_storage_buffers_per_shader_stage
            .min(GUEST_STORAGE_BUFFERS + HOST_STORAGE_BUFFERS),
        max_uniform_buffers_per_shader_stage: offered
            .max_uniform_buffers_per_shader_stage
            .min(GUEST_UNIFORM_BUFFERS + HOST_UNIFORM_BUFFERS),
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        max_compute_workgroup_storage_size: offered.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: offered.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: offered.max_compute_workgroup_size_x,
        max_compute_workgroup_size_y: offered.max_compute_workgroup_size_y,
        max_compute_workgroup_size_z: offered.max_compute_workgroup_size_z,
        max_compute_workgroups_per_dimension: offered.max_compute_workgroups_per_dimension,
        ..Limits::defaults().or_worse_values_from(&offered)
    }
}

/// What guests are told.
pub(super) fn properties(device: &wgpu::Device) -> GpuProperties {
    let (limits, info) = (device.limits(), device.adapter_info());
    let has_subgroups = device.features().contains(Features::SUBGROUP);
    let subgroup = |size: u32| if has_subgroups { size } else { 0 };
    GpuProperties {
        has_subgroups,
        min_subgroup_size: subgroup(info.subgroup_min_size),
        max_subgroup_size: subgroup(info.subgroup_max_size),
        max_workgroup_bytes: limits
            .max_compute_workgroup_storage_size
            .saturating_sub(HOST_WORKGROUP_BYTES),
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroups_per_axis: limits.max_compute_workgroups_per_dimension,
        max_binding_bytes: limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size),
    }
}

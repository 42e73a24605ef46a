//! From an instrumented module to a pipeline, and the pipelines of a device by what they were made from.

use super::{Device, DeviceFault, LoopBounding};
use hotcell_shader::admission::{BindingAccess, BindingUse, TABLES_GROUP, TABLES_SLOT};
use hotcell_shader::fuel::{
    METER_BYTES, METER_GROUP, METER_SLOT, POOL_BYTES, POOL_SLOT, TERMS_BYTES, TERMS_SLOT,
};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most pipelines that a device keeps for launches to come.
const KEPT_PIPELINES: usize = 256;

/// A shader that is ready for the device, with what the session needs to know of it.
pub(crate) struct PreparedShader {
    /// The module, instrumented where it has to be.
    pub(crate) module: naga::Module,
    /// Its entry point.
    pub(crate) entry: String,
    /// The size of its workgroups.
    pub(crate) workgroup_size: [u32; 3],
    /// What must be bound.
    pub(crate) bindings: Vec<BindingUse>,
    /// Tables of constants: what a buffer of the host's holds.
    pub(crate) tables: Option<Vec<u8>>,
    /// Fuel of one invocation that is known before it runs.
    pub(crate) static_fuel: u64,
    /// Whether it has a meter.
    pub(crate) has_meter: bool,
    /// The most that one invocation can spend of each of its counters, where that is known.
    pub(crate) allowance: Option<u64>,
    /// Whether it counts the invocations that come to their end.
    pub(crate) is_counted: bool,
    /// Whether every loop is finite or metered.
    pub(crate) has_finite_loops: bool,
}

/// A compiled entry point.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    /// By group; `None` where the entry point uses none.
    pub(crate) layouts: Vec<Option<wgpu::BindGroupLayout>>,
    pub(crate) workgroup_size: [u32; 3],
    pub(crate) bindings: Vec<BindingUse>,
    /// Tables of constants, which are bound besides.
    pub(crate) tables: Option<wgpu::Buffer>,
    pub(crate) static_fuel: u64,
    pub(crate) has_meter: bool,
    pub(crate) allowance: Option<u64>,
    pub(crate) is_counted: bool,
    /// Whether the driver is done with it.
    is_compiled: AtomicBool,
}

impl Pipeline {
    /// Whether the driver has compiled it, as far as is known: some do so when it is first dispatched.
    pub(crate) fn is_compiled(&self) -> bool {
        self.is_compiled.load(Ordering::Acquire)
    }

    /// Notes that the driver has.
    pub(crate) fn note_compiled(&self) {
        self.is_compiled.store(true, Ordering::Release);
    }

    /// Invocations of one workgroup.
    pub(crate) fn workgroup_invocations(&self) -> u64 {
        self.workgroup_size
            .iter()
            .fold(1, |product, side| product * u64::from(*side))
    }
}

/// The digest of everything that a pipeline depends on.
pub(crate) type PipelineKey = [u8; 32];

/// The pipelines of a device. What was not asked for longest makes room.
#[derive(Debug, Default)]
pub(super) struct Pipelines(Mutex<PipelineCache>);

#[derive(Debug, Default)]
struct PipelineCache {
    by_key: HashMap<PipelineKey, Arc<Pipeline>>,
    /// Longest unused first.
    order: VecDeque<PipelineKey>,
}

impl Pipelines {
    pub(super) fn get(&self, key: &PipelineKey) -> Option<Arc<Pipeline>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pipeline = kept.by_key.get(key).cloned()?;
        kept.order.retain(|other| other != key);
        kept.order.push_back(*key);
        Some(pipeline)
    }

    pub(super) fn keep(&self, key: PipelineKey, pipeline: Arc<Pipeline>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_key.insert(key, pipeline).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > KEPT_PIPELINES
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_key.remove(&oldest);
        }
    }
}

/// The layout of the group that holds the meter.
pub(super) fn meter_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let settled = wgpu::BufferBindingType::Storage { read_only: false };
    let entry = |binding, ty, bytes, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: NonZeroU64::new(bytes),
        },
        count: None,
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &[
            entry(METER_SLOT, settled, METER_BYTES, true),
            entry(POOL_SLOT, settled, POOL_BYTES, false),
            entry(
                TERMS_SLOT,
                wgpu::BufferBindingType::Uniform,
                TERMS_BYTES,
                true,
            ),
        ],
    })
}

/// Compiles a shader.
pub(super) fn compile(device: &Device, prepared: PreparedShader) -> Result<Pipeline, DeviceFault> {
    let PreparedShader {
        module,
        entry,
        workgroup_size,
        bindings,
        tables,
        static_fuel,
        has_meter,
        allowance,
        is_counted,
        has_finite_loops,
    } = prepared;
    device.guarded(|| {
        let tables_bytes = tables.as_ref().map(|bytes| bytes.len() as u64);
        let layouts = group_layouts(device.wgpu(), &bindings, tables_bytes);
        let layout = pipeline_layout(device, &layouts, has_meter);
        let module = shader_module(device.wgpu(), module, has_finite_loops);
        let raw = device
            .wgpu()
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some(&entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
        Pipeline {
            raw,
            layouts,
            workgroup_size,
            bindings,
            tables: tables.and_then(|bytes| tables_buffer(device.wgpu(), &bytes)),
            static_fuel,
            has_meter,
            allowance,
            is_counted,
            is_compiled: AtomicBool::new(false),
        }
    })
}

/// A buffer that holds tables of constants.
fn tables_buffer(device: &wgpu::Device, bytes: &[u8]) -> Option<wgpu::Buffer> {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: true,
    });
    let mut place = buffer.get_mapped_range_mut(..).ok()?;
    place.slice(..).copy_from_slice(bytes);
    drop(place);
    buffer.unmap();
    Some(buffer)
}

fn shader_module(
    device: &wgpu::Device,
    module: naga::Module,
    has_finite_loops: bool,
) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Naga(Cow::Owned(module)),
    };
    let mut checks = wgpu::ShaderRuntimeChecks::checked();
    checks.force_loop_bounding = !has_finite_loops || LoopBounding::IN_FORCE == LoopBounding::Naga;
    // SAFETY: every check is on but naga's bound on loops, whose condition is that no loop runs for ever: it is off
    // only where the fuel pass gave every loop that is not finite a budget, and the module is what it made.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

fn group_layouts(
    device: &wgpu::Device,
    bindings: &[BindingUse],
    tables_bytes: Option<u64>,
) -> Vec<Option<wgpu::BindGroupLayout>> {
    let of_tables = tables_bytes.map(|min_bytes| BindingUse {
        group: TABLES_GROUP,
        slot: TABLES_SLOT,
        access: BindingAccess::ReadOnly,
        min_bytes,
        array: None,
    });
    let all = || bindings.iter().chain(&of_tables);
    let groups = all().map(|binding| binding.group + 1).max();
    (0..groups.unwrap_or(0))
        .map(|group| {
            let entries: Vec<_> = all()
                .filter(|binding| binding.group == group)
                .map(layout_entry)
                .collect();
            let descriptor = wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            };
            (!entries.is_empty()).then(|| device.create_bind_group_layout(&descriptor))
        })
        .collect()
}

fn layout_entry(binding: &BindingUse) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.access {
        BindingAccess::ReadOnly => wgpu::BufferBindingType::Storage { read_only: true },
        BindingAccess::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
        BindingAccess::Uniform => wgpu::BufferBindingType::Uniform,
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding.slot,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: NonZeroU64::new(binding.min_bytes),
        },
        count: None,
    }
}

fn pipeline_layout(
    device: &Device,
    layouts: &[Option<wgpu::BindGroupLayout>],
    has_meter: bool,
) -> wgpu::PipelineLayout {
    let mut groups: Vec<Option<&wgpu::BindGroupLayout>> =
        layouts.iter().map(Option::as_ref).collect();
    if has_meter {
        groups.resize(METER_GROUP as usize, None);
        groups.push(Some(device.meter_layout()));
    }
    device
        .wgpu()
        .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &groups,
            immediate_size: 0,
        })
}

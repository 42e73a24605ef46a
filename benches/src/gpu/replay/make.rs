//! Making what a recorded launch made.

use super::{BindSet, Buffer, Kernel, Replay, Step};
use crate::gpu::direct::Direct;
use crate::gpu::form::Form;
use crate::gpu::recording::{KernelSource, Recording};
use anyhow::{Context, Result, anyhow, bail};
use hotcell_model::gpu::{GpuBinding, GpuError, GpuId, GpuStep};
use hotcell_model::limit::Limit;
use hotcell_shader::admission::admit;
use hotcell_shader::fuel::{FuelPool, METER_STRIDE_BYTES, POOL_BYTES};
use std::collections::HashMap;
use std::num::NonZeroU64;
use wgpu::BufferUsages;

/// Strides that the pool takes.
pub(super) const POOL_STRIDES: u64 = POOL_BYTES.div_ceil(METER_STRIDE_BYTES);
/// More invocations than any device runs at once.
const ABREAST: u64 = 1 << 20;

impl<'a> Replay<'a> {
    /// Makes everything that the launch made.
    pub(in crate::gpu) fn new(direct: &'a Direct, recording: &Recording) -> Result<Self> {
        let count = recording
            .steps
            .iter()
            .filter(|step| is_dispatch(step))
            .count() as u64;
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        // The pool comes before the dispatches' words.
        let meters = direct.buffer(METER_STRIDE_BYTES * (POOL_STRIDES + count), usage);
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let terms = direct.buffer(METER_STRIDE_BYTES * (POOL_STRIDES + count), usage);
        let mut replay = Self {
            meter_group: direct.bind_meters(&meters, &terms),
            direct,
            buffers: HashMap::new(),
            kernels: HashMap::new(),
            bind_sets: HashMap::new(),
            steps: Vec::new(),
            fresh_meters: meters.clone(),
            meters,
            metered: Vec::new(),
        };
        for (id, content) in &recording.buffers {
            let buffer = replay.make_buffer(content);
            replay.buffers.insert(*id, buffer);
        }
        for (id, source) in &recording.kernels {
            let kernel = replay.make_kernel(source)?;
            replay.kernels.insert(*id, kernel);
        }
        for (id, (kernel, bindings)) in &recording.bind_sets {
            let bind_set = replay.bind(*kernel, bindings)?;
            replay.bind_sets.insert(*id, bind_set);
        }
        for step in &recording.steps {
            replay.add_step(step)?;
        }
        let [meters, words] = replay.filled_meters()?;
        replay.fresh_meters = replay.holding(&meters);
        direct.queue.write_buffer(&terms, 0, &words);
        Ok(replay)
    }

    /// What the meters hold before they are used, and the terms beside them: as much as a launch can have.
    fn filled_meters(&self) -> Result<[Vec<u8>; 2]> {
        let fuel = Limit::GpuFuel.ceiling();
        let invocations = self
            .metered
            .iter()
            .map(|(invocations, _)| invocations)
            .sum();
        let is_drawn = self
            .metered
            .iter()
            .any(|(_, allowance)| allowance.is_none());
        let (pool, credit) = match is_drawn {
            true => FuelPool::to_draw_from(fuel, invocations, ABREAST),
            false => (FuelPool::of_shares(fuel), 0),
        };
        let stride = usize::try_from(METER_STRIDE_BYTES)?;
        let before = usize::try_from(POOL_STRIDES)?;
        let mut meters = vec![0; (before + self.metered.len()) * stride];
        let mut terms = meters.clone();
        let add = |bytes: &mut Vec<u8>, place: usize, words: &[u32]| {
            let bytes = bytes.iter_mut().skip(place * stride);
            let words = words.iter().flat_map(|word| word.to_le_bytes());
            bytes.zip(words).for_each(|(byte, value)| *byte = value);
        };
        add(&mut meters, 0, &[pool.start()]);
        for ((_, allowance), place) in self.metered.iter().zip(before..) {
            let credit = allowance.map_or(credit, |allowance| pool.credit_for(allowance));
            add(&mut terms, place, &pool.terms(credit));
        }
        Ok([meters, terms])
    }

    fn make_buffer(&self, content: &[u8]) -> Buffer {
        let usage = BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let all = usage | BufferUsages::STORAGE | BufferUsages::UNIFORM;
        Buffer {
            raw: self.direct.buffer(content.len() as u64, all),
            initial: self.holding(content),
        }
    }

    /// A buffer to copy from.
    fn holding(&self, content: &[u8]) -> wgpu::Buffer {
        let usage = BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let buffer = self.direct.buffer(content.len() as u64, usage);
        self.direct.queue.write_buffer(&buffer, 0, content);
        buffer
    }

    fn make_kernel(&self, source: &KernelSource) -> Result<Kernel> {
        let limits = self.direct.admission_limits();
        let admitted = admit(&source.wgsl, &source.entry, &source.constants, &limits);
        let admitted = admitted.map_err(|refusal| anyhow!("{}", GpuError::from(refusal)))?;
        let layout = self.direct.layout(&admitted);
        let forms = Form::ALL.iter();
        let forms = forms.map(|form| {
            let shader = self.direct.shader(&admitted, *form)?;
            self.direct.pipeline(shader, &layout, *form)
        });
        Ok(Kernel {
            allowance: self.direct.allowance(&admitted)?,
            forms: forms.collect::<Result<_>>()?,
            layout,
            workgroup_invocations: admitted
                .workgroup_size()
                .iter()
                .map(|side| u64::from(*side))
                .product(),
        })
    }

    fn bind(&self, id: GpuId, bindings: &[GpuBinding]) -> Result<BindSet> {
        let kernel = self.kernels.get(&id).context("a kernel")?;
        let mut groups = Vec::new();
        for (layout, number) in kernel.layout.groups.iter().zip(0..) {
            let Some(layout) = layout else {
                groups.push(None);
                continue;
            };
            let of_group = bindings.iter().filter(|binding| binding.group == number);
            let entries = of_group.map(|binding| self.entry(binding));
            let entries = entries.collect::<Result<Vec<_>>>()?;
            let group = self.direct.guarded(|| self.direct.bind(layout, &entries))?;
            groups.push(Some(group));
        }
        Ok(BindSet { kernel: id, groups })
    }

    fn entry(&self, binding: &GpuBinding) -> Result<wgpu::BindGroupEntry<'_>> {
        Ok(wgpu::BindGroupEntry {
            binding: binding.slot,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &self.buffer(binding.buffer)?.raw,
                offset: binding.offset_bytes,
                size: binding.len_bytes.and_then(NonZeroU64::new),
            }),
        })
    }

    fn add_step(&mut self, step: &GpuStep) -> Result<()> {
        let step = match step {
            GpuStep::Dispatch {
                bind_set,
                workgroups,
            } => Step::Dispatch {
                meter_offset: self.add_meter(*bind_set, *workgroups)?,
                bind_set: *bind_set,
                workgroups: *workgroups,
            },
            GpuStep::Copy {
                source,
                source_offset_bytes,
                destination,
                destination_offset_bytes,
                len_bytes,
            } => Step::Copy {
                from: self.buffer(*source)?.raw.clone(),
                from_offset: *source_offset_bytes,
                to: *destination,
                to_offset: *destination_offset_bytes,
                len: *len_bytes,
            },
            GpuStep::Clear {
                buffer,
                offset_bytes,
                len_bytes,
            } => Step::Clear {
                buffer: *buffer,
                offset: *offset_bytes,
                len: *len_bytes,
            },
            GpuStep::Write {
                buffer,
                offset_bytes,
                data,
            } => Step::Copy {
                from: self.holding(&data.0),
                from_offset: 0,
                to: *buffer,
                to_offset: *offset_bytes,
                len: data.0.len() as u64,
            },
            GpuStep::Fill { .. } | GpuStep::ReadArray { .. } | GpuStep::Read { .. } => {
                bail!("a recording has no such step")
            }
        };
        self.steps.push(step);
        Ok(())
    }

    /// Gives a dispatch a meter, and says where it is.
    fn add_meter(&mut self, bind_set: GpuId, workgroups: [u32; 3]) -> Result<u32> {
        let bind_set = self.bind_sets.get(&bind_set).context("a bind set")?;
        let kernel = self.kernels.get(&bind_set.kernel).context("a kernel")?;
        let workgroups: u64 = workgroups.iter().map(|count| u64::from(*count)).product();
        let invocations = workgroups * kernel.workgroup_invocations;
        let place = POOL_STRIDES + self.metered.len() as u64;
        self.metered.push((invocations, kernel.allowance));
        Ok(u32::try_from(place * METER_STRIDE_BYTES)?)
    }
}

fn is_dispatch(step: &GpuStep) -> bool {
    matches!(step, GpuStep::Dispatch { .. })
}

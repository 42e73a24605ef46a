//! A recorded launch on the device itself, in every form of its shaders, on the same buffers.

mod make;

use super::direct::{Direct, Layout, Pipeline};
use super::form::Form;
use anyhow::{Context, Result, ensure};
use hotcell_model::gpu::GpuId;
use hotcell_shader::fuel::{METER_GROUP, METER_STRIDE_BYTES, read_slot};
use std::collections::HashMap;
use std::time::Duration;
use wgpu::BufferUsages;

/// A recorded launch, ready to run.
pub(super) struct Replay<'a> {
    direct: &'a Direct,
    buffers: HashMap<GpuId, Buffer>,
    kernels: HashMap<GpuId, Kernel>,
    bind_sets: HashMap<GpuId, BindSet>,
    steps: Vec<Step>,
    meters: wgpu::Buffer,
    meter_group: wgpu::BindGroup,
    /// What the meters hold before they are used.
    fresh_meters: wgpu::Buffer,
    /// Of each dispatch that can have a meter, its invocations and what each can spend at most.
    metered: Vec<(u64, Option<u64>)>,
}

struct Buffer {
    raw: wgpu::Buffer,
    /// The same bytes as at first.
    initial: wgpu::Buffer,
}

struct Kernel {
    layout: Layout,
    /// In the order of [`Form::ALL`].
    forms: Vec<Pipeline>,
    workgroup_invocations: u64,
    /// The most that an invocation can spend, where that is known.
    allowance: Option<u64>,
}

struct BindSet {
    kernel: GpuId,
    groups: Vec<Option<wgpu::BindGroup>>,
}

enum Step {
    Dispatch {
        bind_set: GpuId,
        workgroups: [u32; 3],
        meter_offset: u32,
    },
    Copy {
        from: wgpu::Buffer,
        from_offset: u64,
        to: GpuId,
        to_offset: u64,
        len: u64,
    },
    Clear {
        buffer: GpuId,
        offset: u64,
        len: u64,
    },
}

impl<'a> Replay<'a> {
    /// How many dispatches there are.
    pub(super) fn dispatches(&self) -> usize {
        let is_dispatch = |step: &&Step| matches!(step, Step::Dispatch { .. });
        self.steps.iter().filter(is_dispatch).count()
    }

    /// Whether any shader has a meter.
    pub(super) fn is_metered(&self) -> bool {
        let mut forms = self.kernels.values().flat_map(|kernel| &kernel.forms);
        forms.any(|pipeline| pipeline.has_meter)
    }

    /// Runs all steps so many times, from the buffers as they were at first: the time from submitting them until
    /// the device is idle.
    pub(super) fn run(&self, form: Form, times: u32) -> Result<Duration> {
        self.reset()?;
        let mut encoder = self.direct.encoder();
        for _ in 0..times {
            self.encode(&mut encoder, form)?;
        }
        let commands = encoder.finish();
        let began = self.direct.clock()?;
        self.direct.submit_finished(commands)?;
        Ok(self.direct.clock()? - began)
    }

    /// Whether both forms leave the same bytes in every buffer, and fuel sufficed.
    pub(super) fn check_same(&self, one: Form, other: Form) -> Result<()> {
        self.run(one, 1)?;
        let expected = self.contents()?;
        self.run(other, 1)?;
        ensure!(
            self.contents()? == expected,
            "{} and {} give different results",
            one.name(),
            other.name()
        );
        let meters = self.content(&self.meters)?;
        let slots = meters.chunks_exact(usize::try_from(METER_STRIDE_BYTES)?);
        let mut readings = slots
            .skip(usize::try_from(make::POOL_STRIDES)?)
            .map(read_slot);
        ensure!(
            !readings.any(|reading| reading.is_exhausted || reading.is_cut),
            "fuel ran out, or the driver ended a loop"
        );
        Ok(())
    }

    fn contents(&self) -> Result<Vec<Vec<u8>>> {
        let mut ids: Vec<_> = self.buffers.keys().collect();
        ids.sort();
        let contents = ids.iter().map(|id| self.content(&self.buffers[id].raw));
        contents.collect()
    }

    fn content(&self, buffer: &wgpu::Buffer) -> Result<Vec<u8>> {
        let back = self.direct.buffer(
            buffer.size(),
            BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        );
        let mut encoder = self.direct.encoder();
        encoder.copy_buffer_to_buffer(buffer, 0, &back, 0, buffer.size());
        self.direct.submit(encoder)?;
        let mut bytes = vec![0; usize::try_from(buffer.size())?];
        self.direct.read(&back, &mut bytes)?;
        Ok(bytes)
    }

    fn reset(&self) -> Result<()> {
        let mut encoder = self.direct.encoder();
        for buffer in self.buffers.values() {
            let size = buffer.raw.size();
            encoder.copy_buffer_to_buffer(&buffer.initial, 0, &buffer.raw, 0, size);
        }
        self.direct.submit(encoder)
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, form: Form) -> Result<()> {
        let (fresh, size) = (&self.fresh_meters, self.meters.size());
        encoder.copy_buffer_to_buffer(fresh, 0, &self.meters, 0, size);
        for steps in self
            .steps
            .chunk_by(|a, b| a.is_dispatch() && b.is_dispatch())
        {
            if steps.iter().all(Step::is_dispatch) {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for step in steps {
                    self.dispatch(&mut pass, step, form)?;
                }
                continue;
            }
            for step in steps {
                self.transfer(encoder, step)?;
            }
        }
        Ok(())
    }

    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, step: &Step, form: Form) -> Result<()> {
        let Step::Dispatch {
            bind_set,
            workgroups: [x, y, z],
            meter_offset,
        } = step
        else {
            return Ok(());
        };
        let bind_set = self.bind_sets.get(bind_set).context("a bind set")?;
        let kernel = self.kernels.get(&bind_set.kernel).context("a kernel")?;
        let position = Form::ALL.iter().position(|other| *other == form);
        let pipeline = position.and_then(|position| kernel.forms.get(position));
        let pipeline = pipeline.context("a pipeline")?;
        pass.set_pipeline(&pipeline.raw);
        for (group, number) in bind_set.groups.iter().zip(0..) {
            if let Some(group) = group {
                pass.set_bind_group(number, group, &[]);
            }
        }
        if pipeline.has_meter {
            pass.set_bind_group(
                METER_GROUP,
                &self.meter_group,
                &[*meter_offset, *meter_offset],
            );
        }
        pass.dispatch_workgroups(*x, *y, *z);
        Ok(())
    }

    fn transfer(&self, encoder: &mut wgpu::CommandEncoder, step: &Step) -> Result<()> {
        match step {
            Step::Dispatch { .. } => {}
            Step::Copy {
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => {
                let to = &self.buffer(*to)?.raw;
                encoder.copy_buffer_to_buffer(from, *from_offset, to, *to_offset, *len);
            }
            Step::Clear {
                buffer,
                offset,
                len,
            } => encoder.clear_buffer(&self.buffer(*buffer)?.raw, *offset, Some(*len)),
        }
        Ok(())
    }

    fn buffer(&self, id: GpuId) -> Result<&Buffer> {
        self.buffers.get(&id).context("a buffer")
    }
}

impl Step {
    fn is_dispatch(&self) -> bool {
        matches!(self, Self::Dispatch { .. })
    }
}

//! The guest `gpu-probe`, which runs the WGSL that it is handed, and the same WGSL without it.

use super::direct::{Direct, Pipeline};
use super::form::Form;
use anyhow::{Context, Result, ensure};
use hotcell::grant::Capability;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Cell, Component, Digests, Ended, Request, Terms};
use hotcell_model::gpu::GpuError;
use hotcell_shader::admission::admit;
use std::time::Duration;
use wgpu::BufferUsages;

/// Reads the component.
pub(super) fn component() -> Result<Component> {
    Ok(Component::read(hotcell_cases::component("gpu-probe"))?)
}

/// What a cell grants that runs it: whatever a request wants.
pub(super) fn policy() -> Terms {
    Terms::default().with_all_grants()
}

/// A request to the probe for `wgsl` over `words` words, with limits out of the way and no digests.
pub(super) fn request(entry: &str, wgsl: &str, words: u32) -> Result<Request> {
    let values: Vec<u32> = (1..=words).collect();
    Ok(Request::new()
        .entry(entry)
        .digests(Digests::None)
        .want(Capability::Gpu)
        .want(Capability::GpuText)
        .input(
            "source",
            Array::from_slice(wgsl.as_bytes(), [wgsl.len() as u64])?,
        )
        .input("x", Array::from_slice(&values, [u64::from(words)])?)
        .limit(Limit::GpuFuel, Limit::GpuFuel.ceiling())
        .limit(Limit::GpuDispatches, 1_000_000)
        .limit(Limit::GpuTime, 600_000_000_000)
        .limit(Limit::Fuel, 1_000_000_000_000)
        .limit(Limit::CpuTime, 600_000_000_000)
        .timeout(Duration::from_secs(600)))
}

/// Runs a request that must succeed.
pub(super) fn run(cell: &Cell, component: &Component, request: &Request) -> Result<Ended> {
    let ended = cell.run(component, request.clone());
    let message = &ended.outcome.message;
    ensure!(ended.outcome.kind == OutcomeKind::Done, "{message}");
    Ok(ended)
}

/// One shader over one buffer, through wgpu alone.
pub(super) struct Shader<'a> {
    direct: &'a Direct,
    pipeline: Pipeline,
    group: wgpu::BindGroup,
    buffer: wgpu::Buffer,
    readback: wgpu::Buffer,
    /// What the buffer is filled with.
    pub(super) input: Vec<u8>,
}

impl<'a> Shader<'a> {
    /// Compiles `wgsl` unmetered, with checked bounds, and makes its buffer of `words` words.
    pub(super) fn new(direct: &'a Direct, wgsl: &str, words: u32) -> Result<Self> {
        let admitted = admit(wgsl, "main", &[], &direct.admission_limits());
        let admitted =
            admitted.map_err(|refusal| anyhow::anyhow!("{}", GpuError::from(refusal)))?;
        let layout = direct.layout(&admitted);
        let pipeline =
            direct.pipeline(direct.shader(&admitted, Form::Plain)?, &layout, Form::Plain)?;
        let layout = layout.groups.first().and_then(Option::as_ref);
        let input: Vec<u8> = (1..=words).flat_map(u32::to_le_bytes).collect();
        let size = input.len() as u64;
        let usage = BufferUsages::COPY_DST | BufferUsages::COPY_SRC | BufferUsages::STORAGE;
        let buffer = direct.buffer(size, usage);
        let entry = wgpu::BindGroupEntry {
            binding: 0,
            resource: buffer.as_entire_binding(),
        };
        Ok(Self {
            group: direct.bind(layout.context("a group")?, &[entry]),
            readback: direct.buffer(size, BufferUsages::COPY_DST | BufferUsages::MAP_READ),
            direct,
            pipeline,
            buffer,
            input,
        })
    }

    /// Fills the buffer.
    pub(super) fn fill(&self) {
        self.direct.queue.write_buffer(&self.buffer, 0, &self.input);
    }

    /// Dispatches `count` times and waits.
    pub(super) fn dispatch(&self, count: u32, workgroups: u32) -> Result<()> {
        let mut encoder = self.direct.encoder();
        self.encode(&mut encoder, count, workgroups);
        self.direct.submit(encoder)
    }

    /// Dispatches once and reads the buffer back.
    pub(super) fn dispatch_and_read(&self, workgroups: u32, out: &mut [u8]) -> Result<()> {
        let mut encoder = self.direct.encoder();
        self.encode(&mut encoder, 1, workgroups);
        let size = self.buffer.size();
        encoder.copy_buffer_to_buffer(&self.buffer, 0, &self.readback, 0, size);
        self.direct.queue.submit([encoder.finish()]);
        self.direct.read(&self.readback, out)
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, count: u32, workgroups: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline.raw);
        pass.set_bind_group(0, &self.group, &[]);
        for _ in 0..count {
            pass.dispatch_workgroups(workgroups, 1, 1);
        }
    }
}

//! A first piece of work for a device, before its process is locked down or its first launch comes.
//!
//! Drivers load libraries, start threads and open files when they first need them. A session that compiles, zeroes,
//! copies both ways and dispatches, with and without a meter, makes them do so.

use super::{Checks, Session, SessionOrder};
use crate::device::{Device, DeviceError};
use bytes::Bytes;
use hotcell_model::gpu::{GpuAnswer, GpuBinding, GpuCommand, GpuId, GpuShader, GpuStep, Payload};
use hotcell_model::limit::Limits;
use hotcell_model::manifest::Weight;
use hotcell_model::stop::StopSignal;
use hotcell_shader::panics;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the first piece of work may take: a driver compiles its own shaders meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Barriers, workgroup memory, atomics, built-in functions, and a loop whose length the device alone knows.
const WGSL: &str = "
@group(0) @binding(0) var<storage, read> numbers: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;
var<workgroup> shared_numbers: array<u32, 64>;

@compute @workgroup_size(64)
fn sum(@builtin(global_invocation_id) global: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    shared_numbers[local] = numbers[global.x];
    workgroupBarrier();
    var total = u32(sqrt(f32(numbers[0] - 1u)));
    for (var i = 0u; i < numbers[local & 1u]; i = i + numbers[0]) {
        total = total + shared_numbers[(local + i) & 63u];
    }
    atomicAdd(&sums[0], total);
}
";

/// Ones, of which the device makes the sum.
const NUMBERS: u32 = 128;

impl Device {
    /// Does a piece of work of every kind, so that the driver loads and starts whatever it does lazily: a
    /// compilation, a copy to the device, zeroed memory, a dispatch and a copy back. A panic is caught once, too.
    ///
    /// # Errors
    /// It did not work.
    pub fn warm_up(self: &Arc<Self>) -> Result<(), DeviceError> {
        panics::warm_up();
        try_warm_up(self).map_err(DeviceError::Broken)
    }
}

/// Does a piece of work of every kind and checks what comes of it.
fn try_warm_up(device: &Arc<Device>) -> Result<(), String> {
    let order = SessionOrder {
        limits: Limits::defaults(Weight::Normal),
        deadline: Instant::now() + PATIENCE,
        signal: Arc::new(StopSignal::default()),
        has_profile: false,
        shaders: Vec::new(),
        has_text: true,
        inputs: Vec::new(),
        outputs: Vec::new(),
        checks: Checks::Full,
    };
    let mut session = Session::begin(device, order);
    let sum = work(&mut session);
    if let Some(end) = session.finish().end {
        return Err(format!("{end:?}"));
    }
    let expected = if device.is_nothing() { 0 } else { NUMBERS };
    match sum? {
        sum if sum == expected => Ok(()),
        sum => Err(format!("it computed {sum} where {expected} is right")),
    }
}

fn work(session: &mut Session) -> Result<u32, String> {
    let size_bytes = u64::from(NUMBERS) * 4;
    let numbers = created(session, GpuCommand::CreateBuffer { size_bytes })?;
    let sums = created(session, GpuCommand::CreateBuffer { size_bytes })?;
    answer(session, GpuCommand::Shader(WGSL.into()))?;
    let kernel = created(
        session,
        GpuCommand::CreateKernel {
            shader: GpuShader::Said,
            entry: "sum".into(),
            constants: Vec::new(),
        },
    )?;
    let bindings = vec![at(0, numbers), at(1, sums)];
    let bind_set = created(session, GpuCommand::Bind { kernel, bindings })?;
    let ones: Vec<u8> = (0..NUMBERS).flat_map(|_| 1u32.to_le_bytes()).collect();
    let ones = Payload(Bytes::from(ones));
    let steps = vec![
        GpuStep::Clear {
            buffer: sums,
            offset_bytes: 0,
            len_bytes: size_bytes,
        },
        GpuStep::Write {
            buffer: numbers,
            offset_bytes: 0,
            data: ones,
        },
        GpuStep::Dispatch {
            bind_set,
            workgroups: [2, 1, 1],
        },
        GpuStep::Read {
            buffer: sums,
            offset_bytes: 0,
            len_bytes: 4,
        },
    ];
    match answer(session, GpuCommand::Submit { steps, wait: true })? {
        GpuAnswer::Waited(payloads) => {
            let bytes = payloads.first().and_then(|payload| payload.0.first_chunk());
            bytes
                .map(|bytes| u32::from_le_bytes(*bytes))
                .ok_or_else(|| "nothing came back".into())
        }
        other => Err(format!("{other:?}")),
    }
}

fn at(slot: u32, buffer: GpuId) -> GpuBinding {
    GpuBinding {
        group: 0,
        slot,
        buffer,
        offset_bytes: 0,
        len_bytes: None,
    }
}

fn answer(session: &mut Session, command: GpuCommand) -> Result<GpuAnswer, String> {
    match session.command(command) {
        GpuAnswer::Refused(error) => Err(error.to_string()),
        GpuAnswer::Ended(end) => Err(format!("{end:?}")),
        answer => Ok(answer),
    }
}

fn created(session: &mut Session, command: GpuCommand) -> Result<GpuId, String> {
    match answer(session, command)? {
        GpuAnswer::Created(id) | GpuAnswer::Kernel { id, .. } => Ok(id),
        other => Err(format!("{other:?}")),
    }
}

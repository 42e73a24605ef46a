//! How many turns a device lets a loop make.
//!
//! Some drivers end a loop by themselves and say nothing; what a shader computes after that is wrong. Whether this one
//! does is measured and not believed by its name: one invocation makes turns until a number comes that never does, and
//! what that came to is held against what so many turns come to.

use super::{Device, DeviceFault, Polled, printable};
use std::borrow::Cow;
use std::time::Duration;

/// The turns that are tried. A device that makes them all is taken to end no loop.
pub const TURNS_TRIED: u32 = 1 << 20;
/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// By what each turn multiplies. The product of odd numbers is odd, so that it never comes to [`NEVER`].
const FACTOR: u32 = 747_796_405;
const NEVER: u32 = 0;

/// The device learns factor and end from memory: nothing that compiles the loop can tell how many turns it makes.
const WGSL: &str = "
@group(0) @binding(0) var<storage, read_write> words: array<u32, 4>;

@compute @workgroup_size(1)
fn turn() {
    let most = words[0];
    let factor = words[1];
    let never = words[2];
    var turns = 0u;
    var product = 1u;
    while (turns < most && product != never) {
        product = product * factor;
        turns = turns + 1u;
    }
    words[0] = turns;
    words[3] = product;
}
";

/// What the loop is told, and in the same places what it says.
type Words = [u32; 4];

/// The turns after which the device ends a loop; `None` where it made all of [`TURNS_TRIED`].
pub(super) fn measure(device: &Device) -> Result<Option<u32>, String> {
    if device.is_nothing() {
        return Ok(None);
    }
    let [turns, .., product] = run(device).map_err(|fault| fault.to_string())?;
    if turns > TURNS_TRIED || product != FACTOR.wrapping_pow(turns) {
        return Err(format!(
            "it says that a loop made {turns} turns, and computed something else"
        ));
    }
    Ok((turns < TURNS_TRIED).then_some(turns))
}

fn run(device: &Device) -> Result<Words, DeviceFault> {
    let (submission, answer) = device.guarded(|| submit(device))??;
    match device.poll(Some((&submission, PATIENCE))) {
        Polled::Done => device.guarded(|| read(&answer))?,
        Polled::Pending => {
            device.give_up();
            Err(DeviceFault::Lost(format!(
                "a loop of {TURNS_TRIED} turns took longer than {PATIENCE:?}"
            )))
        }
        Polled::Lost(reason) => Err(DeviceFault::Lost(reason)),
    }
}

fn submit(device: &Device) -> Result<(wgpu::SubmissionIndex, wgpu::Buffer), DeviceFault> {
    use wgpu::BufferUsages as Usage;
    let (pipeline, wgpu) = (pipeline(device)?, device.wgpu());
    let words = words(device, Usage::STORAGE | Usage::COPY_SRC, true);
    fill(&words, [TURNS_TRIED, FACTOR, NEVER, 0])?;
    let answer = self::words(device, Usage::MAP_READ | Usage::COPY_DST, false);
    let bind_group = wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry {
            binding: 0,
            resource: words.as_entire_binding(),
        }],
    });
    let mut encoder = wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
    }
    encoder.copy_buffer_to_buffer(&words, 0, &answer, 0, words.size());
    let submission = device.queue().submit([encoder.finish()]);
    // Whether it came back is seen when it is read.
    answer.map_async(wgpu::MapMode::Read, .., |_| {});
    Ok((submission, answer))
}

fn pipeline(device: &Device) -> Result<wgpu::ComputePipeline, DeviceFault> {
    let module = naga::front::wgsl::parse_str(WGSL);
    let module = module.map_err(|error| DeviceFault::Refused(printable(&error.to_string())))?;
    let source = wgpu::ShaderSource::Naga(Cow::Owned(module));
    let module = device
        .wgpu()
        .create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source,
        });
    let descriptor = wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    };
    Ok(device.wgpu().create_compute_pipeline(&descriptor))
}

fn words(device: &Device, usage: wgpu::BufferUsages, mapped_at_creation: bool) -> wgpu::Buffer {
    device.wgpu().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: size_of::<Words>() as u64,
        usage,
        mapped_at_creation,
    })
}

fn fill(buffer: &wgpu::Buffer, words: Words) -> Result<(), DeviceFault> {
    let bytes = words.map(u32::to_le_bytes);
    let mut place = buffer.get_mapped_range_mut(..).map_err(|_| gone())?;
    place.slice(..).copy_from_slice(bytes.as_flattened());
    drop(place);
    buffer.unmap();
    Ok(())
}

fn read(buffer: &wgpu::Buffer) -> Result<Words, DeviceFault> {
    let bytes = buffer.get_mapped_range(..).map_err(|_| gone())?;
    let (words, _) = bytes.as_chunks::<4>();
    let mut read = Words::default();
    for (word, bytes) in read.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    Ok(read)
}

fn gone() -> DeviceFault {
    DeviceFault::Lost("memory did not come back".into())
}

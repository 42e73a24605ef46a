//! Generated shaders through a driver: what a device leaves in memory and in the meter is what the interpreter says, also
//! of shaders that run out. Of endless ones only what is metered is run.
//!
//! As many as a default run has time for. `HOTCELL_SHADERS=N` checks another number.

#[path = "../../shader/tests/equivalence/given.rs"]
mod given;
#[path = "../../shader/tests/generate/loops.rs"]
mod loops;
#[expect(dead_code, reason = "the interpreter's own tests use the rest")]
#[path = "../../shader/tests/interpret/machine.rs"]
mod machine;
#[path = "../../shader/tests/generate/random.rs"]
mod random;
#[path = "../../shader/tests/generate/shader.rs"]
mod shader;
#[path = "../../shader/tests/interpret/value.rs"]
mod value;

use given::{
    INVOCATIONS, METER, OPTIONS, PLENTY, POOL, TERMS, WORKGROUPS, admitted, buffers, count,
    fuelled, instrumented, pool, settled, text_of,
};
use hotcell_shader::fuel::{
    FuelPool, METER_BYTES, MeterWords, POOL_BYTES, PoolWords, TERMS_BYTES, read_slot,
};
use machine::{Buffers, Machine};
use naga::valid::ModuleInfo;
use random::Random;
use std::borrow::Cow;
use std::future::Future;
use std::ops::Range;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Shaders in one submission.
const BATCH: usize = 32;
/// From one binding of a job to the next.
const STRIDE: usize = 256;
/// Where the bindings that are written are, in units of [`STRIDE`], and at last the pool, which takes more.
const WRITTEN: [(u32, u32); 4] = [(0, 0), (0, 2), METER, POOL];
const POOL_AT: usize = 3;
const JOB_BYTES: usize = (STRIDE * POOL_AT + 4 * PoolWords::COUNT).next_multiple_of(STRIDE);

/// A dispatch and what it should leave.
struct Job {
    seed: u64,
    module: naga::Module,
    before: Buffers,
    /// What it spends from, if it is metered, and how many invocations say that they came to their end.
    settles: Option<(FuelPool, u32)>,
    /// What it leaves if it does not run out; `None` if it has to.
    after: Option<Buffers>,
    /// Whether it may run out. With little fuel, who does depends on who comes first.
    may_run_out: bool,
}

/// The dispatches of one shader: as it is if it ends, and metered with enough and with too little.
fn jobs(seed: u64) -> Vec<Job> {
    let admitted = admitted(seed);
    let run = |module: &naga::Module, info: &ModuleInfo, before: &Buffers, steps| {
        let mut after = before.clone();
        let end = Machine::new(module, info, steps).run(&mut after, WORKGROUPS);
        end.ok().map(|()| after)
    };
    let before = buffers();
    let plain = run(admitted.module(), admitted.info(), &before, 20_000);
    let job = |module: &naga::Module, before, after| Job {
        seed,
        module: module.clone(),
        before,
        after,
        settles: None,
        may_run_out: false,
    };
    let ends = plain.is_some();
    let mut jobs = Vec::new();
    if ends {
        jobs.push(job(admitted.module(), before, plain));
    }
    let scant = u64::from(Random::new(seed).below(600) * INVOCATIONS);
    for options in OPTIONS {
        let Some(shader) = instrumented(seed, &admitted, options) else {
            continue;
        };
        for fuel in [PLENTY, scant].into_iter().filter(|_| shader.is_dynamic) {
            if !ends && fuel == PLENTY {
                continue;
            }
            let before = fuelled(&shader, fuel);
            let after = ends.then(|| run(&shader.module, &shader.info, &before, 4_000_000));
            let (pool, _) = pool(&shader, fuel);
            jobs.push(Job {
                settles: Some((pool, settled(&shader))),
                may_run_out: fuel == scant,
                ..job(&shader.module, before, after.flatten())
            });
        }
    }
    jobs
}

/// Checks what a dispatch left; whether it ran out.
fn check(job: &Job, left: &[u8]) -> bool {
    let text = || format!("shader {}\n{}", job.seed, text_of(job.seed));
    let (small, pool) = left.split_at(STRIDE * POOL_AT);
    let places: Vec<&[u8]> = small.chunks(STRIDE).chain([pool]).collect();
    let reading = read_slot(places[2]);
    if let Some((shared, settled)) = job.settles {
        assert_eq!(shared.read(pool).settled, u64::from(settled), "{}", text());
        assert!(!reading.is_cut, "{}", text());
    }
    if reading.is_exhausted {
        assert!(job.may_run_out, "{}", text());
        return true;
    }
    let after = job.after.as_ref().expect("who is endless runs out");
    let flags = after
        .get(&METER)
        .map(|meter| meter[MeterWords::FLAGS as usize]);
    let ran_out = flags.is_some_and(|flags| flags & MeterWords::EXHAUSTED != 0);
    for (slot, left) in WRITTEN.iter().zip(places) {
        // Of a run that ran out where the device's did not, nothing is known but that.
        if let Some(words) = after.get(slot).filter(|_| !ran_out) {
            let expected = bytes(words);
            assert_eq!(left[..expected.len()], expected, "{}", text());
        }
    }
    false
}

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    layouts: [wgpu::BindGroupLayout; 2],
}

/// Drivers here answer at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the driver did not answer at once"),
    }
}

impl Gpu {
    fn open() -> Option<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = now(instance.enumerate_adapters(wgpu::Backends::VULKAN));
        let is_able =
            |adapter: &wgpu::Adapter| adapter.features().contains(wgpu::Features::SUBGROUP);
        let adapter = adapters.into_iter().find(is_able)?;
        println!("on {}", adapter.get_info().name);
        let required_limits = wgpu::Limits {
            max_bind_groups: 5,
            max_storage_buffers_per_shader_stage: 5,
            ..wgpu::Limits::downlevel_defaults()
        };
        let (device, queue) = now(adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: wgpu::Features::SUBGROUP,
            required_limits,
            ..Default::default()
        }))
        .ok()?;
        let layouts = [
            layout(&device, &[written(0), read(1), written(2), uniform(3)]),
            layout(
                &device,
                &[written(METER.1), written(POOL.1), uniform(TERMS.1)],
            ),
        ];
        Some(Self {
            device,
            queue,
            layouts,
        })
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    fn pipeline(&self, job: &Job) -> wgpu::ComputePipeline {
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Naga(Cow::Owned(job.module.clone())),
            });
        let [guest, meter] = self.layouts.each_ref().map(Some);
        let groups = [guest, None, None, None, meter];
        let used = if job.before.contains_key(&METER) {
            5
        } else {
            1
        };
        let layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &groups[..used],
                immediate_size: 0,
            });
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
    }

    /// Runs the jobs in one submission; what each left, by its position.
    fn run(&self, jobs: &[Job]) -> Vec<u8> {
        use wgpu::BufferUsages as U;
        let size = (jobs.len() * JOB_BYTES) as u64;
        let arena = self.buffer(size, U::STORAGE | U::COPY_SRC | U::COPY_DST);
        let table = self.buffer(64, U::STORAGE | U::COPY_DST);
        let parameters = self.buffer(8, U::UNIFORM | U::COPY_DST);
        let terms = self.buffer((jobs.len() * STRIDE) as u64, U::UNIFORM | U::COPY_DST);
        let landing = self.buffer(size, U::MAP_READ | U::COPY_DST);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (position, job) in jobs.iter().enumerate() {
            let start = position * JOB_BYTES;
            for (slot, place) in WRITTEN.iter().zip(0..) {
                if let Some(words) = job.before.get(slot) {
                    let offset = (start + place * STRIDE) as u64;
                    self.queue.write_buffer(&arena, offset, &bytes(words));
                }
            }
            let at = |place: usize, len| part(&arena, (start + place * STRIDE) as u64, len);
            let guest = [(0, at(0, 64)), (1, part(&table, 0, 64))];
            let guest = guest
                .into_iter()
                .chain([(2, at(1, 16)), (3, part(&parameters, 0, 8))]);
            let guest = self.group(0, guest);
            let terms_at = (position * STRIDE) as u64;
            if let Some(words) = job.before.get(&TERMS) {
                self.queue.write_buffer(&terms, terms_at, &bytes(words));
            }
            let meter = self.group(
                1,
                [
                    (METER.1, at(2, METER_BYTES)),
                    (POOL.1, at(POOL_AT, POOL_BYTES)),
                    (TERMS.1, part(&terms, terms_at, TERMS_BYTES)),
                ],
            );
            let pipeline = self.pipeline(job);
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &guest, &[]);
            if job.before.contains_key(&METER) {
                pass.set_bind_group(METER.0, &meter, &[]);
            }
            pass.dispatch_workgroups(WORKGROUPS, 1, 1);
        }
        let shared = buffers();
        self.queue.write_buffer(&table, 0, &bytes(&shared[&(0, 1)]));
        self.queue
            .write_buffer(&parameters, 0, &bytes(&shared[&(0, 3)]));
        encoder.copy_buffer_to_buffer(&arena, 0, &landing, 0, size);
        self.queue.submit([encoder.finish()]);
        landing.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("the device goes on");
        landing
            .slice(..)
            .get_mapped_range()
            .expect("it is mapped")
            .to_vec()
    }

    fn group<'a>(
        &self,
        layout: usize,
        entries: impl IntoIterator<Item = (u32, wgpu::BufferBinding<'a>)>,
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(binding, part)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(part),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layouts[layout],
            entries: &entries,
        })
    }
}

fn part(buffer: &wgpu::Buffer, offset: u64, len: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding {
        buffer,
        offset,
        size: std::num::NonZeroU64::new(len),
    }
}

fn layout(
    device: &wgpu::Device,
    slots: &[(u32, wgpu::BufferBindingType)],
) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = slots
        .iter()
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding: *binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: *ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    })
}

fn written(slot: u32) -> (u32, wgpu::BufferBindingType) {
    (slot, wgpu::BufferBindingType::Storage { read_only: false })
}

fn read(slot: u32) -> (u32, wgpu::BufferBindingType) {
    (slot, wgpu::BufferBindingType::Storage { read_only: true })
}

fn uniform(slot: u32) -> (u32, wgpu::BufferBindingType) {
    (slot, wgpu::BufferBindingType::Uniform)
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().copied().flat_map(u32::to_le_bytes).collect()
}

/// Runs the shaders with these seeds: how many dispatches there were, and how many ran out.
fn run_seeds(seeds: Range<u64>) -> [u32; 2] {
    // A device takes the longer for a pipeline the more it has made.
    let gpu = Gpu::open().expect("there was one before");
    let (mut dispatches, mut exhausted) = (0, 0);
    for first in seeds.clone().step_by(BATCH) {
        let batch = first..(first + BATCH as u64).min(seeds.end);
        let jobs: Vec<Job> = batch.flat_map(jobs).collect();
        let left = gpu.run(&jobs);
        for (job, left) in jobs.iter().zip(left.chunks(JOB_BYTES)) {
            dispatches += 1;
            exhausted += u32::from(check(job, left));
        }
    }
    [dispatches, exhausted]
}

#[test]
fn a_device_does_what_the_interpreter_says_with_and_without_fuel() {
    const TO_A_DEVICE: u64 = 8 * BATCH as u64;
    if Gpu::open().is_none() {
        let is_required = std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some();
        assert!(!is_required, "there is no Vulkan adapter with subgroups");
        eprintln!("skipped: there is no Vulkan adapter with subgroups");
        return;
    }
    let count = count(2_000);
    let parts = (0..count).step_by(8 * BATCH);
    let parts = parts.map(|first| first..(first + TO_A_DEVICE).min(count));
    let waiting = Mutex::new(parts);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = || waiting.lock().expect("nobody panics with it").next();
    let work = || std::iter::from_fn(next).map(run_seeds).collect::<Vec<_>>();
    let done: Vec<[u32; 2]> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = started.into_iter().map(|part| part.join());
        done.flat_map(|done| done.expect("every shader passes"))
            .collect()
    });
    let [dispatches, exhausted] = [0, 1].map(|of| done.iter().map(|part| part[of]).sum::<u32>());
    println!("{dispatches} dispatches, {exhausted} of which ran out");
    assert!(exhausted > 0 && dispatches > 2 * exhausted);
}

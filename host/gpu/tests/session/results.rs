//! What lavapipe computes: results, zeros where nothing was written, and nothing out of range.

use crate::lab::{
    Lab, Order, SPIN, STEP, bytes, dispatch, fill, nothing, read_array, run, software, words, write,
};
use hotcell_model::gpu::{
    GpuAnswer, GpuCommand, GpuEnd, GpuStep, OTHER_KERNELS, PROFILED_DISPATCHES, PROFILED_KERNELS,
};
use hotcell_model::limit::Limit;
use std::sync::PoisonError;

#[test]
fn the_device_warms_up() {
    let Some(device) = software() else { return };
    device.warm_up().unwrap();
    assert!(device.is_software());
    assert!(!device.is_lost());
    assert!(device.driver().contains("llvmpipe"), "{}", device.driver());
}

#[test]
fn the_device_says_after_how_many_turns_it_ends_a_loop() {
    assert_eq!(nothing().turns_limit(), None);
    let Some(device) = software() else { return };
    // Of the lavapipe that is tested; docs/gpu.md has the number.
    assert_eq!(device.turns_limit(), Some(65_535));
}

#[test]
fn arrays_go_in_and_come_out_in_one_call() {
    let Some(device) = software() else { return };
    let numbers: Vec<u32> = (0..1000).collect();
    let (order, seen) = Order::new().input(bytes(&numbers)).output(4001);
    let mut lab = order.begin(&device);
    let (a, b) = (lab.buffer(4000), lab.buffer(4000));
    let kernel = lab.kernel(STEP);
    let bind_set = lab.bind(kernel, &[a, b]);
    let answers = lab.run(vec![
        fill(0, a, 4000),
        dispatch(bind_set, 16),
        dispatch(bind_set, 16),
        read_array(0, b, 3999),
        GpuStep::Read {
            buffer: b,
            offset_bytes: 4,
            len_bytes: 3,
        },
    ]);
    assert_eq!(answers, [vec![3u8, 0, 0]]);
    assert_eq!(lab.finish().end, None);
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let tripled: Vec<u32> = numbers.iter().map(|number| 3 * number).collect();
    assert_eq!(seen[..3999], bytes(&tripled)[..3999]);
    assert_eq!(seen[3999..], [0, 0]);
}

#[test]
fn more_than_a_block_goes_through_in_order() {
    let Some(device) = software() else { return };
    let size = 17 << 20;
    let numbers: Vec<u32> = (0..size / 4).collect();
    let (order, seen) = Order::new().input(bytes(&numbers)).output(size as usize);
    let mut lab = order.begin(&device);
    let (a, b) = (lab.buffer(u64::from(size)), lab.buffer(u64::from(size)));
    let copy = GpuStep::Copy {
        source: a,
        source_offset_bytes: 0,
        destination: b,
        destination_offset_bytes: 0,
        len_bytes: u64::from(size),
    };
    let clear = GpuStep::Clear {
        buffer: a,
        offset_bytes: 0,
        len_bytes: u64::from(size),
    };
    let len = u64::from(size);
    lab.created(GpuCommand::Submit {
        steps: vec![
            fill(0, a, len),
            copy,
            clear,
            write(a, 0, vec![9; 4]),
            read_array(0, b, len),
        ],
        wait: false,
    });
    assert_eq!(lab.words(a, 2), [0x0909_0909, 0]);
    let end = lab.finish();
    assert_eq!(end.end, None);
    assert!(
        end.usage.peak_bytes < 2 * len + (33 << 20),
        "{}",
        end.usage.peak_bytes
    );
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(words(&seen) == numbers);
}

#[test]
fn writes_are_seen_by_batches_after_them_and_reads_see_batches_before() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let (a, b) = (lab.buffer(256), lab.buffer(256));
    let kernel = lab.kernel(STEP);
    let bind_set = lab.bind(kernel, &[a, b]);
    for round in 1..=3u32 {
        lab.done(GpuCommand::WriteBuffer {
            buffer: a,
            offset_bytes: 0,
            data: hotcell_model::gpu::Payload(bytes(&[round; 64]).into()),
        });
        lab.created(GpuCommand::Submit {
            steps: vec![dispatch(bind_set, 1)],
            wait: false,
        });
    }
    assert_eq!(lab.words(b, 64), [11; 64]);
}

#[test]
fn a_submission_is_waited_for_once_and_gives_its_reads_once() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let a = lab.buffer(8);
    let read = GpuStep::Read {
        buffer: a,
        offset_bytes: 0,
        len_bytes: 8,
    };
    let steps = vec![write(a, 4, vec![5; 4]), read];
    let submission = lab.created(GpuCommand::Submit { steps, wait: false });
    match lab.say(GpuCommand::Wait(submission)) {
        GpuAnswer::Waited(payloads) => assert_eq!(payloads[0].0[..], [0, 0, 0, 0, 5, 5, 5, 5]),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        lab.say(GpuCommand::Wait(submission)),
        GpuAnswer::Waited(Vec::new())
    );
    lab.done(GpuCommand::Drop(submission));
}

#[test]
fn memory_is_fresh_and_zero() {
    let Some(device) = software() else { return };
    for words in [64, 16 << 10, 256 << 10] {
        let size = 4 * words as u64;
        for _ in 0..4 {
            let mut lab = Order::new().begin(&device);
            let a = lab.buffer(size);
            assert!(lab.words(a, size / 4).iter().all(|word| *word == 0));
            let ones = write(a, 0, vec![0xFF; 4 * words]);
            lab.run(vec![ones]);
            assert!(lab.words(a, size / 4).iter().all(|word| *word == u32::MAX));
            lab.done(GpuCommand::Drop(a));
            assert_eq!(lab.finish().end, None);
        }
    }
}

#[test]
fn workgroup_and_private_memory_are_zero() {
    const LEFT: &str = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        var<workgroup> w: array<u32, 1024>;
        var<private> p: array<u32, 16>;
        @compute @workgroup_size(64)
        fn main(@builtin(workgroup_id) g: vec3<u32>, @builtin(local_invocation_index) i: u32) {
            var found = 0u;
            for (var k = 0u; k < 16u; k++) { found |= w[i * 16u + k] | p[k]; p[k] = 7u; w[i * 16u + k] = 9u; }
            a[g.x * 64u + i] = found;
            workgroupBarrier();
        }";
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let a = lab.buffer(64 * 64 * 4);
    let kernel = lab.kernel(LEFT);
    let bind_set = lab.bind(kernel, &[a]);
    lab.run(vec![
        write(a, 0, vec![1; 64 * 64 * 4]),
        dispatch(bind_set, 64),
        dispatch(bind_set, 64),
    ]);
    assert!(lab.words(a, 64 * 64).iter().all(|word| *word == 0));
}

#[test]
fn accesses_out_of_range_stay_in_the_binding() {
    const FAR: &str = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> b: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let far = id.x * 1021u + b[0];
            a[far] = 0xBADu;
            a[far + 0x40000000u] = 0xBADu;
            a[0xFFFFFFFFu - id.x] = 0xBADu;
            b[1u + id.x % 8u] = a[far + 64u] | a[0x7FFFFFFFu - id.x];
        }";
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let (a, b, guard) = (lab.buffer(1024), lab.buffer(64), lab.buffer(64 << 10));
    let kernel = lab.kernel(FAR);
    let part = hotcell_model::gpu::GpuBinding {
        offset_bytes: 256,
        len_bytes: Some(256),
        ..crate::lab::at(0, a)
    };
    let bindings = vec![part, crate::lab::at(1, b)];
    let bind_set = lab.created(GpuCommand::Bind { kernel, bindings });
    let secret = write(a, 512, vec![0x55; 512]);
    lab.run(vec![
        secret,
        write(b, 0, bytes(&[64])),
        dispatch(bind_set, 8),
    ]);
    let seen = lab.words(a, 256);
    assert!(seen[..64].iter().all(|word| *word == 0));
    assert!(seen[128..].iter().all(|word| *word == 0x5555_5555));
    assert!(lab.words(guard, 16 << 10).iter().all(|word| *word == 0));
    assert!(
        lab.words(b, 9)[1..]
            .iter()
            .all(|word| *word == 0 || *word == 0xBAD)
    );
}

#[test]
fn a_hundred_dispatches_are_one_batch_and_cost_what_they_cost_alone() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let (a, b) = (lab.buffer(256), lab.buffer(256));
    let kernel = lab.kernel(SUM);
    let bind_set = lab.bind(kernel, &[a, b]);
    lab.run(vec![write(a, 0, bytes(&[10; 64])), dispatch(bind_set, 1)]);
    let before = lab.words(b, 1)[0];
    lab.run(vec![dispatch(bind_set, 1); 100]);
    assert_eq!(lab.words(b, 64), [101 * before; 64]);
    let usage = lab.finish().usage;
    assert_eq!((usage.dispatches, usage.invocations), (101, 101 * 64));
    assert!(usage.fuel_static + usage.fuel_dynamic <= usage.fuel_bound);
    assert!(usage.time_ns > 0);
}

/// As many rounds as its first buffer says.
const SUM: &str = "
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    var k = 0u;
    loop { if k * k >= a[k & 63u] { break; } b[i] += 1u; k += 1u; }
}
";

#[test]
fn a_profile_has_each_dispatch_with_what_it_spent() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().profile().begin(&device);
    let (a, b) = (lab.buffer(256), lab.buffer(256));
    let (step, sum) = (lab.kernel(STEP), lab.kernel(SUM));
    let (step, sum) = (lab.bind(step, &[a, b]), lab.bind(sum, &[a, b]));
    let put = |count: u32| write(a, 0, bytes(&[count; 64]));
    lab.run(vec![
        put(0),
        dispatch(step, 1),
        put(100),
        dispatch(sum, 1),
        put(10_000),
        dispatch(sum, 2),
    ]);
    let usage = lab.finish().usage;
    let (profile, kernels) = (usage.profile, usage.kernels);
    let volumes: Vec<_> = profile
        .iter()
        .map(|dispatch| dispatch.invocations)
        .collect();
    assert_eq!(volumes, [64, 64, 128]);
    assert_eq!(profile[0].fuel_dynamic, 0);
    assert!(profile[1].fuel_dynamic > 0);
    assert!(profile[2].fuel_dynamic > 10 * profile[1].fuel_dynamic);
    // Each is waited for by itself, and together they are the device's time but for the copies.
    let times: Vec<u64> = profile.iter().map(|dispatch| dispatch.time_ns).collect();
    assert!(times.iter().all(|time| *time > 0), "{times:?}");
    assert!(times.iter().sum::<u64>() <= usage.time_ns, "{times:?}");
    let of_kernels: Vec<_> = kernels
        .iter()
        .map(|kernel| (kernel.entry.as_str(), kernel.dispatches, kernel.invocations))
        .collect();
    assert_eq!(of_kernels, [("main", 1, 64), ("main", 2, 192)]);
    assert_eq!(
        kernels[1].fuel_dynamic,
        profile[1].fuel_dynamic + profile[2].fuel_dynamic
    );
    assert_eq!(kernels[1].time_ns, times[1] + times[2]);
    assert_eq!(kernels[1].longest_ns, times[1].max(times[2]));
}

#[test]
fn a_profile_of_very_many_kernels_and_dispatches_stays_small() {
    let device = nothing();
    let order = Order::new().profile().limit(Limit::GpuPipelines, 200);
    let mut lab = order.begin(&device);
    let (a, b) = (lab.buffer(256), lab.buffer(256));
    for at in 0..100 {
        let kernel = lab.kernel(&format!("{STEP}\n// The {at}th.\n"));
        let bind_set = lab.bind(kernel, &[a, b]);
        lab.run(vec![dispatch(bind_set, 1); 10]);
    }
    let usage = lab.finish().usage;
    assert_eq!(usage.dispatches, 1000);
    assert_eq!(
        (usage.profile.len(), usage.kernels.len()),
        (PROFILED_DISPATCHES, PROFILED_KERNELS)
    );
    let told: u64 = usage.kernels.iter().map(|kernel| kernel.dispatches).sum();
    assert_eq!(told, 1000);
    let others = &usage.kernels[PROFILED_KERNELS - 1];
    assert_eq!(
        (others.entry.as_str(), others.dispatches),
        (OTHER_KERNELS, 370)
    );
}

#[test]
fn an_endless_loop_ends_by_its_fuel_and_its_outputs_are_not_read() {
    let Some(device) = software() else { return };
    let (order, seen) = Order::new().output(8);
    let mut lab = order.limit(Limit::GpuFuel, 10_000_000).begin(&device);
    let a = lab.buffer(256);
    let kernel = lab.kernel(SPIN);
    let bind_set = lab.bind(kernel, &[a]);
    let endless = run(vec![dispatch(bind_set, 4), read_array(0, a, 8)]);
    let end = lab.ended(endless);
    assert_eq!(lab.say(GpuCommand::Open), GpuAnswer::Ended(end.clone()));
    let finished = lab.finish();
    assert!(finished.usage.is_fuel_exhausted);
    // Neither more nor less than what was charged.
    let exhausted = GpuEnd::FuelExhausted {
        used: finished.usage.fuel_static + finished.usage.fuel_dynamic,
        maximum: 10_000_000,
    };
    assert_eq!((finished.end, end), (Some(exhausted.clone()), exhausted));
    assert!(!device.is_lost());
    drop(seen);
    assert_eq!(Lab::nothing().finish().end, None);
}

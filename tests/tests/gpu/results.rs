//! What comes back from a device, and what the report says of it.

use hotcell::Request;
use hotcell::grant::Capability;
use hotcell::outcome::{Blame, Cause, OutcomeKind};
use hotcell_tests::gpu::{DOUBLE, array, bytes, out, shader_request};
use hotcell_tests::{assert_ended, gpu_arena};

#[test]
fn a_shader_runs_over_an_array_and_the_report_says_what_it_took() {
    let arena = gpu_arena!();
    let ended = arena.shader(DOUBLE, &[5, 6, 7, 8]);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended), [10, 12, 14, 16]);
    let gpu = ended.report.usage.gpu.as_ref().unwrap();
    assert_eq!((gpu.dispatches, gpu.invocations), (1, 4));
    assert_eq!((gpu.pipelines, gpu.buffers, gpu.bind_sets), (1, 1, 1));
    assert_eq!(gpu.shader_bytes, (DOUBLE.len() + "main".len()) as u64);
    assert!(gpu.fuel_static > 0 && gpu.fuel_bound == gpu.fuel_static);
    assert!(!gpu.is_fuel_exhausted && gpu.fuel_dynamic == 0);
    assert!(gpu.peak_bytes >= 16 && gpu.time_ns > 0);
    let device = ended.report.device.as_deref().unwrap();
    assert!(device.contains("llvmpipe"), "{device}");
}

#[test]
fn arrays_larger_than_a_frame_go_to_the_device_and_back_without_a_byte_changed() {
    let arena = gpu_arena!();
    for len in [1_u32, 4, 12_345, 1 << 20] {
        let words: Vec<u32> = (0..len).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        let ended = arena.shader(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
            @compute @workgroup_size(1) fn main() { x[0] = ~x[0]; }",
            &words,
        );
        assert_ended(&ended, OutcomeKind::Done, None);
        let mut expected = words;
        expected[0] = !expected[0];
        assert!(out(&ended) == expected, "{len}");
    }
}

#[test]
fn the_guests_own_memory_goes_there_and_back() {
    let arena = gpu_arena!();
    for len in [4_u32, 100_000] {
        let words: Vec<u32> = (0..len).collect();
        let ended = arena.run(Request::new().entry("echo").input("x", array(&words)));
        assert_ended(&ended, OutcomeKind::Done, None);
        assert!(out(&ended) == words, "{len}");
    }
}

#[test]
fn launches_one_after_another_see_nothing_of_each_other() {
    let arena = gpu_arena!();
    let secret = vec![0xdead_beef_u32; 4096];
    assert_ended(&arena.shader(DOUBLE, &secret), OutcomeKind::Done, None);
    // Reads workgroup and private memory that nobody has written, and all that lies beyond its buffer.
    let snoop = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        var<workgroup> w: array<u32, 1024>;
        var<private> p: array<u32, 64>;
        @compute @workgroup_size(1) fn main() {
            var seen = 0u;
            for (var i = 0u; i < 1024u; i++) { seen |= w[i]; }
            for (var i = 0u; i < 64u; i++) { seen |= p[i]; }
            x[1] = seen;
            for (var i = 4u; i < 4096u; i++) { if (x[i] == 0xdeadbeefu) { x[2] = 1u; } }
        }";
    let ended = arena.shader(snoop, &[7, 7, 0, 7]);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended), [7, 0, 0, 7]);
}

#[test]
fn a_profile_counts_the_fuel_of_a_dispatch_exactly() {
    let arena = gpu_arena!();
    let looping = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn main() {
            var i = x[0];
            loop { if (i == 0u) { break; } i = i - 1u; x[1] += 1u; }
        }";
    let spent = |rounds: u32| {
        let request = shader_request(looping, &[rounds, 0, 0, 0]).gpu_profile();
        let ended = arena.run(request);
        assert_ended(&ended, OutcomeKind::Done, None);
        assert_eq!(out(&ended), [rounds, rounds, 0, 0]);
        let gpu = ended.report.usage.gpu.unwrap();
        assert_eq!(gpu.profile.len(), 1);
        assert_eq!(gpu.profile[0].invocations, 1);
        gpu.profile[0].fuel_dynamic
    };
    let (one, two, many) = (spent(1), spent(2), spent(101));
    assert!(two > one);
    assert_eq!(many - one, 100 * (two - one));
}

#[test]
fn a_kernel_that_asks_for_a_gpu_and_was_not_granted_one_is_refused_by_name() {
    let arena = gpu_arena!();
    let ended = arena
        .cell
        .run(arena.probe(), shader_request(DOUBLE, &[1; 4]));
    assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Operator));
    assert!(ended.outcome.message.contains("hotcell:gpu/compute@0.2.0"));
    let asked = ended.outcome.causes.iter().map(|cause| match cause {
        Cause::NotGranted { capability, .. } => Some(*capability),
        _ => None,
    });
    assert_eq!(
        asked.collect::<Vec<_>>(),
        [Some(Capability::Gpu), Some(Capability::GpuText)]
    );
    assert_eq!(ended.report.usage.gpu, None);
}

#[test]
fn deterministic_metering_has_no_gpu() {
    let arena = gpu_arena!();
    let request = shader_request(DOUBLE, &[1; 4]).metering(hotcell::Metering::Deterministic);
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Request));
}

#[test]
fn a_grant_that_is_not_used_starts_no_worker_and_changes_nothing() {
    let arena = gpu_arena!();
    let honest = hotcell_tests::Guest::named("honest").component();
    let request = hotcell_tests::honest_request().want(Capability::Gpu);
    let ended = arena.cell.run(&honest, request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.usage.gpu, None);
}

#[test]
fn work_that_nobody_waited_for_is_done_before_the_launch_ends() {
    let arena = gpu_arena!();
    let request = Request::new().entry("leave");
    let request = request
        .input("source", bytes(DOUBLE))
        .input("x", array(&[1, 2, 3, 4]));
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.usage.gpu.as_ref().unwrap().dispatches, 1);
    arena.assert_serves();
}

//! Guests that ask for too much of a GPU, or for what makes no sense: refused with both numbers.

use hotcell::limit::{Amount, Limit};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell_tests::gpu::{misuse_request, out, shader_request};
use hotcell_tests::{assert_ended, gpu_arena};

#[test]
fn every_quota_refuses_what_is_over_it_and_the_launch_ends_with_both_numbers() {
    let arena = gpu_arena!();
    for (what, limit, value) in [
        (0, Limit::GpuBytes, 1 << 30),
        (1, Limit::GpuBuffers, 8),
        (2, Limit::GpuBindSets, 8),
        (3, Limit::GpuPipelines, 8),
        (4, Limit::GpuDispatches, 2500),
        (5, Limit::GpuInvocations, 1_000_000),
    ] {
        // Fuel is looked at first, and is not what is meant here.
        let request = misuse_request(what).limit(Limit::GpuFuel, Limit::GpuFuel.ceiling());
        let ended = arena.run(request.limit(limit, value));
        assert_ended(&ended, OutcomeKind::GpuLimit, Some(Blame::Guest));
        let breach = ended.outcome.breach().unwrap();
        assert_eq!((breach.limit, breach.maximum), (limit, value), "{what}");
        let Amount::Requested(requested) = breach.amount else {
            panic!("{breach}");
        };
        assert!(requested > value, "{breach}");
        arena.assert_serves();
    }
}

#[test]
fn more_work_than_the_fuel_is_refused_before_it_runs() {
    let arena = gpu_arena!();
    let request = misuse_request(5).limit(Limit::GpuInvocations, Limit::GpuInvocations.ceiling());
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::GpuLimit, Some(Blame::Guest));
    assert_eq!(ended.outcome.breach().unwrap().limit, Limit::GpuFuel);
    assert_eq!(ended.report.usage.gpu.unwrap().dispatches, 0);
}

#[test]
fn a_guest_can_lower_a_quota_and_not_raise_it() {
    let arena = gpu_arena!();
    let raised = arena.misuse(6);
    assert_ended(&raised, OutcomeKind::GpuLimit, Some(Blame::Guest));
    let lowered = arena.misuse(11);
    assert_ended(&lowered, OutcomeKind::GpuLimit, Some(Blame::Guest));
    assert_eq!(lowered.outcome.breach().unwrap().maximum, 4096);
}

#[test]
fn a_refusal_that_the_guest_can_live_with_ends_nothing() {
    let ended = gpu_arena!().misuse(10);
    assert_ended(&ended, OutcomeKind::Done, None);
}

#[test]
fn what_makes_no_sense_is_an_error_that_the_guest_gets() {
    let arena = gpu_arena!();
    for (what, words) in [
        (7, "binding"),
        (8, "given.wgsl:1:"),
        (9, "leave the 16 bytes"),
    ] {
        let ended = arena.misuse(what);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        assert!(
            ended.outcome.message.contains(words),
            "{}",
            ended.outcome.message
        );
    }
}

#[test]
fn a_shaders_error_names_the_place_in_the_authors_file() {
    let arena = gpu_arena!();
    let ended = arena.shader(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;\n\
         @compute @workgroup_size(64)\n\
         fn main(@builtin(local_invocation_index) i: u32) {\n\
         \u{20}   if (i < 32u) {\n\
         \u{20}       workgroupBarrier();\n\
         \u{20}   }\n\
         \u{20}   x[0] = 1u;\n}\n",
        &[0; 4],
    );
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    let message = &ended.outcome.message;
    assert!(message.contains("given.wgsl:5:9"), "{message}");
    assert!(message.contains("together"), "{message}");
}

#[test]
fn reads_and_writes_out_of_range_stay_in_the_buffer() {
    let arena = gpu_arena!();
    let ended = arena.run(shader_request(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn main() {
            let far = x[0];
            x[far] = 0xffffffffu;
            x[1] = x[far + 12345u] & 0u;
            x[1000000000u + far] = 9u;
        }",
        &[4_000_000_000, 2, 3, 4],
    ));
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended).len(), 4);
    arena.assert_serves();
}

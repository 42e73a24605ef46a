//! Shaders that would never end, and devices that do not: the launch ends, the next is served.
//!
//! Mesa's lavapipe ends loops by itself after 65 535 turns in all of an invocation, so that what is to take long here
//! takes many invocations, and what is to spend its fuel has less than those turns cost.

use hotcell::Request;
use hotcell::limit::{Amount, Limit};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell_tests::gpu::{array, bytes, shader_request};
use hotcell_tests::{assert_ended, gpu_arena};
use std::time::{Duration, Instant};

const ENDLESS: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { loop { x[1] += 1u; if (x[0] == 0u) { break; } } }";

#[test]
fn a_shader_that_never_ends_spends_its_fuel_and_its_outputs_are_discarded() {
    let arena = gpu_arena!();
    let request = shader_request(ENDLESS, &[1; 4]).limit(Limit::GpuFuel, 100_000);
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::GpuFuelExhausted, Some(Blame::Guest));
    let breach = ended.outcome.breach().unwrap();
    assert_eq!((breach.limit, breach.maximum), (Limit::GpuFuel, 100_000));
    // Who is given fuel where there is little of it depends on who comes first.
    assert!(!ended.outcome.reproducible && ended.results.is_empty());
    let gpu = ended.report.usage.gpu.as_ref().unwrap();
    assert!(gpu.is_fuel_exhausted);
    // What was used, and not one more than was allowed.
    let used = gpu.fuel_static + gpu.fuel_dynamic;
    assert_eq!(breach.amount, Amount::Used(used));
    arena.assert_serves();
}

#[test]
fn many_dispatches_share_one_budget() {
    let arena = gpu_arena!();
    // Ends by itself after x[0] rounds: a good part of the budget each time.
    let looping = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn main() {
            var i = x[0];
            loop { if (i == 0u) { break; } i = i - 1u; x[1] += 1u; }
        }";
    let request = |times: u32| {
        Request::new()
            .entry("repeat")
            .scalar("times", times)
            .input("source", bytes(looping))
            .input("x", array(&[10_000, 0, 0, 0]))
            .limit(Limit::GpuFuel, 2_000_000)
    };
    assert_ended(&arena.run(request(1)), OutcomeKind::Done, None);
    let ended = arena.run(request(1000));
    assert_ended(&ended, OutcomeKind::GpuFuelExhausted, Some(Blame::Guest));
}

/// Some ten seconds of work on a software device, each invocation of it short: in process, what is given up goes on
/// beside the tests after this one.
fn long_request() -> Request {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {
            var a = lane;
            for (var i = 0u; i < 60000u; i++) { a = a * 3u + x[2]; }
            if (a == 12345u) { x[1] = a; }
        }";
    shader_request(wgsl, &[1; 4])
        .scalar("x_groups", 4_000u32)
        .limit(Limit::GpuFuel, Limit::GpuFuel.ceiling())
        .limit(Limit::GpuTime, Limit::GpuTime.ceiling())
}

#[test]
fn a_device_that_does_not_finish_ends_its_launch_and_the_next_is_served() {
    let arena = gpu_arena!();
    // As much fuel as can be had: only time ends it.
    let request = long_request().timeout(Duration::from_millis(700));
    let begin = Instant::now();
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::GpuTimeout, Some(Blame::Guest));
    assert!(!ended.outcome.reproducible && ended.results.is_empty());
    let breach = ended.outcome.breach().unwrap();
    assert_eq!(
        (breach.limit, breach.maximum),
        (Limit::Timeout, 700_000_000)
    );
    let gpu = ended.report.usage.gpu.as_ref().unwrap();
    assert_eq!((gpu.dispatches, gpu.invocations), (1, 4_000 * 64));
    arena.assert_serves();
    // Wide for a busy machine; the figure itself is measured, not asserted.
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn gpu_time_that_is_spent_is_named_as_what_it_is() {
    let arena = gpu_arena!();
    let request = long_request()
        .limit(Limit::GpuTime, 300_000_000)
        .timeout(Duration::from_secs(60));
    let ended = arena.run(request);
    assert_ended(&ended, OutcomeKind::GpuTimeout, Some(Blame::Guest));
    let breach = ended.outcome.breach().unwrap();
    assert_eq!(
        (breach.limit, breach.maximum),
        (Limit::GpuTime, 300_000_000)
    );
    assert!(!ended.outcome.reproducible && ended.results.is_empty());
    arena.assert_serves();
}

#[test]
fn a_launch_that_waits_for_a_device_is_cancelled() {
    let arena = gpu_arena!();
    let request = long_request()
        .timeout(Duration::from_secs(60))
        .want(hotcell::grant::Capability::Gpu)
        .want(hotcell::grant::Capability::GpuText);
    let launch = arena.cell.start(arena.probe(), request).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    launch.cancel();
    let ended = launch.wait();
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert_ended(&ended, OutcomeKind::Cancelled, Some(Blame::Request));
    arena.assert_serves();
}

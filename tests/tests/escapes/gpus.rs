//! GPU workers that turned hostile: late, silent, untrue, or holding on to what is not theirs any more.

use super::alerts;
use hotcell::grant::Capability;
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::AlertKind::{self, HostileWorker, WorkerDied, WorkerKilled};
use hotcell::{Cell, Component, Ended, GpuDevice, Terms, Tier};
use hotcell_tests::gpu::{DOUBLE, has_lavapipe, shader_request};
use hotcell_tests::processes::{Signal, children, descriptors, eventually, signal, workers_of};
use hotcell_tests::{Hostile, alone, assert_ended, checkout, skip, workers};
use std::time::{Duration, Instant};

const FAKE: &str = env!("CARGO_BIN_EXE_hostile-worker");

/// Runs a GPU kernel in a cell whose GPU worker is a fake; `None`, visibly, without the kernel.
#[track_caller]
fn run(behaviour: &str) -> Option<Ended> {
    let Ok(probe) = Component::read(checkout().join("target/kernels/gpu-probe.wasm")) else {
        skip("target/kernels/gpu-probe.wasm is not there: `cargo xtask kernels` builds it");
        return None;
    };
    let hostile = Hostile::gpu(FAKE, behaviour);
    let cell = hostile.cell().require_tier(Tier::Insecure);
    let cell = cell.kill_grace(Duration::from_millis(100)).build().unwrap();
    let request = shader_request(DOUBLE, &vec![1; 16 << 10])
        .want(Capability::Gpu)
        .want(Capability::GpuText)
        .timeout(Duration::from_millis(500));
    let begin = Instant::now();
    let ended = cell.run(&probe, request);
    assert!(begin.elapsed() < Duration::from_secs(40), "{behaviour}");
    Some(ended)
}

#[track_caller]
fn assert_ends(behaviour: &str, kind: OutcomeKind, blame: Blame, alert: AlertKind) {
    let Some(ended) = run(behaviour) else { return };
    assert_ended(&ended, kind, Some(blame));
    assert!(
        alerts(&ended).contains(&alert),
        "{behaviour}: {:?}",
        ended.report.alerts
    );
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    assert!(
        ended
            .report
            .alerts
            .iter()
            .all(|alert| is_plain(&alert.message))
    );
}

#[test]
fn a_worker_that_is_no_worker_before_it_is_ready_is_seen() {
    assert_ends(
        "ready-garbage",
        OutcomeKind::HostFault,
        Blame::Unknown,
        HostileWorker,
    );
}

#[test]
fn a_worker_without_a_device_ends_the_launch_with_its_words_and_they_are_escaped() {
    let Some(ended) = run("unavailable") else {
        return;
    };
    assert_ended(&ended, OutcomeKind::GpuLost, Some(Blame::Operator));
    assert!(ended.outcome.message.contains("nothing here"));
}

#[test]
fn a_worker_that_does_not_let_go_is_killed_within_a_second_of_the_deadline() {
    assert_ends(
        "never-ends",
        OutcomeKind::GpuTimeout,
        Blame::Unknown,
        WorkerKilled,
    );
}

#[test]
fn a_worker_that_dies_loses_the_launch_and_no_more() {
    assert_ends(
        "dies-at-begin",
        OutcomeKind::GpuLost,
        Blame::Unknown,
        WorkerDied,
    );
}

#[test]
fn a_worker_that_speaks_of_another_launch_is_hostile() {
    assert_ends(
        "ends-another",
        OutcomeKind::GpuLost,
        Blame::Unknown,
        HostileWorker,
    );
}

#[test]
fn answers_to_a_runner_that_are_none_lose_the_launch() {
    let Some(ended) = run("answers-garbage") else {
        return;
    };
    assert_ended(&ended, OutcomeKind::GpuLost, ended.outcome.blame);
}

#[test]
fn what_a_worker_claims_of_a_loss_is_bounded_and_escaped() {
    let Some(ended) = run("claims-loss") else {
        return;
    };
    assert_ended(&ended, OutcomeKind::GpuLost, Some(Blame::Unknown));
    assert!(ended.outcome.message.len() < 4096);
}

#[test]
fn numbers_that_cannot_be_are_seen_and_not_believed() {
    for behaviour in [
        "claims-another-limit",
        "claims-less-than-the-limit",
        "claims-years",
        "claims-and-denies",
    ] {
        assert_ends(
            behaviour,
            OutcomeKind::GpuLost,
            Blame::Unknown,
            AlertKind::ClaimMismatch,
        );
    }
    let Some(ended) = run("claims-the-most") else {
        return;
    };
    assert!(alerts(&ended).contains(&AlertKind::ClaimMismatch));
}

#[test]
fn what_a_real_worker_had_used_is_known_after_it_was_killed() {
    alone!(what_a_real_worker_had_used_is_known_after_it_was_killed);
    let path = checkout().join("target/kernels/gpu-probe.wasm");
    let (true, Ok(probe)) = (has_lavapipe(), Component::read(path)) else {
        return skip("no software Vulkan device, or no target/kernels/gpu-probe.wasm");
    };
    let cell = Cell::confined()
        .workers(workers())
        .require_tier(Tier::Insecure);
    let cell = cell
        .policy(Terms::default().with_all_grants())
        .gpu(GpuDevice::Software)
        .build()
        .unwrap();
    // Seconds of work, with all the fuel that can be had.
    let wgsl = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {
            var a = lane;
            for (var i = 0u; i < 60000u; i++) { a = a * 3u + x[2]; }
            if (a == 12345u) { x[1] = a; }
        }";
    let request = shader_request(wgsl, &[1; 4])
        .scalar("x_groups", 8_000u32)
        .limit(Limit::GpuFuel, Limit::GpuFuel.ceiling())
        .want(Capability::Gpu)
        .want(Capability::GpuText);
    let launch = cell.start(&probe, request).unwrap();
    let gpus = || workers_of(std::process::id(), "hotcell-gpu");
    assert!(eventually(Duration::from_secs(30), || !gpus().is_empty()));
    std::thread::sleep(Duration::from_secs(2));
    gpus().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let ended = launch.wait();
    assert_ended(&ended, OutcomeKind::GpuLost, Some(Blame::Unknown));
    assert!(!ended.outcome.reproducible);
    assert!(alerts(&ended).contains(&WorkerDied));
    let gpu = ended.report.usage.gpu.as_ref().unwrap();
    assert_eq!((gpu.dispatches, gpu.invocations), (1, 8_000 * 64));
    assert!(gpu.fuel_static > 8_000 * 64 * 60_000 && gpu.shader_bytes > 0);
    assert!(ended.report.usage.claimed.contains(&"gpu".to_owned()));
}

#[test]
fn hostile_gpu_workers_leave_no_process_and_no_descriptor() {
    alone!(hostile_gpu_workers_leave_no_process_and_no_descriptor);
    let _ = run("dies-at-begin");
    let before = (children().len(), descriptors());
    for behaviour in [
        "dies-at-begin",
        "ready-garbage",
        "claims-loss",
        "never-ends",
    ] {
        let _ = run(behaviour);
    }
    let is_clean = || (children().len(), descriptors()) <= before;
    assert!(eventually(Duration::from_secs(60), is_clean), "{before:?}");
}

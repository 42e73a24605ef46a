//! Guests with a GPU.

use super::assert_same;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{Done, GpuFuelExhausted, GpuLimit};
use hotcell::{Ended, Isolation, Request};
use hotcell_tests::GpuArena;
use hotcell_tests::gpu::{DOUBLE, array, bytes, misuse_request, shader_request};

/// Some seconds of a software device's time, each invocation of it short.
const LONG: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {
    var a = lane;
    for (var i = 0u; i < 60000u; i++) { a = a * 3u + x[2]; }
    if (a == 12345u) { x[1] = a; }
}";

const ENDLESS: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { loop { x[1] += 1u; if (x[0] == 0u) { break; } } }";

struct Pair([GpuArena; 2]);

impl Pair {
    /// Both, where there is a device.
    fn new() -> Option<Self> {
        let [free, walled] = [Isolation::InProcess, Isolation::Confined].map(GpuArena::of);
        Some(Self([free?, walled?]))
    }

    #[track_caller]
    fn run(&self, name: &str, request: impl Fn() -> Request) -> Ended {
        let [free, walled] = self.0.each_ref().map(|arena| arena.run(request()));
        assert!(
            walled.report.alerts.is_empty(),
            "{name}: {:?}",
            walled.report.alerts
        );
        assert_same(name, &free, &walled);
        walled
    }
}

#[test]
fn every_entry_and_misuse_ends_alike_in_both_isolations() {
    let Some(pair) = Pair::new() else { return };
    for what in 0..=12 {
        let request = || match what {
            4 => misuse_request(4).limit(Limit::GpuDispatches, 2500),
            _ => misuse_request(what),
        };
        pair.run(&format!("misuse {what}"), request);
    }
    let text = "fn main( {".repeat(2000);
    for (name, wgsl) in [
        ("no shader", ""),
        ("half a one", "fn main( {"),
        ("many", &text),
    ] {
        pair.run(name, || shader_request(wgsl, &[1; 4]));
    }
    pair.run("a shader", || shader_request(DOUBLE, &[1; 4]));
    for entry in ["leave", "repeat", "batches"] {
        pair.run(entry, || {
            let request = Request::new().entry(entry);
            let request = match entry {
                "leave" => request,
                "repeat" => request.scalar("times", 3u32),
                _ => request.scalar("times", 3u32).scalar("size", 4u32),
            };
            let request = request.input("source", bytes(DOUBLE));
            request.input("x", array(&[1; 4]))
        });
    }
    pair.run("echo", || {
        Request::new().entry("echo").input("x", array(&[7; 9999]))
    });
}

#[test]
fn a_quota_that_the_guest_lowered_refuses_it_without_an_alert() {
    let Some(pair) = Pair::new() else { return };
    let ended = pair.run("lowered", || misuse_request(11));
    assert_eq!(ended.outcome.kind, GpuLimit);
    let breach = ended.outcome.breach().expect("a limit");
    assert_eq!((breach.limit, breach.maximum), (Limit::GpuBytes, 4096));
}

#[test]
fn fuel_that_runs_out_is_the_guests_in_both() {
    let Some(pair) = Pair::new() else { return };
    let ended = pair.run("endless", || {
        shader_request(ENDLESS, &[1; 4]).limit(Limit::GpuFuel, 100_000)
    });
    assert_eq!(ended.outcome.kind, GpuFuelExhausted);
}

#[test]
fn a_wait_of_seconds_for_a_device_is_no_lie_about_cpu_time() {
    let Some(arena) = GpuArena::of(Isolation::Confined) else {
        return;
    };
    let request = || {
        shader_request(LONG, &[1; 4])
            .scalar("x_groups", 600u32)
            .limit(Limit::GpuFuel, Limit::GpuFuel.ceiling())
            .limit(Limit::GpuTime, Limit::GpuTime.ceiling())
            .timeout(std::time::Duration::from_secs(120))
            // What the runner's own clock takes is not the guest's either.
            .limit(Limit::CpuTime, 20_000_000)
    };
    let ended = arena.run(request());
    assert_eq!(ended.outcome.kind, Done, "{:?}", ended.outcome);
    assert!(ended.report.alerts.is_empty(), "{:?}", ended.report.alerts);
}

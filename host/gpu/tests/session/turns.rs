//! Drivers that end loops by themselves, silently, or give up invocations that wait for others: such a launch never ends
//! as one that is done, and its words name who ended it.

use crate::lab::{Lab, Order, bytes, dispatch, fresh_software, run, write};
use hotcell_gpu::device::Device;
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuEnd};
use hotcell_model::limit::Limit;
use std::sync::Arc;

const HEAD: &str = "
override rounds = 4u;
var<workgroup> together: u32;
@group(0) @binding(0) var<storage, read_write> a: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let own = group.x * 64u + lane;
";
/// Buffers are as long as this many invocations need.
const WORDS: usize = 1024;

/// A device that lets the loops of an invocation make no more than so many turns.
fn bounded() -> Option<(Arc<Device>, u32)> {
    let device = fresh_software()?;
    let limit = device.turns_limit();
    if limit.is_none() {
        eprintln!("skipped: the device ends no loops");
    }
    Some((device, limit?))
}

/// A launch that dispatches so many workgroups of a body once, with `turns` in the first word.
fn launch(device: &Arc<Device>, fuel: u64, body: &str, turns: u32, workgroups: u32) -> Launch {
    let mut lab = Order::new().limit(Limit::GpuFuel, fuel).begin(device);
    let a = lab.buffer(4 * WORDS as u64);
    let kernel = lab.kernel(&format!("{HEAD}{body}}}"));
    let bind_set = lab.bind(kernel, &[a]);
    let mut words = vec![0; WORDS];
    words[0] = turns;
    lab.run(vec![write(a, 0, bytes(&words))]);
    Launch(lab, run(vec![dispatch(bind_set, workgroups)]))
}

struct Launch(Lab, GpuCommand);

impl Launch {
    /// How it ends that does not end well, and what was spent while it ran.
    fn ended(mut self) -> (GpuEnd, u64) {
        let end = self.0.ended(self.1);
        (end, self.0.finish().usage.fuel_dynamic)
    }

    /// What was spent while it ran, if all went well.
    fn done(mut self) -> u64 {
        assert_eq!(self.0.say(self.1), GpuAnswer::Waited(Vec::new()));
        let finished = self.0.finish();
        assert_eq!(finished.end, None);
        finished.usage.fuel_dynamic
    }
}

fn assert_names_the_driver(end: &GpuEnd, limit: u32) {
    let GpuEnd::Lost(words) = end else {
        panic!("{end:?}");
    };
    assert!(words.contains(&format!("after {limit} turns")), "{words}");
}

const EACH: &str = "var i = 0u; loop { if i == a[0] { break; } i++; a[own + 1u] += i; }";
const ONCE: &str = "let n = a[0]; for (var i = 0u; i < n; i++) { a[own + 1u] += i; }";
const AHEAD: &str = "let n = a[0]; for (var i = 0u; i < n; i++) { if a[own + 1u] == 7u { break; }
    a[own + 1u] += 8u; }";

#[test]
fn loops_that_the_driver_ends_are_found_out_and_the_driver_is_named() {
    let Some((device, limit)) = bounded() else {
        return;
    };
    let plenty = 50_000_000_000;
    for body in [EACH, ONCE, AHEAD] {
        let spent = launch(&device, plenty, body, limit / 2, 1).done();
        assert!(spent > 64 * u64::from(limit / 2), "{spent}");
        for turns in [limit, limit + 1, 2 * limit, u32::MAX] {
            let Some((device, _)) = bounded() else {
                return;
            };
            let (end, _) = launch(&device, plenty, body, turns, 1).ended();
            assert_names_the_driver(&end, limit);
        }
    }
}

#[test]
fn want_of_fuel_is_called_so() {
    let Some((device, _)) = bounded() else {
        return;
    };
    for body in [EACH, ONCE, AHEAD] {
        let (end, spent) = launch(&device, 500_000, body, 10_000, 1).ended();
        let GpuEnd::FuelExhausted { used, maximum } = end else {
            panic!("{end:?}");
        };
        assert!(used <= maximum && spent <= used, "{used} {maximum} {spent}");
    }
}

#[test]
fn one_invocation_may_do_all_the_work_of_many() {
    let Some((device, _)) = bounded() else {
        return;
    };
    // A share of the fuel would be a fiftieth of what the first of them needs.
    let skewed = |body: &str| format!("if own == 0u {{ {body} }}");
    let fuel = 64 * 1000 * 2_000;
    for body in [EACH, ONCE, AHEAD] {
        let spent = launch(&device, fuel, &skewed(body), 5_000, 1000).done();
        assert!((50_000..300_000).contains(&spent), "{spent}");
    }
}

#[test]
fn who_is_given_up_is_missed_and_paid_for() {
    let Some((device, limit)) = bounded() else {
        return;
    };
    // The first eight make more turns than they may, so that the loop in which all meet ends for them.
    let body = "let n = a[0];
        if lane < 8u { for (var i = 0u; i < n; i++) { if a[own + 1u] == 7u { break; } a[own + 1u] += 8u; } }
        for (var i = 0u; i < rounds; i++) { workgroupBarrier(); a[own + 1u] += i; }";
    launch(&device, 50_000_000_000, body, 100, 1).done();
    let (end, spent) = launch(&device, 50_000_000_000, body, 2 * limit, 1).ended();
    assert!(matches!(end, GpuEnd::Lost(_)), "{end:?}");
    // Those that waited had as many turns to pay for, and nobody knows that they did not.
    assert!(spent > 56 * u64::from(limit), "{spent}");
}

#[test]
fn a_pool_that_closes_amid_workgroups_that_wait_for_each_other_ends_for_want_of_fuel() {
    // Some parts of a workgroup may be given fuel and others not, and then all are to meet.
    let body = "if lane == 0u { together = a[0]; }
        let n = workgroupUniformLoad(&together);
        var i = 0u; loop { if i == lane * 4u { break; } i++; a[own + 1u] += i; }
        for (var i = 0u; i < n; i++) { workgroupBarrier(); a[own + 1u] += i; }";
    for fuel in [20_000_000, 50_000_000, 100_000_000] {
        let Some((device, _)) = bounded() else {
            return;
        };
        let (end, spent) = launch(&device, fuel, body, 200, 1000).ended();
        assert!(matches!(end, GpuEnd::FuelExhausted { .. }), "{end:?}");
        assert!((1..=fuel).contains(&spent), "{spent}");
    }
    let Some((device, _)) = bounded() else {
        return;
    };
    launch(&device, 50_000_000_000, body, 200, 1000).done();
}

//! The driver's compiler: its time is its own, and what it does not manage ends in its own words.

use crate::lab::{Lab, Order, dispatch, fresh_software, run, software};
use hotcell_model::gpu::{GpuAnswer, GpuEnd, GpuId};
use hotcell_model::limit::Limit;
use hotcell_model::outcome::OutcomeKind;
use std::time::Duration;

/// A kernel with a private array of so many words, bound.
fn bound(lab: &mut Lab, words: u32) -> GpuId {
    let kernel = lab.kernel(&format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{
            var a: array<u32, {words}>;
            a[out[i] % {words}u] = i;
            out[i] = a[out[0] % {words}u];
        }}"
    ));
    let out = lab.buffer(256);
    lab.bind(kernel, &[out])
}

#[test]
fn compiling_is_no_gpu_time() {
    let Some(device) = software() else { return };
    let order = Order::new().limit(Limit::GpuTime, 100_000_000);
    let mut lab = order.begin(&device);
    let bind_set = bound(&mut lab, 400);
    lab.run(vec![dispatch(bind_set, 1)]);
    let usage = lab.finish().usage;
    assert!(usage.time_ns < 100_000_000, "{}", usage.time_ns);
    assert_eq!(usage.dispatches, 1);
}

#[test]
fn a_shader_that_is_not_compiled_in_time_ends_as_that() {
    let Some(device) = fresh_software() else {
        return;
    };
    let order = Order::new().deadline(Duration::from_millis(300));
    let mut lab = order.begin(&device);
    let bind_set = bound(&mut lab, 590);
    let end = lab.ended(run(vec![dispatch(bind_set, 1)]));
    // The timeout that the limits have: the session's own clock ran out before.
    let is_due = |used_ns, maximum_ns| used_ns >= maximum_ns && maximum_ns == 10_000_000_000;
    assert!(
        matches!(end, GpuEnd::Deadline { used_ns, maximum_ns, was_compiling: true } if is_due(used_ns, maximum_ns)),
        "{end:?}"
    );
    assert!(device.is_lost());
    let outcome = end.outcome().unwrap();
    assert_eq!(
        (outcome.kind, outcome.reproducible),
        (OutcomeKind::GpuTimeout, false)
    );
    // So that whoever renders it can say how to give it more time.
    assert_eq!(
        outcome.breach().map(|breach| breach.limit),
        Some(Limit::Timeout)
    );
    let says = outcome.message;
    assert!(
        says.contains("while the GPU's driver compiled a shader"),
        "{says}"
    );
    assert_eq!(lab.say(run(Vec::new())), GpuAnswer::Ended(end));
}

//! How sessions end before their launch does, and what that leaves behind.

use crate::lab::{Lab, Order, SPIN, dispatch, fill, fresh_software, nothing, run, software};
use hotcell_gpu::device::Device;
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuDevice, GpuEnd, GpuId};
use hotcell_model::limit::Limit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Seconds of work on a software device, whose loops end by themselves: what is given up goes on meanwhile.
const GROUPS: u32 = 60;

/// A session whose dispatch goes on for seconds, with all the fuel in the world.
fn busy(order: Order, device: &Arc<Device>) -> (Lab, GpuId) {
    let mut lab = order
        .limit(Limit::GpuFuel, 1_000_000_000_000_000)
        .begin(device);
    let a = lab.buffer(256);
    let kernel = lab.kernel(SPIN);
    let bind_set = lab.bind(kernel, &[a]);
    (lab, bind_set)
}

#[test]
fn a_launch_that_is_stopped_is_over_at_its_next_command() {
    let order = Order::new();
    let signal = order.signal();
    let mut lab = order.begin(&nothing());
    lab.buffer(4);
    signal.cancel();
    assert_eq!(lab.ended(GpuCommand::Open), GpuEnd::Stopped);
    assert_eq!(lab.say(GpuCommand::Open), GpuAnswer::Ended(GpuEnd::Stopped));
    let end = lab.finish();
    assert_eq!((end.end, end.usage.buffers), (Some(GpuEnd::Stopped), 1));
    assert!(!nothing().is_lost());
}

#[test]
fn a_wait_ends_when_the_launch_is_stopped() {
    let Some(device) = fresh_software() else {
        return;
    };
    let order = Order::new();
    let signal = order.signal();
    let (mut lab, bind_set) = busy(order, &device);
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        signal.cancel();
    });
    let began = Instant::now();
    assert_eq!(
        lab.ended(run(vec![dispatch(bind_set, GROUPS)])),
        GpuEnd::Stopped
    );
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    stopper.join().unwrap();
    assert_eq!(lab.finish().end, Some(GpuEnd::Stopped));
    assert!(device.is_lost());
}

#[test]
fn a_dispatch_that_outlasts_the_gpu_time_ends_as_a_timeout_and_the_device_is_given_up() {
    let Some(device) = fresh_software() else {
        return;
    };
    let order = Order::new().limit(Limit::GpuTime, 200_000_000);
    let (mut lab, bind_set) = busy(order, &device);
    let began = Instant::now();
    let end = lab.ended(run(vec![dispatch(bind_set, GROUPS)]));
    let waited = began.elapsed();
    assert!(
        matches!(end, GpuEnd::Timeout { waited_ns, maximum_ns: 200_000_000 } if waited_ns >= 200_000_000),
        "{end:?}"
    );
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert!(device.is_lost());
    let began = Instant::now();
    drop(lab.finish());
    drop(device);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(software().map(|device| device.is_lost()), Some(false));
}

#[test]
fn a_deadline_ends_a_wait_that_was_not_asked_for() {
    let Some(device) = fresh_software() else {
        return;
    };
    let order = Order::new().deadline(Duration::from_secs(2));
    let (mut lab, bind_set) = busy(order, &device);
    let steps = vec![dispatch(bind_set, GROUPS)];
    lab.created(GpuCommand::Submit { steps, wait: false });
    let began = Instant::now();
    let end = lab.finish().end;
    // The timeout that the limits have: the session's own clock ran out before.
    let timeout_ns = 10_000_000_000;
    assert!(
        matches!(end, Some(GpuEnd::Deadline { used_ns, maximum_ns, .. }) if maximum_ns == timeout_ns && used_ns >= timeout_ns),
        "{end:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert!(device.is_lost());
}

#[cfg(feature = "unchecked")]
#[test]
fn without_checks_an_endless_loop_still_ends_by_the_clock() {
    let Some(device) = fresh_software() else {
        return;
    };
    let order = Order::new().unchecked().deadline(Duration::from_secs(1));
    let (mut lab, bind_set) = busy(order, &device);
    let end = lab.ended(run(vec![dispatch(bind_set, GROUPS)]));
    assert!(matches!(end, GpuEnd::Deadline { .. }), "{end:?}");
    assert!(device.is_lost());
}

/// An array that panics whoever looks at it, once it is told to.
struct Trap(Arc<AtomicBool>);

impl AsRef<[u8]> for Trap {
    fn as_ref(&self) -> &[u8] {
        assert!(!self.0.load(Ordering::Relaxed), "trapped");
        &[0; 16]
    }
}

#[test]
fn a_panic_ends_the_session_and_its_device_and_goes_no_further() {
    let device = Arc::new(Device::open(GpuDevice::Nothing).unwrap());
    let trap = Arc::new(AtomicBool::new(false));
    let order = Order::new().input_of(Box::new(Trap(Arc::clone(&trap))));
    let mut lab = order.begin(&device);
    let buffer = lab.buffer(16);
    lab.run(vec![fill(0, buffer, 16)]);
    assert!(!device.is_lost());
    trap.store(true, Ordering::Relaxed);
    let end = lab.ended(run(vec![fill(0, buffer, 16)]));
    let GpuEnd::Lost(words) = &end else {
        panic!("{end:?}");
    };
    assert!(words.contains("trapped"), "{words}");
    trap.store(false, Ordering::Relaxed);
    assert_eq!(lab.ended(run(vec![fill(0, buffer, 16)])), end);
    let finished = lab.finish();
    assert_eq!((finished.end, finished.usage.buffers), (Some(end), 1));
    assert!(device.is_lost());
    assert!(!nothing().is_lost());
}

//! Cancelling and timing out: guests that listen, guests that do not.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Ended, Metering, Request};
use hotcell_tests::{Guest, arena, assert_breached, assert_ended, honest_request};
use std::time::{Duration, Instant};

/// Starts a guest, cancels it once it runs, and gives its end and how long that took to come.
fn cancelled(guest: &Guest, request: Request) -> (Ended, Duration) {
    let arena = arena!();
    let launch = arena.begun(guest, request);
    let asked = Instant::now();
    launch.cancel();
    let ended = launch.wait();
    let elapsed = asked.elapsed();
    arena.assert_serves();
    (ended, elapsed)
}

#[test]
fn a_guest_that_listens_to_a_cancel_keeps_partial_results() {
    let request = honest_request()
        .limit(Limit::HostCalls, 1_000_000_000)
        .stop_grace(Duration::from_secs(5));
    let (ended, _) = cancelled(&Guest::named("polls"), request);
    assert_ended(&ended, OutcomeKind::Cancelled, Some(Blame::Request));
    assert!(ended.outcome.partial && ended.report.outcome.partial);
    let out = ended.array("out").unwrap().to_vec::<u8>().unwrap();
    assert_eq!(out, [vec![9; 16], vec![0; 4080]].concat());
}

#[test]
fn a_guest_that_listens_to_the_clock_keeps_partial_results() {
    let request = honest_request()
        .limit(Limit::HostCalls, 1_000_000_000)
        .timeout(Duration::from_millis(2000))
        .stop_grace(Duration::from_millis(1000));
    let ended = arena!().run(&Guest::named("polls"), request);
    assert_ended(&ended, OutcomeKind::Timeout, Some(Blame::Guest));
    assert!(ended.outcome.partial && !ended.outcome.reproducible);
    assert_eq!(ended.results.len(), 1);
}

#[test]
fn a_guest_that_never_listens_is_cancelled_at_once_in_every_mode() {
    let guest = Guest::of(
        "(func $attack
            (call $emit (i32.const 1) (i32.const 0) (i32.const 0))
            (loop $again (br $again)))",
    );
    for metering in Metering::ALL {
        let request = honest_request()
            .metering(metering)
            .limit(Limit::Fuel, 1_000_000_000_000);
        let request = request.stop_grace(Duration::from_secs(30));
        let (ended, elapsed) = cancelled(&guest, request);
        assert_ended(&ended, OutcomeKind::Cancelled, Some(Blame::Request));
        assert!(!ended.outcome.partial && !ended.outcome.reproducible);
        assert!(
            elapsed < Duration::from_secs(5),
            "no grace for who does not listen: {elapsed:?}"
        );
    }
}

#[test]
fn a_guest_that_hears_and_goes_on_is_interrupted_after_the_grace_period() {
    let request = honest_request()
        .limit(Limit::HostCalls, 1_000_000_000)
        .stop_grace(Duration::from_millis(100));
    let (ended, elapsed) = cancelled(&Guest::named("polls_and_ignores"), request);
    assert_ended(&ended, OutcomeKind::Cancelled, Some(Blame::Request));
    assert!(!ended.outcome.partial);
    assert!(elapsed >= Duration::from_millis(100), "{elapsed:?}");
}

#[test]
fn a_guest_that_hears_of_its_timeout_and_goes_on_is_interrupted_at_it() {
    let request = honest_request()
        .limit(Limit::HostCalls, 1_000_000_000)
        .timeout(Duration::from_millis(100));
    let ended = arena!().run(&Guest::named("polls_and_ignores"), request);
    assert_breached(&ended, Limit::Timeout, 100_000_000);
    assert!(!ended.outcome.partial);
}

#[test]
fn a_cancel_that_comes_before_the_guest_runs_counts() {
    let arena = arena!();
    let guest = Guest::named("endless_loop").component();
    let launch = arena
        .cell
        .start(&guest, honest_request())
        .expect("it starts");
    launch.cancel();
    assert_ended(&launch.wait(), OutcomeKind::Cancelled, Some(Blame::Request));
}

#[test]
fn a_launch_that_is_dropped_does_not_go_on() {
    let arena = arena!();
    let guest = Guest::named("endless_loop").component();
    let begin = Instant::now();
    drop(
        arena
            .cell
            .start(&guest, honest_request().metering(Metering::Fast))
            .ok(),
    );
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "shorter than its timeout of 10 s"
    );
    arena.assert_serves();
}

#[test]
fn a_canceller_outlives_its_launch() {
    let arena = arena!();
    let guest = Guest::named("honest").component();
    let launch = arena
        .cell
        .start(&guest, honest_request())
        .expect("it starts");
    let cancel = launch.canceller();
    assert_ended(&launch.wait(), OutcomeKind::Done, None);
    cancel();
    arena.assert_serves();
}

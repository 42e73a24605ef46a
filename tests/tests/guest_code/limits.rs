//! Fuel, time, host calls and bytes.

use hotcell::limit::{Amount, Limit};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Metering, Request};
use hotcell_tests::{Guest, arena, assert_breached, assert_ended, honest_request};
use std::time::{Duration, Instant};

const FUEL: u64 = 1_000_000;

#[test]
fn an_endless_loop_spends_its_fuel() {
    for metering in [Metering::Strict, Metering::Deterministic] {
        let request = honest_request().metering(metering).limit(Limit::Fuel, FUEL);
        let ended = arena!().run(&Guest::named("endless_loop"), request);
        let used = assert_breached(&ended, Limit::Fuel, FUEL);
        assert_eq!(ended.report.usage.fuel_used, Some(used));
        assert!(ended.outcome.reproducible);
    }
}

#[test]
fn an_endless_loop_ends_at_its_timeout_in_every_mode() {
    let timeout = Duration::from_millis(150);
    for metering in Metering::ALL {
        let request = honest_request().metering(metering).timeout(timeout);
        let arena = arena!();
        let begin = Instant::now();
        let ended = arena.run(&Guest::named("endless_loop"), request);
        let elapsed = begin.elapsed();
        let used = assert_breached(&ended, Limit::Timeout, 150_000_000);
        assert!(
            elapsed >= timeout && elapsed < timeout + Duration::from_secs(10),
            "{elapsed:?}"
        );
        assert!(ended.report.usage.wall_ns >= used);
        assert!(!ended.outcome.reproducible);
        assert_eq!(ended.report.usage.fuel_used.is_some(), metering.has_fuel());
    }
}

#[test]
fn cpu_time_is_a_limit_of_its_own() {
    let request = honest_request().limit(Limit::CpuTime, 50_000_000);
    let ended = arena!().run(&Guest::named("endless_loop"), request);
    let used = assert_breached(&ended, Limit::CpuTime, 50_000_000);
    assert!(ended.report.usage.cpu_ns >= used);
}

#[test]
fn endless_recursion_is_a_stack_trap_that_another_machine_need_not_repeat() {
    let ended = arena!().attack("endless_recursion");
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("stack"),
        "{}",
        ended.outcome.message
    );
    assert!(!ended.outcome.reproducible);
    assert!(
        ended.outcome.trace.len() <= 8,
        "a deep stack must not make a long report"
    );
}

#[test]
fn a_host_call_flood_ends_at_the_limit_on_host_calls() {
    let request = honest_request().limit(Limit::HostCalls, 1000);
    let ended = arena!().run(&Guest::named("host_call_flood"), request);
    assert_eq!(assert_breached(&ended, Limit::HostCalls, 1000), 1001);
    assert_eq!(
        ended.report.usage.host_calls, 1000,
        "what is refused is not used"
    );
    assert!(ended.outcome.reproducible);
}

#[test]
fn bytes_are_charged_before_they_cross() {
    let arena = arena!();
    let request = honest_request().limit(Limit::BytesIn, 6000);
    let ended = arena.run(&Guest::named("reads_twice"), request);
    assert_eq!(assert_breached(&ended, Limit::BytesIn, 6000), 8192);
    assert_eq!(ended.report.usage.bytes_in, 4096);
    let request = honest_request().limit(Limit::BytesOut, 6000);
    let ended = arena.run(&Guest::named("writes_twice"), request);
    assert_eq!(assert_breached(&ended, Limit::BytesOut, 6000), 8192);
    assert_eq!(ended.report.usage.bytes_out, 4096);
}

#[test]
fn random_bytes_count_as_bytes_in() {
    let request = honest_request().want(hotcell::grant::Capability::Random);
    let request = request.limit(Limit::BytesIn, 4095);
    let ended = arena!().run(&Guest::named("wants_random"), request);
    assert_eq!(assert_breached(&ended, Limit::BytesIn, 4095), 4096);
}

#[test]
fn outputs_larger_than_their_limit_are_the_requests_blame_and_run_nothing() {
    let request = honest_request().limit(Limit::BytesOut, 4095);
    let ended = arena!().run(&Guest::named("honest"), request);
    assert_ended(&ended, OutcomeKind::Limit, Some(Blame::Request));
    let breach = ended.outcome.breach().expect("a limit");
    assert_eq!((breach.limit, breach.maximum), (Limit::BytesOut, 4095));
    assert_eq!(breach.amount, Amount::Requested(4096));
    assert_eq!(ended.report.usage.instances, 0);
}

#[test]
fn no_limit_goes_above_its_ceiling() {
    let arena = arena!();
    for limit in Limit::ALL {
        let request = Request::new().limit(*limit, limit.ceiling() + 1);
        let ended = arena.run(&Guest::named("honest"), request);
        assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Request));
        assert!(
            ended.outcome.message.contains(limit.name()),
            "{}",
            ended.outcome.message
        );
    }
}

#[test]
fn a_manifest_that_wants_more_than_a_ceiling_is_denied() {
    let guest = Guest::named("honest").record(|record| {
        record.limits.memory = Some("64GiB".to_owned());
    });
    let ended = arena!().run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Guest));
    assert!(ended.outcome.message.contains("64GiB") && ended.outcome.message.contains("4GiB"));
}

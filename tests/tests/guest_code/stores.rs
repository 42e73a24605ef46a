//! A store serves one chunk and is gone: nothing of a launch is there for the next.

use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::report::CacheOutcome::{HitMemory, Miss};
use hotcell::{Cell, Metering};
use hotcell_tests::{Arena, Guest, arena, assert_ended, honest_request};

#[test]
fn a_slot_that_is_used_again_has_nothing_of_the_launch_before() {
    // One slot, so that every launch gets the same; below and above what stays resident.
    for keep_resident_bytes in [0, 1 << 20, 64 << 20] {
        let cell = Cell::in_process_with_slots(1, keep_resident_bytes)
            .build()
            .unwrap();
        let arena = Arena::with(cell);
        let guest = Guest::named("leaves_traces");
        for launch in 0..20 {
            let ended = arena.run(&guest, honest_request());
            assert_eq!(ended.outcome.message, "", "launch {launch}");
            assert_ended(&ended, OutcomeKind::Done, None);
        }
    }
}

#[test]
fn a_slot_that_trapped_or_timed_out_serves_the_next_launch_clean() {
    let arena = Arena::with(Cell::in_process_with_slots(1, 64 << 20).build().unwrap());
    for attack in [
        "divides_by_zero",
        "start_traps",
        "endless_recursion",
        "endless_loop",
    ] {
        let request = honest_request().timeout(std::time::Duration::from_millis(50));
        let ended = arena.run(&Guest::named(attack), request);
        assert_ne!(ended.outcome.kind, OutcomeKind::Done, "{attack}");
        let ended = arena.run(&Guest::named("leaves_traces"), honest_request());
        assert_ended(&ended, OutcomeKind::Done, None);
    }
}

#[test]
fn more_launches_than_slots_are_refused_for_now_and_not_for_ever() {
    let arena = Arena::with(Cell::in_process_with_slots(1, 0).build().unwrap());
    let request = honest_request()
        .metering(Metering::Strict)
        .limit(Limit::HostCalls, 1_000_000_000);
    let first = arena.begun(&Guest::named("polls"), request.clone());
    let second = arena.cell.run(&Guest::named("honest").component(), request);
    first.cancel();
    first.wait();
    assert_ended(
        &second,
        OutcomeKind::Budget,
        Some(hotcell::outcome::Blame::Request),
    );
    assert!(!second.outcome.reproducible);
    arena.assert_serves();
}

#[test]
fn what_was_read_from_one_tenant_is_not_loaded_for_another() {
    let arena = arena!();
    let guest = Guest::named("honest");
    let cache = |tenant: &str| {
        let request = honest_request().tenant(tenant.parse().unwrap());
        arena.run(&guest, request).report.timings.cache
    };
    assert!(matches!(cache("a"), Some(Miss(_))));
    assert!(matches!(cache("b"), Some(Miss(_))));
    assert!(matches!(cache("a"), Some(HitMemory)));
}

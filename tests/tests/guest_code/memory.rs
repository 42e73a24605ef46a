//! Memory, tables, instances and handles: one cap over all of each.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::CacheOutcome;
use hotcell_tests::bombs::carrying;
use hotcell_tests::{Guest, arena, assert_breached, assert_ended, honest_request};

const PAGE: u64 = 65536;
const CAP: u64 = 256 * PAGE;

/// Runs under a cap of 16 MiB; gives the amount that was refused.
#[track_caller]
fn refused(name: &str) -> u64 {
    let request = honest_request().limit(Limit::Memory, CAP);
    let ended = arena!().run(&Guest::named(name), request);
    assert!(ended.report.usage.peak_memory_bytes <= CAP);
    assert!(ended.outcome.reproducible);
    assert_breached(&ended, Limit::Memory, CAP)
}

#[test]
fn memory_in_one_step_is_refused_with_both_numbers() {
    assert_eq!(refused("memory_in_one_step"), 8193 * PAGE);
}

#[test]
fn memory_in_many_steps_is_refused_at_the_cap() {
    assert_eq!(refused("memory_in_many_steps"), CAP + PAGE);
}

#[test]
fn growth_beyond_a_declared_maximum_takes_nothing_from_the_cap() {
    let ended = arena!().run(&Guest::named("grows_past_its_maximum"), honest_request());
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.usage.peak_memory_bytes, 2 * PAGE);
}

#[test]
fn several_memories_have_one_cap() {
    assert_eq!(refused("memory_over_several"), 303 * PAGE);
}

#[test]
fn memory_that_is_declared_counts_like_memory_that_is_grown() {
    assert_eq!(refused("memory_at_start"), 8192 * PAGE);
}

#[test]
fn an_allocator_cannot_pass_the_cap() {
    assert!(refused("realloc_grows") > CAP);
}

#[test]
fn all_of_the_allowed_memory_may_be_used() {
    let request = honest_request().limit(Limit::Memory, CAP);
    let ended = arena!().run(&Guest::named("memory_fill"), request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.usage.peak_memory_bytes, CAP);
}

#[test]
fn a_read_larger_than_the_memory_cap_makes_no_buffer() {
    let guest = Guest::of(
        "(func $attack (call $read (global.get $in) (i64.const 0) (i32.const 131072) (i32.const 40)))",
    );
    let x = hotcell::Array::from_slice(&vec![1u8; 131_072], [131_072]).unwrap();
    let request = hotcell::Request::new()
        .input("x", x)
        .limit(Limit::Memory, PAGE);
    let ended = arena!().run(&guest, request);
    assert_eq!(assert_breached(&ended, Limit::Memory, PAGE), 131_072);
    assert_eq!(ended.report.usage.bytes_in, 0);
}

#[test]
fn tables_have_one_cap_too() {
    for name in ["table_growth", "table_growth_over_several"] {
        let ended = arena!().attack(name);
        let maximum = 10_000;
        assert!(
            assert_breached(&ended, Limit::TableElements, maximum) > maximum,
            "{name}"
        );
    }
}

#[test]
fn more_memories_than_allowed_are_a_limit_with_both_numbers() {
    let ended = arena!().attack("many_memories");
    assert_eq!(assert_breached(&ended, Limit::Memories, 4), 5);
}

#[test]
fn more_tables_than_allowed_are_a_limit_with_both_numbers() {
    let ended = arena!().attack("many_tables");
    assert!(assert_breached(&ended, Limit::Tables, 8) >= 9);
}

/// Runs the honest guest with that component inside; nothing was compiled for it.
#[track_caller]
fn refused_before(component: &str) -> hotcell::Ended {
    let ended = arena!().cell.run(&carrying(component), honest_request());
    assert_eq!(ended.report.timings.compile_ns, 0);
    ended
}

#[test]
fn what_no_runner_has_room_for_is_refused_before_it_is_compiled() {
    let core = |inside: &str| format!("(core module $m {inside}) (core instance (instantiate $m))");
    let many = |count: usize| {
        let more = "(core instance (instantiate $m))".repeat(count - 1);
        core("") + &more
    };
    // The honest guest around it has a memory and instances of its own.
    for (inside, limit, requested, maximum) in [
        (core(&"(memory 1)".repeat(12)), Limit::Memories, 13, 8),
        (many(65), Limit::Instances, 66, 64),
        (
            core("(table 200000 funcref)"),
            Limit::TableElements,
            200_000,
            100_000,
        ),
    ] {
        let ended = refused_before(&format!("(component {inside})"));
        let found = assert_breached(&ended, limit, maximum);
        assert!(found >= requested, "{limit}: {found}");
    }
    let globals = core(&"(global i32 (i32.const 0))".repeat(40_000));
    let again = "(core instance (instantiate $m))".repeat(4);
    let ended = refused_before(&format!("(component {globals} {again})"));
    assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
    assert!(ended.outcome.message.contains("at most 4MiB allowed"));
}

#[test]
fn what_just_fits_loads() {
    // With the honest guest's own: 8 memories, 16 instances; and nearly all that the engine may keep about them.
    let inside = "(core module $m (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1))
        (core instance (instantiate $m))";
    let globals = "(global i32 (i32.const 0))".repeat(5_300);
    let large =
        format!("(core module $g {globals})") + &"(core instance (instantiate $g))".repeat(12);
    let request = honest_request()
        .limit(Limit::Memories, 8)
        .limit(Limit::Instances, 64);
    let component = carrying(&format!("(component {inside} {large})"));
    let ended = arena!().cell.run(&component, request);
    assert_ended(&ended, OutcomeKind::Done, None);
}

#[test]
fn what_compiles_and_does_not_load_is_compiled_once() {
    let arena = arena!();
    let (memories, thrice) = (
        "(memory 1)".repeat(4),
        "(core instance (instantiate $m))".repeat(3),
    );
    // A module that comes out of an instance: what its instances hold together shows when they are loaded.
    let component = carrying(&format!(
        r#"(component
            (component $inner (core module $m {memories}) (export "m" (core module $m)))
            (instance $i (instantiate $inner))
            (alias export $i "m" (core module $m))
            {thrice})"#
    ));
    let run = |tenant: &str, memory: u64| {
        let request = honest_request().tenant(tenant.parse().unwrap());
        let ended = arena
            .cell
            .run(&component, request.limit(Limit::Memory, memory));
        assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
        ended.report.timings
    };
    assert!(run("a", 64 * PAGE).compile_ns > 0);
    let again = run("a", 64 * PAGE);
    assert_eq!(again.cache, Some(CacheOutcome::FailedBefore));
    assert_eq!(again.compile_ns, 0);
    // Another tenant, and other limits, have another go.
    assert!(run("b", 64 * PAGE).compile_ns > 0);
    assert!(run("a", 65 * PAGE).compile_ns > 0);
    arena.assert_serves();
}

#[test]
fn more_instances_than_allowed_are_a_limit_with_both_numbers() {
    // The honest guest has an instance of its own, and those of the adapter around it.
    let request = honest_request().limit(Limit::Instances, 1);
    let ended = arena!().run(&Guest::named("honest"), request);
    assert!(assert_breached(&ended, Limit::Instances, 1) >= 2);
}

#[test]
fn more_arrays_than_handles_are_a_limit_with_both_numbers() {
    let request = honest_request().limit(Limit::Handles, 1);
    let ended = arena!().run(&Guest::named("honest"), request);
    assert_eq!(assert_breached(&ended, Limit::Handles, 1), 2);
}

#[test]
fn memory_given_up_by_one_launch_is_there_for_the_next() {
    let arena = arena!();
    for _ in 0..20 {
        let request = honest_request().limit(Limit::Memory, CAP);
        let ended = arena.run(&Guest::named("memory_fill"), request);
        assert_ended(&ended, OutcomeKind::Done, None);
    }
}

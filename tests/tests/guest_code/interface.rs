//! The canonical ABI and the interface's own rules, broken in every way a guest can.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Ended, Metering};
use hotcell_tests::{Guest, arena, assert_breached, assert_ended, honest_request};

/// Runs an attack that must end as a trap; gives its end.
#[track_caller]
fn trapped(name: &str) -> Ended {
    let ended = arena!().attack(name);
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    ended
}

#[test]
fn handles_that_are_not_the_guests_are_traps() {
    for name in [
        "use_after_drop",
        "double_drop",
        "forged_handle",
        "confused_handle",
    ] {
        let ended = trapped(name);
        assert!(
            ended.outcome.message.contains("handle"),
            "{name}: {}",
            ended.outcome.message
        );
        assert_eq!(ended.report.usage.bytes_in, 0, "{name}");
    }
}

#[test]
fn lists_outside_the_guests_memory_are_traps_and_cross_nothing() {
    for name in ["giant_list", "wrapping_list"] {
        let ended = trapped(name);
        assert_eq!(ended.report.usage.bytes_out, 0, "{name}");
    }
}

#[test]
fn hostile_allocators_are_traps() {
    for (name, word) in [
        ("realloc_out_of_bounds", "realloc"),
        ("realloc_misaligned", "align"),
        ("realloc_traps", "unreachable"),
    ] {
        let ended = trapped(name);
        assert!(
            ended.outcome.message.contains(word),
            "{name}: {}",
            ended.outcome.message
        );
    }
}

#[test]
fn an_allocator_that_never_answers_spends_the_guests_fuel() {
    let request = honest_request().limit(Limit::Fuel, 1_000_000);
    let ended = arena!().run(&Guest::named("realloc_loops"), request);
    assert_breached(&ended, Limit::Fuel, 1_000_000);
}

#[test]
fn an_allocator_that_overlaps_harms_nobody_but_the_guest() {
    let ended = arena!().attack("realloc_overlaps");
    assert_ended(&ended, OutcomeKind::Done, None);
}

#[test]
fn start_functions_are_under_the_same_limits() {
    let ended = trapped("start_traps");
    assert_eq!(ended.report.usage.host_calls, 0);
    let request = honest_request().limit(Limit::Fuel, 1_000_000);
    let ended = arena!().run(&Guest::named("start_loops"), request);
    assert_breached(&ended, Limit::Fuel, 1_000_000);
    let request = honest_request()
        .metering(Metering::Fast)
        .timeout(std::time::Duration::from_millis(50));
    let ended = arena!().run(&Guest::named("start_loops"), request);
    assert_breached(&ended, Limit::Timeout, 50_000_000);
}

#[test]
fn ranges_outside_an_array_name_the_range_and_the_size() {
    for (name, words) in [
        (
            "read_out_of_range",
            ["read 4096 bytes at offset 1", "of 4096 bytes"],
        ),
        (
            "read_wraps",
            [
                "read 2 bytes at offset 18446744073709551615",
                "of 4096 bytes",
            ],
        ),
        (
            "write_out_of_range",
            ["write 1 bytes at offset 4096", "of 4096 bytes"],
        ),
    ] {
        let ended = trapped(name);
        for word in words {
            assert!(
                ended.outcome.message.contains(word),
                "{name}: {}",
                ended.outcome.message
            );
        }
        assert_eq!(
            ended.report.usage.bytes_in + ended.report.usage.bytes_out,
            0
        );
    }
}

#[test]
fn breaking_a_rule_of_the_interface_would_happen_again() {
    for name in ["read_out_of_range", "forged_handle", "realloc_misaligned"] {
        assert!(trapped(name).outcome.reproducible, "{name}");
    }
}

#[test]
fn bytes_that_are_never_written_are_zero() {
    let arena = arena!();
    let out = |ended: &Ended| ended.array("out").unwrap().to_vec::<u8>().unwrap();
    let ended = arena.attack("writes_nothing");
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended), vec![0; 4096]);
    let ended = arena.attack("writes_some");
    assert_eq!(out(&ended), [vec![0; 2048], vec![7; 2048]].concat());
}

#[test]
fn nan_payloads_pass_as_the_bytes_they_are() {
    let guest = Guest::named("nan_payload").record(|record| {
        for parameter in &mut record.parameters {
            parameter.dtype = hotcell_manifest::DType::F32;
        }
    });
    let x = hotcell::Array::from_slice(&[0f32; 1024], [1024]).unwrap();
    let ended = arena!().run(&guest, hotcell::Request::new().input("x", x));
    assert_ended(&ended, OutcomeKind::Done, None);
    let bytes = ended.array("out").unwrap().bytes().unwrap().clone();
    assert_eq!(&bytes[..4], 0x7fa5_a5a5u32.to_le_bytes());
}

#[test]
fn results_of_no_kind_or_nowhere_are_traps() {
    for name in ["bad_discriminant", "result_out_of_bounds"] {
        trapped(name);
    }
}

#[test]
fn random_bytes_come_in_bounded_pieces() {
    let request = honest_request().want(hotcell::grant::Capability::Random);
    let ended = arena!().run(&Guest::named("random_giant"), request);
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("at most 1048576"),
        "{}",
        ended.outcome.message
    );
}

#[test]
fn a_trap_begins_at_the_authors_function_with_a_name_to_read() {
    let (own, panics) = (
        "$_ZN4gaps10widest_gap17h0123456789abcdefE",
        "$_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
    );
    let guest = Guest::of(format!(
        "(func $attack (call {own})) (func {own} (call {panics})) (func {panics} unreachable)"
    ));
    let ended = arena!().run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    let names = ended.outcome.trace.iter().flat_map(|frame| &frame.function);
    let names: Vec<_> = names.take(2).collect();
    assert_eq!(names, ["gaps::widest_gap", "attack"]);
    assert!(ended.outcome.message.ends_with("in gaps::widest_gap"));
}

#[test]
fn a_trap_names_the_functions_that_led_to_it() {
    let ended = trapped("divides_by_zero");
    assert!(
        ended.outcome.message.contains("divide by zero"),
        "{}",
        ended.outcome.message
    );
    assert!(ended.outcome.reproducible);
    let names: Vec<_> = ended
        .outcome
        .trace
        .iter()
        .flat_map(|frame| &frame.function)
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    assert!(
        names[0].contains("quotient") && names[1].contains("attack"),
        "{names:?}"
    );
}

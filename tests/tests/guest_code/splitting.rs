//! Launches cut into chunks: what comes out never depends on the number of threads.

use hotcell::grant::Capability;
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Array, Cell, Cutting, Ended, Metering, Request};
use hotcell_tests::{Arena, Guest, arena, assert_breached, assert_ended};

/// Sixteen indices, and so sixteen chunks of one byte each.
fn request(threads: usize) -> Request {
    let bytes: Vec<u8> = (1..=16).collect();
    Request::new()
        .input("x", Array::from_slice(&bytes, [16]).unwrap())
        .threads(threads)
}

fn out(ended: &Ended) -> Vec<u8> {
    ended
        .array("out")
        .expect("there is a result")
        .to_vec()
        .unwrap()
}

#[test]
fn bytes_fuel_and_counts_are_the_same_with_any_number_of_threads() {
    let arena = arena!();
    for metering in [Metering::Strict, Metering::Deterministic] {
        let run = |threads| {
            let guest = Guest::named("honest").split();
            let ended = arena.run(&guest, request(threads).metering(metering));
            assert_ended(&ended, OutcomeKind::Done, None);
            let usage = &ended.report.usage;
            let counts = [
                usage.host_calls,
                usage.bytes_in,
                usage.bytes_out,
                usage.instances,
            ];
            (out(&ended), usage.fuel_used.unwrap(), counts)
        };
        let one = run(1);
        assert_eq!(one.0, (1..=16).collect::<Vec<u8>>());
        assert_eq!(one.2, [48, 16, 16, 16]);
        for threads in [2, 3, 16] {
            assert_eq!(run(threads), one, "{threads} threads");
        }
    }
}

/// A guest whose chunks see `halo` bytes more of `x` on either side.
fn with_halo(halo: u32) -> Guest {
    let guest = Guest::named("sums_its_part").split();
    guest.record(|record| record.parameters[0].halo = halo)
}

#[test]
fn a_chunk_sees_its_neighbours_as_far_as_its_halo_and_the_array_reach() {
    let arena = arena!();
    for halo in [0, 1, 3, 16, u32::MAX] {
        let reach = usize::try_from(halo).unwrap().min(16);
        let wanted = (0..16_usize).map(|at| {
            let seen = at.saturating_sub(reach)..(at + reach + 1).min(16);
            seen.map(|index| u8::try_from(index + 1).unwrap())
                .sum::<u8>()
        });
        for threads in [1, 4] {
            let ended = arena.run(&with_halo(halo), request(threads));
            assert_ended(&ended, OutcomeKind::Done, None);
            assert_eq!(
                out(&ended),
                wanted.clone().collect::<Vec<_>>(),
                "halo {halo}"
            );
        }
    }
}

#[test]
fn what_several_chunks_read_is_counted_for_each() {
    let ended = arena!().run(&with_halo(1), request(2));
    assert_eq!(ended.report.usage.bytes_in, 16 * 3 - 2);
    let limited = request(2).limit(Limit::BytesIn, 45);
    let ended = arena!().run(&with_halo(1), limited);
    assert_breached(&ended, Limit::BytesIn, 45);
}

#[test]
fn a_launch_that_is_not_cut_is_one_instance_with_the_whole() {
    let arena = arena!();
    for halo in [0, 2] {
        let ended = arena.run(&with_halo(halo), request(4).cutting(Cutting::Whole));
        assert_ended(&ended, OutcomeKind::Done, None);
        assert_eq!(ended.report.usage.instances, 1);
        assert_eq!(out(&ended)[..2], [136, 0]);
    }
}

#[test]
fn the_first_failing_chunk_in_order_is_the_launchs_end() {
    let arena = arena!();
    for threads in [1, 2, 8] {
        let ended = arena.run(&Guest::named("fails_by_chunk").split(), request(threads));
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = "1 (in chunk 2 of 16: `n` from 1 to 1)";
        assert_eq!(ended.outcome.message, message, "{threads} threads");
    }
}

#[test]
fn a_trap_of_a_chunk_says_which_and_one_of_a_whole_launch_does_not() {
    let arena = arena!();
    let ended = arena.run(&Guest::named("divides_by_zero").split(), request(2));
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    let place = " (in chunk 1 of 16: `n` from 0 to 0)";
    let message = &ended.outcome.message;
    assert!(message.ends_with(place), "{message}");
    let whole = arena.run(&Guest::named("divides_by_zero"), request(2));
    assert_ended(&whole, OutcomeKind::Trap, Some(Blame::Guest));
    assert_eq!(format!("{}{place}", whole.outcome.message), *message);
}

#[test]
fn a_launch_with_more_threads_than_slots_is_done_all_the_same() {
    let cell = Cell::in_process_with_slots(2, 0).build().unwrap();
    let ended = Arena::with(cell).run(&Guest::named("wants_most_memory").split(), request(8));
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.log.len(), 16);
}

#[test]
fn chunks_that_cannot_fit_together_run_one_after_another() {
    let arena = arena!();
    let run = |threads| {
        let request = request(threads).limit(Limit::Memory, 16 << 20);
        let ended = arena.run(&Guest::named("wants_most_memory").split(), request);
        assert_ended(&ended, OutcomeKind::Done, None);
        let usage = ended.report.usage.clone();
        assert!(usage.peak_memory_bytes <= 16 << 20);
        assert_eq!(ended.report.log.len(), 16);
        let counts = [
            usage.host_calls,
            usage.bytes_in,
            usage.bytes_out,
            usage.log_bytes,
        ];
        (out(&ended), usage.fuel_used.unwrap(), counts)
    };
    let one = run(1);
    assert_eq!(one.2, [64, 16, 16, 80]);
    assert_eq!(
        run(2),
        one,
        "contention must not show in bytes, fuel or counts"
    );
    assert_eq!(run(4), one);
}

#[test]
fn seeded_random_bytes_depend_on_seed_and_chunk_alone() {
    let arena = arena!();
    let run = |threads, seed| {
        let request = request(threads).want(Capability::Random).seed(seed);
        let request = request.metering(Metering::Deterministic);
        let ended = arena.run(&Guest::named("wants_random").split(), request);
        assert_ended(&ended, OutcomeKind::Done, None);
        (out(&ended), ended.report.usage.fuel_used)
    };
    assert_eq!(run(1, 7), run(2, 7));
    assert_ne!(run(1, 7).0, run(1, 8).0);
}

#[test]
fn fuel_is_one_account_over_all_chunks() {
    let arena = arena!();
    let guest = Guest::named("honest").split();
    let whole = arena
        .run(&guest, request(1))
        .report
        .usage
        .fuel_used
        .unwrap();
    let ended = arena.run(&guest, request(2).limit(Limit::Fuel, whole - 1));
    assert_eq!(assert_breached(&ended, Limit::Fuel, whole - 1), whole);
    let ended = arena.run(&guest, request(2).limit(Limit::Fuel, whole));
    assert_ended(&ended, OutcomeKind::Done, None);
}

#[test]
fn host_calls_are_one_account_over_all_chunks() {
    let ended = arena!().run(
        &Guest::named("honest").split(),
        request(2).limit(Limit::HostCalls, 47),
    );
    assert_eq!(assert_breached(&ended, Limit::HostCalls, 47), 48);
}

#[test]
fn a_timeout_ends_every_chunk() {
    let request = request(2)
        .metering(Metering::Fast)
        .timeout(std::time::Duration::from_millis(100));
    let ended = arena!().run(&Guest::named("endless_loop").split(), request);
    assert_breached(&ended, Limit::Timeout, 100_000_000);
}

#[test]
fn an_empty_axis_is_one_empty_chunk() {
    let empty = Array::from_slice::<u8>(&[], [0]).unwrap();
    let guest = Guest::named("honest").split();
    let ended = arena!().run(&guest, Request::new().input("x", empty));
    assert_ended(&ended, OutcomeKind::Done, None);
    assert!(out(&ended).is_empty());
    assert_eq!(ended.report.usage.instances, 1);
}

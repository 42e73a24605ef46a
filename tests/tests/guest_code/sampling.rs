//! Where a guest's time goes, as its stacks say: in proportion to the work, bounded whatever the guest, and at no price
//! that its results or its fuel could tell.

use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::samples::{NAMES_BYTES, SampledStack, Samples};
use hotcell::{Array, Ended, Metering, Request};
use hotcell_tests::{Guest, arena, assert_ended, honest_request};
use std::collections::BTreeSet;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(1);

/// For a guest that works for about a second, on however slow a machine.
fn patient() -> Request {
    honest_request()
        .timeout(Duration::from_secs(240))
        .limit(Limit::CpuTime, 240_000_000_000)
        .limit(Limit::Fuel, 40_000_000_000)
}

fn samples(ended: &Ended) -> &Samples {
    let samples = ended.samples.as_deref();
    samples.unwrap_or_else(|| panic!("no samples: {:?}", ended.outcome))
}

fn innermost<'a>(stack: &SampledStack<'a>) -> &'a str {
    let last = stack.functions.last().expect("a stack has a function");
    last.function.as_deref().unwrap_or_default()
}

/// The looks that found a function at the inner end of the stack.
fn found(samples: &Samples, function: &str) -> u64 {
    let stacks = samples
        .stacks()
        .filter(|stack| innermost(stack) == function);
    stacks.map(|stack| stack.count.samples).sum()
}

#[test]
fn samples_are_in_proportion_to_the_work() {
    let guest = Guest::named("two_functions");
    for metering in [Metering::Strict, Metering::Fast] {
        let request = patient().metering(metering).sample_every(TICK);
        let ended = arena!().run(&guest, request);
        assert_ended(&ended, OutcomeKind::Done, None);
        let samples = samples(&ended);
        let (three, one) = (found(samples, "three_parts"), found(samples, "one_part"));
        let total = samples.total();
        assert!(three + one >= 50, "{samples:?}");
        // Three quarters, give or take four times what 50 looks are off by.
        let part = three * 100 / (three + one);
        assert!((50..=97).contains(&part), "{three} to {one}: {samples:?}");
        assert!(three + one >= total.samples * 3 / 4, "{samples:?}");
        // All that the thread did before its last look is somewhere.
        let cpu_ns = ended.report.usage.cpu_ns;
        assert!(
            total.cpu_ns >= cpu_ns / 3 && total.cpu_ns <= cpu_ns + cpu_ns / 4 + 5_000_000,
            "{} of {cpu_ns} ns",
            total.cpu_ns
        );
        for stack in samples
            .stacks()
            .filter(|stack| innermost(stack) == "one_part")
        {
            let names = stack.functions.iter().map(|one| one.function.as_deref());
            let names: Vec<&str> = names.map(Option::unwrap_or_default).collect();
            assert!(
                names.ends_with(&["attack", "work", "one_part"]),
                "{names:?}"
            );
        }
    }
}

#[test]
fn sampling_changes_neither_results_nor_fuel() {
    let guest = Guest::named("two_functions");
    let arena = arena!();
    let run = |request| {
        let ended = arena.run(&guest, request);
        assert_ended(&ended, OutcomeKind::Done, None);
        let out = ended.array("out").unwrap().to_vec::<u8>().unwrap();
        (ended.report.usage.fuel_used, out, ended.samples)
    };
    for metering in [Metering::Strict, Metering::Deterministic] {
        let request = || patient().metering(metering);
        let (fuel, out, none) = run(request());
        assert_eq!(none, None, "nobody asked");
        let (sampled_fuel, sampled_out, samples) = run(request().sample_every(TICK));
        assert_eq!((sampled_fuel, &sampled_out), (fuel, &out));
        assert!(samples.is_some_and(|samples| samples.total().samples > 0));
    }
}

#[test]
fn every_chunks_thread_is_counted() {
    let guest = Guest::named("two_functions").split();
    let x = Array::from_slice(&[1u8; 1600], [1600]).unwrap();
    let request = patient().input("x", x).threads(2).sample_every(TICK);
    let ended = arena!().run(&guest, request);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(ended.report.usage.instances, 16);
    // One chunk alone, or one thread, would have a part of it.
    let (total, cpu_ns) = (samples(&ended).total(), ended.report.usage.cpu_ns);
    assert!(total.cpu_ns >= cpu_ns * 6 / 10, "{total:?} of {cpu_ns} ns");
}

#[test]
fn a_guest_that_is_stopped_has_samples_of_what_it_did() {
    let request = honest_request()
        .timeout(Duration::from_millis(300))
        .sample_every(TICK);
    let ended = arena!().run(&Guest::named("endless_loop"), request);
    assert_eq!(ended.outcome.kind, OutcomeKind::Timeout);
    assert!(samples(&ended).total().samples > 0);
}

#[test]
fn a_launch_that_is_refused_has_none() {
    let request = Request::new().entry("no such").sample_every(TICK);
    let ended = arena!().run(&Guest::named("honest"), request);
    assert_eq!(ended.outcome.kind, OutcomeKind::Usage);
    assert_eq!(ended.samples, None);
}

#[test]
fn names_that_a_guest_chose_are_escaped_and_bounded() {
    let names = (0..2000).map(|function| format!(r#"$"\u{{202e}}{}{function}""#, "x".repeat(200)));
    let spins = names.clone().map(|name| {
        format!(
            "(func {name} (local $left i32) (local.set $left (i32.const 60000)) (loop $again
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left))))"
        )
    });
    let calls = names.map(|name| format!("(call {name})"));
    let (spins, calls) = (spins.collect::<String>(), calls.collect::<String>());
    let guest = Guest::of(format!("{spins} (func $attack {calls})"));
    let ended = arena!().run(&guest, patient().sample_every(TICK));
    let samples = samples(&ended);
    assert!(samples.stacks().count() > 0, "{:?}", ended.outcome);
    let names = samples.stacks().map(|stack| innermost(&stack).to_owned());
    let names: BTreeSet<String> = names.collect();
    let bytes: usize = names.iter().map(String::len).sum();
    assert!(bytes <= NAMES_BYTES, "{bytes} bytes");
    assert!(names.iter().all(|name| !name.contains('\u{202e}')));
    assert!(
        names.iter().any(|name| name.starts_with("\\u{202e}x")),
        "{names:?}"
    );
}

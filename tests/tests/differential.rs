//! One guest, two isolations, one end: whatever a guest does, it ends in a confined worker as it ends in process, with
//! the same kind, blame and words, and without an alert.
//!
//! A confined launch goes through every rule that tells an honest worker from one that was taken over; a launch in
//! process goes through none. So a guest for which they differ is one that a rule takes for what it is not. What may
//! differ stands in [`EXCEPTIONS`].

mod gpu;
mod kernels;
mod odd;

use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::report::{AlertKind, LogLine};
use hotcell::{Array, Component, Ended, Isolation, Metering, Observer, Request};
use hotcell_tests::corpus::{Attack, Content, GUESTS, Group, attacks};
use hotcell_tests::{Arena, Guest, cell, honest_request};
use std::sync::Arc;
use std::time::Duration;

/// What a launch in process ends as and a confined one does not, with the reason.
const EXCEPTIONS: [(&str, AlertKind, &str); 0] = [];

/// The same cells, side by side.
struct Pair {
    in_process: Arena,
    confined: Arena,
}

impl Pair {
    fn new() -> Self {
        let of = |isolation| Arena::of(isolation);
        Self {
            in_process: of(Isolation::InProcess),
            confined: of(Isolation::Confined),
        }
    }

    /// Runs a launch in both, and holds the ends against each other.
    #[track_caller]
    fn run(&self, name: &str, component: &Component, request: impl Fn() -> Request) -> Ended {
        let free = self.in_process.cell.run(component, request());
        let walled = self.confined.cell.run(component, request());
        let found = self.confined.take_alerts();
        let expected: Vec<AlertKind> = EXCEPTIONS
            .iter()
            .filter(|(exception, ..)| *exception == name)
            .map(|(_, alert, _)| *alert)
            .collect();
        assert_eq!(found, expected, "{name}: {:?}", walled.report.alerts);
        assert_same(name, &free, &walled);
        walled
    }
}

/// Checks that two launches of one request ended alike.
#[track_caller]
fn assert_same(name: &str, free: &Ended, walled: &Ended) {
    let (one, other) = (&free.outcome, &walled.outcome);
    assert_eq!(
        (one.kind, one.blame),
        (other.kind, other.blame),
        "{name}: {one:?} {other:?}"
    );
    assert_eq!(one.reproducible, other.reproducible, "{name}");
    assert_eq!(other.message.is_empty(), other.kind == OutcomeKind::Done);
    assert_eq!(free.results.len(), walled.results.len(), "{name}");
    if one.reproducible {
        assert_eq!(one.message, other.message, "{name}");
        assert_eq!(one.causes, other.causes, "{name}");
        assert_eq!(one.trace, other.trace, "{name}");
        // Not in a test's words: a line may be megabytes.
        assert!(free.report.log == walled.report.log, "{name}: other lines");
    }
    if one.kind == OutcomeKind::Done {
        let (free, walled) = (&free.report.usage, &walled.report.usage);
        assert_eq!(free.fuel_used, walled.fuel_used, "{name}");
        assert_eq!(free.host_calls, walled.host_calls, "{name}");
        assert_eq!(free.bytes_in, walled.bytes_in, "{name}");
        assert_eq!(free.bytes_out, walled.bytes_out, "{name}");
        assert_eq!(free.instances, walled.instances, "{name}");
    }
}

/// Sixteen bytes, and so sixteen chunks of a guest that is split.
fn sixteen(threads: usize) -> Request {
    let bytes: Vec<u8> = (1..=16).collect();
    let x = Array::from_slice(&bytes, [16]).expect("the shape fits");
    Request::new().input("x", x).threads(threads)
}

/// A request with the options of a command line, as the corpus has them.
fn with_options(mut request: Request, options: &str) -> Request {
    let mut words = options.split_whitespace();
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        let limited = |request: Request, limit: Limit, value: &str| {
            let value = limit.unit().parse(value).expect("a value of the unit");
            request.limit(limit, value)
        };
        request = match option {
            "--fuel" => limited(request, Limit::Fuel, value),
            "--timeout" => limited(request, Limit::Timeout, value),
            "--memory" => limited(request, Limit::Memory, value),
            "--limit" => {
                let (name, value) = value.split_once('=').expect("name=value");
                let limit = Limit::ALL.iter().find(|limit| limit.name() == name);
                limited(request, *limit.expect("a limit"), value)
            }
            "--metering" => request.metering(value.parse().expect("a mode")),
            "--grant" => request.want(value.parse().expect("a capability")),
            "--seed" => request.seed(value.parse().expect("a number")),
            other => panic!("the corpus has a new option: {other}"),
        };
    }
    request
}

#[test]
fn every_guest_of_the_corpus_ends_alike_in_both_isolations() {
    let pair = Pair::new();
    for row in GUESTS {
        let guest = match row.guest {
            "fails_by_chunk" => Guest::named(row.guest).split(),
            _ => Guest::named(row.guest),
        };
        let name = format!("{} {}", row.guest, row.options);
        let request = || with_options(honest_request(), row.options);
        let ended = pair.run(&name, &guest.component(), request);
        assert_eq!(
            (ended.outcome.kind, ended.outcome.blame),
            (row.kind, row.blame),
            "{name}: {:?}",
            ended.outcome
        );
    }
}

#[test]
fn every_guest_of_the_corpus_ends_alike_in_chunks() {
    // What takes a second and more is not what chunks make different.
    const LONG: [&str; 5] = [
        "endless_loop",
        "fills_and_spins",
        "polls",
        "polls_and_ignores",
        "host_call_flood",
    ];
    let pair = Pair::new();
    let mut rows: Vec<_> = GUESTS.iter().collect();
    rows.retain(|row| !LONG.contains(&row.guest) && !row.options.contains("timeout"));
    rows.dedup_by_key(|row| row.guest);
    for (index, row) in rows.iter().enumerate() {
        // Each number of threads and each mode has its turn.
        let metering = Metering::ALL[index % Metering::ALL.len()];
        let threads = [1, 2, 16][index / Metering::ALL.len() % 3];
        let name = format!("{} in chunks, {threads} threads, {metering}", row.guest);
        let component = Guest::named(row.guest).split().component();
        // Random bytes without a seed, and clocks, have no place in deterministic metering.
        let request = || match row.options.contains("grant") {
            true => with_options(sixteen(threads), row.options),
            false => with_options(sixteen(threads), row.options).metering(metering),
        };
        pair.run(&name, &component, request);
    }
}

#[test]
fn every_component_that_is_none_ends_alike_in_both_isolations() {
    let pair = Pair::new();
    let (mut refused, mut all) = (0, 0);
    for Attack {
        group, name, files, ..
    } in attacks()
    {
        let (Group::Component, Some((_, Content::Bytes(bytes)))) = (group, files.first()) else {
            continue;
        };
        let component = Component::new(bytes.clone());
        let ended = pair.run(&name, &component, honest_request);
        refused += u32::from(ended.outcome.kind != OutcomeKind::Done);
        all += 1;
    }
    assert!(all > 50 && refused > all / 2, "{refused} of {all}");
}

/// Says that it runs, and goes on until it is stopped.
const RUNS: &str =
    "(call $emit (i32.const 1) (i32.const 0) (i32.const 0)) (loop $again (br $again))";
/// Listens first, says that it runs, and gives what it has when it is asked to stop.
const LISTENS: &str =
    "(drop (call $should_stop)) (call $emit (i32.const 1) (i32.const 0) (i32.const 0))
    (loop $again (br_if $again (i32.eqz (call $should_stop))))
    (call $write (global.get $out) (i64.const 0) (i32.const 512) (i32.const 1))";
/// Listens, and does not care.
const IGNORES: &str =
    "(drop (call $should_stop)) (call $emit (i32.const 1) (i32.const 0) (i32.const 0))
    (loop $again (drop (call $should_stop)) (br $again))";

/// Cancels a launch once its guest runs.
fn cancelled(isolation: Isolation, guest: &Guest, request: Request) -> Ended {
    let arena = Arena::of(isolation);
    let launch = arena.begun(guest, request);
    launch.cancel();
    launch.wait()
}

#[test]
fn a_cancel_ends_alike_in_both_isolations() {
    for (body, grace) in [(RUNS, 5000), (LISTENS, 5000), (IGNORES, 50)] {
        let guest = Guest::of(format!("(func $attack {body})"));
        for (index, metering) in Metering::ALL.into_iter().enumerate() {
            let guest = match index {
                0 => guest.clone(),
                _ => guest.clone().split(),
            };
            let request = || {
                sixteen(index + 1)
                    .metering(metering)
                    .limit(Limit::Fuel, Limit::Fuel.ceiling())
                    .limit(Limit::HostCalls, Limit::HostCalls.ceiling())
                    .stop_grace(Duration::from_millis(grace))
            };
            let free = cancelled(Isolation::InProcess, &guest, request());
            let walled = cancelled(Isolation::Confined, &guest, request());
            assert_same(&format!("{body} {metering}"), &free, &walled);
            assert_eq!(walled.outcome.kind, OutcomeKind::Cancelled);
            assert_eq!(walled.outcome.partial, body == LISTENS, "{metering}");
        }
    }
}

#[test]
fn a_supervisor_that_was_stopped_finds_an_answer_and_blames_nobody() {
    // The whole machine may be paused; of it, only this process can be here.
    let arena = Arena::with(
        cell(Isolation::Confined)
            .kill_grace(Duration::from_millis(100))
            .build()
            .expect("a cell"),
    );
    let request = honest_request().timeout(Duration::from_millis(200));
    let request = request.observer(Arc::new(Slept));
    let ended = arena
        .cell
        .run(&Guest::named("wants_most_memory").component(), request);
    assert!(ended.report.alerts.is_empty(), "{:?}", ended.report.alerts);
    assert_eq!(ended.outcome.kind, OutcomeKind::Done, "{:?}", ended.outcome);
}

/// Stands still for longer than the launch may take, in the thread that watches it.
struct Slept;

impl Observer for Slept {
    fn log(&self, _: &LogLine) {
        std::thread::sleep(Duration::from_millis(600));
    }
}
